//! What an operator can choose about the HTTP front: addresses, backend, keys, bounds and deadlines.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};

use crate::secret::Secret;
use crate::tls::CertificateFiles;

/// Settings of the signaling gateway.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where clients POST their offers; default `0.0.0.0:8080`. Port 0 takes a free one. Without it clients come through
    /// a [`Door`](super::Door) alone.
    pub listen: Option<SocketAddr>,
    /// Certificate and key, where the gateway itself speaks HTTPS; default none.
    pub tls: Option<CertificateFiles>,
    /// Whether clients that come through a door may speak HTTP in the clear although there is a certificate; default
    /// false.
    pub allows_plain: bool,
    /// Base URL of the inference backend; default `http://127.0.0.1:8000`.
    pub backend: BackendUrl,
    /// The keys that clients may present. An empty list lets nobody in.
    pub keys: Vec<ApiKey>,
    /// Whether the backend is sent the client's `api-key` header; default false: the key ends here, and a backend that
    /// checks keys itself needs true.
    pub forward_key: bool,
    /// Whether health checks need a key as well; default false, since the probes of load balancers have none.
    pub health_needs_key: bool,
    /// The largest request body; default 256 KiB. A larger one is 413.
    pub body_limit_bytes: usize,
    /// Deadlines of a request.
    pub timeouts: Timeouts,
}

/// Settings of the listener that operators, probes and Prometheus use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where `/metrics`, `/livez` and `/readyz` are served; default `127.0.0.1:9090`. Port 0 takes a free one.
    pub listen: SocketAddr,
}

/// Where the inference backend is: `http://host[:port][/prefix]`.
///
/// The prefix, if any, goes in front of the path of each forwarded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendUrl {
    authority: Authority,
    prefix: String,
}

/// Why a text is no base URL of a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BackendUrlError {
    /// The text is no URL with a scheme and a host.
    #[error("no absolute URL; write it as http://host:port")]
    NotAbsolute,
    /// The scheme is not `http`.
    #[error("the backend is spoken to in plain HTTP only; write it as http://host:port")]
    NotHttp,
    /// The URL carries `user:password@`.
    #[error("a user or password in the URL is not supported; leave out the part before the @")]
    HasUser,
    /// The URL carries a query.
    #[error("a base URL has no query; leave out the part from the ?")]
    HasQuery,
}

/// One client's key.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The name of the key in logs and metrics.
    pub id: String,
    /// What the client sends in its `api-key` header.
    pub key: Secret,
}

/// How long each step of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TLS handshake of a client; default 5 s.
    pub handshake: Duration,
    /// From the connection (or the previous answer) to the end of the request's headers; default 10 s.
    pub request_headers: Duration,
    /// From the headers to the end of the request's body; default 15 s. Later is 408.
    pub request_body: Duration,
    /// TCP connect to the backend; default 2 s. Later is 502.
    pub backend_connect: Duration,
    /// From the request's last byte to the backend's whole answer, connecting included; default 20 s. Later is 504.
    ///
    /// An aiortc backend that cannot reach its STUN server needs 5 s for each answer, so values below 6 s break it.
    pub backend_answer: Duration,
    /// How long an idle connection to the backend is kept; default 4 s, below the 5 s after which uvicorn closes it.
    pub backend_idle: Duration,
    /// How long requests in flight may take to finish after a stop; default 25 s, below the 30 s after which Kubernetes
    /// kills. Later ones are cut off.
    pub drain: Duration,
}

impl BackendUrl {
    /// Checks a base URL.
    pub fn parse(text: &str) -> Result<Self, BackendUrlError> {
        let parts = text.parse::<Uri>().map_err(|_| BackendUrlError::NotAbsolute)?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(BackendUrlError::NotAbsolute);
        };
        if scheme != Scheme::HTTP {
            return Err(BackendUrlError::NotHttp);
        }
        if authority.as_str().contains('@') {
            return Err(BackendUrlError::HasUser);
        }
        let path = parts.path_and_query.unwrap_or(PathAndQuery::from_static("/"));
        if path.query().is_some() {
            return Err(BackendUrlError::HasQuery);
        }
        Ok(Self { authority, prefix: path.path().trim_end_matches('/').to_owned() })
    }

    /// The URL of one of the backend's routes.
    pub(super) fn join(&self, path: &str, query: Option<&str>) -> Result<Uri, http::Error> {
        let prefix = &self.prefix;
        let target = match query {
            Some(query) => format!("{prefix}{path}?{query}"),
            None => format!("{prefix}{path}"),
        };
        Uri::builder().scheme(Scheme::HTTP).authority(self.authority.clone()).path_and_query(target).build()
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

impl Settings {
    /// Where the gateway listens unless told otherwise; below 1024 a process needs a privilege.
    pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: Some(Self::DEFAULT_LISTEN),
            tls: None,
            allows_plain: false,
            backend: BackendUrl {
                authority: Authority::from_static("127.0.0.1:8000"),
                prefix: String::new(),
            },
            keys: Vec::new(),
            forward_key: false,
            health_needs_key: false,
            body_limit_bytes: 256 << 10,
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            request_headers: Duration::from_secs(10),
            request_body: Duration::from_secs(15),
            backend_connect: Duration::from_secs(2),
            backend_answer: Duration::from_secs(20),
            backend_idle: Duration::from_secs(4),
            drain: Duration::from_secs(25),
        }
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9090)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_the_backends_prefix_and_a_route() {
        let at_root = BackendUrl::parse("http://backend:8000/").unwrap();
        let below = BackendUrl::parse("http://[::1]:8000/models/skin/").unwrap();

        assert_eq!(at_root.join("/health", None).unwrap(), "http://backend:8000/health");
        assert_eq!(below.join("/health", Some("a=b")).unwrap(), "http://[::1]:8000/models/skin/health?a=b");
        assert_eq!(below.to_string(), "http://[::1]:8000/models/skin");
    }

    #[test]
    fn refuses_what_is_no_base_url() {
        for (text, error) in [
            ("", BackendUrlError::NotAbsolute),
            ("backend:8000", BackendUrlError::NotAbsolute),
            ("/skin", BackendUrlError::NotAbsolute),
            ("https://backend", BackendUrlError::NotHttp),
            ("http://user:word@backend", BackendUrlError::HasUser),
            ("http://backend/?a=b", BackendUrlError::HasQuery),
        ] {
            assert_eq!(BackendUrl::parse(text), Err(error), "{text:?}");
        }
    }
}
