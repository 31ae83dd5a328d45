//! `BackendUrl`: the base URL of a backend.

use std::fmt;
use std::net::SocketAddr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

/// Where an inference backend is: `http://host[:port][/prefix]`, or with `https`.
///
/// The prefix, if any, goes in front of the path of each forwarded request. `embedded` names the backend of this process,
/// which is placed at an address once it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendUrl {
    scheme: Scheme,
    authority: Authority,
    prefix: String,
    is_embedded: bool,
}

/// Why a text is no base URL of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackendUrlError {
    /// The text is no URL with a scheme and a host.
    #[error("no absolute URL; write it as http://host:port")]
    NotAbsolute,
    /// The scheme is neither `http` nor `https`.
    #[error("backends are spoken to over HTTP; write it as http://host:port or https://host:port")]
    NotHttp,
    /// The URL carries `user:password@`.
    #[error("a user or password in the URL is not supported; leave out the part before the @")]
    HasUser,
    /// The URL carries a query.
    #[error("a base URL has no query; leave out the part from the ?")]
    HasQuery,
}

impl Default for BackendUrl {
    /// Where uvicorn listens unless told otherwise.
    fn default() -> Self {
        Self {
            scheme: Scheme::HTTP,
            authority: Authority::from_static("127.0.0.1:8000"),
            prefix: String::new(),
            is_embedded: false,
        }
    }
}

impl BackendUrl {
    /// The backend of this process.
    pub fn embedded() -> Self {
        Self { is_embedded: true, ..Self::default() }
    }

    /// A backend of this machine, in the clear.
    pub fn local(address: SocketAddr) -> Self {
        let authority =
            Authority::try_from(address.to_string()).expect("an address with a port is an authority");
        Self { authority, ..Self::default() }
    }

    /// Whether it is the backend of this process, which has no address yet.
    pub fn is_embedded(&self) -> bool {
        self.is_embedded
    }

    /// Checks a base URL.
    pub fn parse(text: &str) -> Result<Self, BackendUrlError> {
        if text == EMBEDDED {
            return Ok(Self::embedded());
        }
        let parts = text.parse::<Uri>().map_err(|_| BackendUrlError::NotAbsolute)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(BackendUrlError::NotAbsolute);
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(BackendUrlError::NotHttp);
        }
        if authority.as_str().contains('@') {
            return Err(BackendUrlError::HasUser);
        }
        let path = parts.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
        if path.query().is_some() {
            return Err(BackendUrlError::HasQuery);
        }
        let prefix = path.path().trim_end_matches('/').to_owned();
        Ok(Self { scheme, authority, prefix, is_embedded: false })
    }

    /// Whether the backend is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// The URL of one of the backend's routes.
    pub(super) fn join(&self, path: &str, query: Option<&str>) -> Result<Uri, http::Error> {
        let prefix = &self.prefix;
        let target = match query {
            Some(query) => format!("{prefix}{path}?{query}"),
            None => format!("{prefix}{path}"),
        };
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(target)
            .build()
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_embedded {
            return f.write_str(EMBEDDED);
        }
        write!(f, "{}://{}{}", self.scheme, self.authority, self.prefix)
    }
}

const EMBEDDED: &str = "embedded";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_the_backends_prefix_and_a_route() {
        let at_root = BackendUrl::parse("http://backend:8000/").unwrap();
        let below = BackendUrl::parse("http://[::1]:8000/models/skin/").unwrap();
        let secure = BackendUrl::parse("https://backend").unwrap();

        assert_eq!(at_root.join("/health", None).unwrap(), "http://backend:8000/health");
        assert_eq!(below.join("/health", Some("a=b")).unwrap(), "http://[::1]:8000/models/skin/health?a=b");
        assert_eq!(below.to_string(), "http://[::1]:8000/models/skin");
        assert_eq!(secure.join("/health", None).unwrap(), "https://backend/health");
        assert!(secure.is_secure() && !below.is_secure());
    }

    #[test]
    fn the_embedded_backend_is_named_until_it_has_an_address() {
        let embedded = BackendUrl::parse("embedded").unwrap();
        assert!(embedded.is_embedded());
        assert!(!BackendUrl::parse("http://embedded").unwrap().is_embedded(), "a host of that name");
        assert_eq!(embedded.to_string(), "embedded");
        let local = BackendUrl::local("127.0.0.1:4000".parse().unwrap());
        assert!(!local.is_embedded());
        assert_eq!(local.join("/health", None).unwrap(), "http://127.0.0.1:4000/health");
    }

    #[test]
    fn refuses_what_is_no_base_url() {
        for (text, error) in [
            ("", BackendUrlError::NotAbsolute),
            ("backend:8000", BackendUrlError::NotAbsolute),
            ("/skin", BackendUrlError::NotAbsolute),
            ("ftp://backend", BackendUrlError::NotHttp),
            ("http://user:word@backend", BackendUrlError::HasUser),
            ("http://backend/?a=b", BackendUrlError::HasQuery),
        ] {
            assert_eq!(BackendUrl::parse(text), Err(error), "{text:?}");
        }
    }
}
