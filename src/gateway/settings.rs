//! What an operator can choose about the HTTP front: addresses, backend, keys, bounds and deadlines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::access_log::AccessLogSettings;
use super::backends::BackendsSettings;
use super::front::FrontSettings;
use super::http::{CorsSettings, ProxySettings};
use super::ice_servers::IceServerSettings;
use super::keys::ApiKey;
use super::limits::LimitSettings;
use super::offer::OfferSettings;
use super::passthrough::PassthroughSettings;
use super::sessions::SessionSettings;
use super::whip::WhipSettings;
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
    /// The inference backends; default one at `http://127.0.0.1:8000`.
    pub backends: BackendsSettings,
    /// The keys that clients may present. An empty list lets nobody in.
    pub keys: Vec<ApiKey>,
    /// How many requests there may be of users and sources. What clients may do stands with their keys.
    pub limits: LimitSettings,
    /// Whether health checks need a key as well; default false, since the probes of load balancers have none.
    pub health_needs_key: bool,
    /// The largest request body; default 256 KiB. A larger one is 413.
    pub body_limit_bytes: usize,
    /// How many connections there may be, and who brings them.
    pub front: FrontSettings,
    /// Whose word about clients counts.
    pub proxies: ProxySettings,
    /// Which web pages may use the gateway.
    pub cors: CorsSettings,
    /// Deadlines of a request.
    pub timeouts: Timeouts,
    /// What is checked of an offer.
    pub offers: OfferSettings,
    /// Whether offers are taken as WHIP has them, too.
    pub whip: WhipSettings,
    /// Which credentials are handed out.
    pub ice_servers: IceServerSettings,
    /// How many sessions there may be, and when one counts as over.
    pub sessions: SessionSettings,
    /// Paths that go to the backends as they are; default none.
    pub passthrough: Vec<PassthroughSettings>,
    /// Which requests leave a line in the log; default none.
    pub access_log: AccessLogSettings,
}

/// Settings of the listener that operators, probes and Prometheus use.
#[derive(Debug, Clone)]
pub struct AdminSettings {
    /// Where `/metrics`, `/livez`, `/readyz` and the API are served; default `127.0.0.1:9090`. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// What the API wants to be shown, if not a key with the scope `admin`; without either it serves on a loopback address
    /// alone.
    pub token: Option<Secret>,
}

/// How long each step of a client's request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TLS handshake of a client; default 5 s.
    pub handshake: Duration,
    /// From the connection (or the previous answer) to the end of the request's headers; default 10 s.
    pub request_headers: Duration,
    /// From the headers to the end of the request's body; default 15 s. Later is 408.
    pub request_body: Duration,
    /// How long a connection may carry no request; default 60 s. HTTP/1.1 has the deadline of headers as well.
    pub client_idle: Duration,
    /// How long a client may take nothing of its answer; default 30 s.
    pub client_stall: Duration,
    /// How long requests in flight may take to finish after a stop; default 25 s, below the 30 s after which Kubernetes
    /// kills. Later ones are cut off.
    pub drain: Duration,
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
            backends: BackendsSettings::default(),
            keys: Vec::new(),
            limits: LimitSettings::default(),
            health_needs_key: false,
            body_limit_bytes: 256 << 10,
            front: FrontSettings::default(),
            proxies: ProxySettings::default(),
            cors: CorsSettings::default(),
            timeouts: Timeouts::default(),
            offers: OfferSettings::default(),
            whip: WhipSettings::default(),
            ice_servers: IceServerSettings::default(),
            sessions: SessionSettings::default(),
            passthrough: Vec::new(),
            access_log: AccessLogSettings::default(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            request_headers: Duration::from_secs(10),
            request_body: Duration::from_secs(15),
            client_idle: Duration::from_secs(60),
            client_stall: Duration::from_secs(30),
            drain: Duration::from_secs(25),
        }
    }
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], 9090)), token: None }
    }
}
