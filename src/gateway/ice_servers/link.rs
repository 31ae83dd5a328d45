//! Credentials as the `Link` fields of a WHIP answer (RFC 9725 §4.6).

use http::{HeaderMap, HeaderValue, header};

use super::issuer::Issued;

impl Issued<'_> {
    /// Adds one field for each URL.
    pub(in crate::gateway) fn write_links(&self, headers: &mut HeaderMap) {
        for url in self.urls {
            let mut link = format!("<{url}>; rel=\"ice-server\"");
            if url.is_turn() {
                let (username, credential) = (quoted(&self.username), quoted(self.password.expose()));
                link +=
                    &format!("; username={username}; credential={credential}; credential-type=\"password\"");
            }
            // Names that coturn understands are as users are called, and some of these no field can carry.
            if let Ok(mut link) = HeaderValue::try_from(link) {
                link.set_sensitive(true);
                headers.append(header::LINK, link);
            }
        }
    }
}

/// RFC 9110 §5.6.4.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::gateway::ice_servers::IceUrl;
    use crate::secret::Secret;

    #[test]
    fn each_url_has_a_link() {
        let urls: Vec<IceUrl> = ["turn:relay.example.org?transport=udp", "stun:relay.example.org"]
            .map(|url| url.parse().unwrap())
            .into();
        let issued = Issued {
            urls: &urls,
            username: "17:a\"b\\c".to_owned(),
            password: Secret::new("p+/="),
            ttl: Duration::from_secs(1),
            expires: 17,
            grant: None,
        };
        let mut headers = HeaderMap::new();

        issued.write_links(&mut headers);

        let links: Vec<_> = headers.get_all(header::LINK).iter().collect();
        assert_eq!(
            links,
            [
                r#"<turn:relay.example.org?transport=udp>; rel="ice-server"; username="17:a\"b\\c"; credential="p+/="; credential-type="password""#,
                r#"<stun:relay.example.org>; rel="ice-server""#,
            ]
        );
        let unspeakable = Issued { username: "17:a\nb".to_owned(), ..issued };
        let mut headers = HeaderMap::new();
        unspeakable.write_links(&mut headers);
        assert_eq!(headers.len(), 1, "{headers:?}");
    }
}
