//! The `Forwarded` field of RFC 7239: what proxies say in it, and what we say.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, header};

use super::origin::{self, Origin};

/// What one proxy says of the request that it got.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hop {
    /// Who sent it, if that is an address.
    pub(super) client: Option<SocketAddr>,
    pub(super) scheme: Option<Scheme>,
    pub(super) host: Option<HeaderValue>,
}

/// Reads the field, the client's side first. An element that breaks the grammar says nothing.
pub(super) fn parse(headers: &HeaderMap) -> Vec<Hop> {
    let lines = headers.get_all(header::FORWARDED).iter();
    lines.flat_map(|line| split(line.to_str().unwrap_or(""), ',')).map(parse_element).collect()
}

fn parse_element(element: &str) -> Hop {
    let mut hop = Hop::default();
    for pair in split(element, ';') {
        let Some((name, value)) = pair.split_once('=') else { continue };
        let Some(value) = unquote(value) else { return Hop::default() };
        match name.trim() {
            name if name.eq_ignore_ascii_case("for") => hop.client = parse_node(&value),
            name if name.eq_ignore_ascii_case("proto") => hop.scheme = origin::parse_scheme(&value),
            name if name.eq_ignore_ascii_case("host") => hop.host = origin::parse_host(&value),
            _ => {}
        }
    }
    hop
}

/// RFC 7239 §6: an address with or without a port; IPv6 in brackets where it has one, and for lenience without.
pub(super) fn parse_node(node: &str) -> Option<SocketAddr> {
    let at_unknown_port = |ip: IpAddr| SocketAddr::new(ip, 0);
    let bare = || node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
    let parsed = node.parse().ok().or_else(|| bare().parse().ok().map(at_unknown_port));
    parsed.map(|address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port()))
}

/// Splits where the separator does not stand in quotes.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    text.split(move |c| {
        let is_plain = !std::mem::take(&mut is_escaped);
        match c {
            '\\' if is_quoted && is_plain => is_escaped = true,
            '"' if is_plain => is_quoted = !is_quoted,
            _ => {}
        }
        c == separator && !is_quoted
    })
    .map(str::trim)
}

/// RFC 9110 §5.6.4: what a quoted string stands for; a token stands for itself.
fn unquote(value: &str) -> Option<String> {
    let value = value.trim();
    let Some(quoted) = value.strip_prefix('"') else {
        return (!value.contains('"')).then(|| value.to_owned());
    };
    let mut plain = String::new();
    let mut characters = quoted.strip_suffix('"')?.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => plain.push(characters.next()?),
            '"' => return None,
            c => plain.push(c),
        }
    }
    Some(plain)
}

/// What the backend is told in `Forwarded`: the client with all that is known of its request, then the proxies.
pub(super) fn write(origin: &Origin, host: Option<&HeaderValue>) -> HeaderValue {
    // RFC 7239 §6.2: an identifier for whom nobody is told of.
    let client = if origin.is_hidden { "unknown".to_owned() } else { node(origin.client.ip()) };
    let mut text = format!("for={client}");
    if let Some(host) = host.and_then(|host| host.to_str().ok()).filter(|host| !host.contains(['"', '\\'])) {
        let _ = write!(text, ";host=\"{host}\"");
    }
    let _ = write!(text, ";proto={}", origin.scheme);
    for &proxy in origin.proxies.iter().filter(|_| !origin.is_hidden) {
        let _ = write!(text, ", for={}", node(proxy));
    }
    HeaderValue::from_str(&text).expect("addresses, a scheme and the text of a header are visible ASCII")
}

fn node(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("\"[{ip}]\""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_element() {
        let hops = hops_of(&[
            "For=\"[2001:db8:cafe::17]:4711\" ; proto=HTTPS;host=\"a\\.example\"",
            "for=192.0.2.43, for=198.51.100.17;by=_x",
        ]);

        assert_eq!(hops[0].client, Some("[2001:db8:cafe::17]:4711".parse().unwrap()));
        assert_eq!(hops[0].scheme, Some(Scheme::HTTPS));
        assert_eq!(hops[0].host.as_ref().unwrap(), "a.example");
        assert_eq!(hops[1].client, Some("192.0.2.43:0".parse().unwrap()));
        assert_eq!(hops[2].client, Some("198.51.100.17:0".parse().unwrap()));
    }

    #[test]
    fn a_comma_in_quotes_does_not_make_a_second_element() {
        let hops = hops_of(&["for=192.0.2.43;host=\"a, for=10.0.0.1\"", "for=\"un\\\", for=ended"]);

        assert_eq!(hops.len(), 2, "{hops:?}");
        assert_eq!(hops[0].client, Some("192.0.2.43:0".parse().unwrap()));
        assert_eq!(hops[0].host, None);
        assert_eq!(hops[1], Hop::default());
    }

    #[test]
    fn what_is_no_address_is_nobody() {
        for node in ["unknown", "_secret", "192.0.2.43:http", "192.0.2.043", "[::1", ""] {
            assert_eq!(parse_node(node), None, "{node:?}");
        }
        assert_eq!(parse_node("::ffff:192.0.2.43"), Some("192.0.2.43:0".parse().unwrap()));
    }

    #[test]
    fn writes_what_it_reads() {
        let mut origin = Origin::direct("[2001:db8::7]:9".parse().unwrap(), Scheme::HTTPS);
        origin.proxies = vec!["10.0.0.2".parse().unwrap(), "::1".parse().unwrap()];

        let written = write(&origin, Some(&HeaderValue::from_static("turn.example:8443")));

        assert_eq!(
            written,
            "for=\"[2001:db8::7]\";host=\"turn.example:8443\";proto=https, for=10.0.0.2, for=\"[::1]\""
        );
        let hops = hops_of(&[written.to_str().unwrap()]);
        assert_eq!(hops[0].host.as_ref().unwrap(), "turn.example:8443");
        assert_eq!(hops[2].client.unwrap().ip().to_string(), "::1");
    }

    proptest! {
        #[test]
        fn never_panics(text in "[ -~]{0,80}") {
            let _ = hops_of(&[&text]);
        }
    }

    fn hops_of(lines: &[&str]) -> Vec<Hop> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::FORWARDED, HeaderValue::from_str(line).unwrap());
        }
        parse(&headers)
    }
}
