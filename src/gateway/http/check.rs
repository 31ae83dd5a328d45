//! Refuses requests that we and the backend could understand differently.

use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, Request, Uri, Version, header};

use super::origin::parse_host;

/// What makes a request ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Malformation {
    HostMissing,
    HostRepeated,
    HostInvalid,
    HostDiffers,
    Target,
    TransferCoding,
}

impl Malformation {
    /// What is wrong, for people.
    pub(in crate::gateway) fn detail(self) -> &'static str {
        match self {
            Self::HostMissing => "The request names no host",
            Self::HostRepeated => "The request names more than one host",
            Self::HostInvalid => "The request's host is none",
            Self::HostDiffers => "The request's target and its Host field name different hosts",
            Self::Target => "The request's target is none of this server",
            Self::TransferCoding => "The request's body is in a transfer coding other than chunked",
        }
    }
}

/// Checks what hyper leaves to us.
pub(in crate::gateway) fn check<B>(request: &Request<B>) -> Result<(), Malformation> {
    check_target(request.method(), request.uri())?;
    check_host(request.version(), request.headers(), request.uri().authority())?;
    check_transfer_coding(request.headers())
}

/// RFC 9112 §3.2: a path, or a whole URL of HTTP. CONNECT is for proxies of another kind.
fn check_target(method: &Method, uri: &Uri) -> Result<(), Malformation> {
    let is_known = uri.scheme().is_none_or(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if method == Method::CONNECT || !is_known || has_user {
        return Err(Malformation::Target);
    }
    Ok(())
}

fn check_host(version: Version, headers: &HeaderMap, target: Option<&Authority>) -> Result<(), Malformation> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    if second.is_some() {
        return Err(Malformation::HostRepeated);
    }
    let Some(host) = host else {
        // RFC 9112 §3.2: HTTP/1.1 must name it; RFC 9113 §8.3.1: HTTP/2 has `:authority`.
        let may_lack = version == Version::HTTP_10 || (version == Version::HTTP_2 && target.is_some());
        return if may_lack { Ok(()) } else { Err(Malformation::HostMissing) };
    };
    let text = host.to_str().map_err(|_| Malformation::HostInvalid)?;
    if parse_host(text).is_none() {
        return Err(Malformation::HostInvalid);
    }
    // RFC 9112 §3.2.2 lets the target win, and RFC 9113 §8.3.1 calls it malformed. No honest client has two.
    if target.is_some_and(|target| !target.as_str().eq_ignore_ascii_case(text)) {
        return Err(Malformation::HostDiffers);
    }
    Ok(())
}

/// RFC 9112 §6.1: what else a body was coded with would be lost on the way.
fn check_transfer_coding(headers: &HeaderMap) -> Result<(), Malformation> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Malformation::TransferCoding),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn takes_what_clients_send() {
        for (version, uri, host) in [
            (Version::HTTP_11, "/skin", Some("turn.example:8080")),
            (Version::HTTP_11, "http://Turn.example/skin", Some("turn.example")),
            (Version::HTTP_10, "/skin", None),
            (Version::HTTP_2, "https://turn.example/skin", None),
            (Version::HTTP_2, "https://turn.example/skin", Some("turn.example")),
        ] {
            assert_eq!(check(&request(version, uri, host)), Ok(()), "{version:?} {uri} {host:?}");
        }
    }

    #[test]
    fn refuses_what_names_no_one_host() {
        for (version, uri, host, expected) in [
            (Version::HTTP_11, "/", None, Malformation::HostMissing),
            (Version::HTTP_2, "/", None, Malformation::HostMissing),
            (Version::HTTP_11, "/", Some(""), Malformation::HostInvalid),
            (Version::HTTP_11, "/", Some("a b"), Malformation::HostInvalid),
            (Version::HTTP_11, "/", Some("user@a"), Malformation::HostInvalid),
            (Version::HTTP_11, "http://a/", Some("b"), Malformation::HostDiffers),
            (Version::HTTP_2, "https://a/", Some("a:1"), Malformation::HostDiffers),
            (Version::HTTP_11, "ftp://a/", Some("a"), Malformation::Target),
            (Version::HTTP_11, "http://user@a/", Some("a"), Malformation::Target),
        ] {
            assert_eq!(check(&request(version, uri, host)), Err(expected), "{version:?} {uri} {host:?}");
        }
    }

    #[test]
    fn takes_no_other_coding_than_chunked() {
        for (codings, expected) in [
            (&["Chunked"][..], Ok(())),
            (&["gzip, chunked"], Err(Malformation::TransferCoding)),
            (&["chunked", "chunked"], Err(Malformation::TransferCoding)),
            (&["\u{b}chunked"], Err(Malformation::TransferCoding)),
        ] {
            let mut request = request(Version::HTTP_11, "/", Some("a"));
            for coding in codings {
                let coding = HeaderValue::from_bytes(coding.as_bytes());
                // What no header can hold never comes here.
                let Ok(coding) = coding else { continue };
                request.headers_mut().append(header::TRANSFER_ENCODING, coding);
            }
            let has_any = request.headers().contains_key(header::TRANSFER_ENCODING);
            assert_eq!(check(&request), if has_any { expected } else { Ok(()) }, "{codings:?}");
        }
    }

    fn request(version: Version, uri: &str, host: Option<&str>) -> Request<()> {
        let mut request = Request::builder().version(version).uri(uri).body(()).unwrap();
        if let Some(host) = host {
            request.headers_mut().insert(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        request
    }
}
