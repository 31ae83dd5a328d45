//! `Gateway`: binds, serves, and drains when told to stop.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use super::access_log::AccessLog;
use super::admission::Gate;
use super::backends::{Backends, BackendsHandle};
use super::drain::Drain;
use super::front::{Door, Front, Handed, Listener, Proxies, Slots, StartError, connection, listener};
use super::http::cors::Cors;
use super::http::origin::ProxyTrust;
use super::ice_servers::IceServers;
use super::offer::SdpCheck;
use super::passthrough::Passthrough;
use super::record_link::RecordLink;
use super::relay_link::{RelayLink, RelayView};
use super::routes::{self, Shared};
use super::sessions::{Sessions, SessionsHandle};
use super::settings::Settings;
use super::trace_link::TraceLink;
use super::whip::Whip;
use crate::records::Records;
use crate::telemetry::{HttpListener, Metrics, Traces};
use crate::tls::{CertificateStore, TlsError};

/// The signaling gateway, bound to its address if it has one of its own.
#[derive(Debug)]
pub struct Gateway {
    listener: Option<TcpListener>,
    door: Door,
    handed: mpsc::Receiver<Handed>,
    front: Front,
    gate: Gate,
    cors: Arc<Cors>,
    passthrough: Passthrough,
    access_log: AccessLog,
    sessions: Sessions,
    sdp_check: SdpCheck,
    whip: Whip,
    relay: RelayLink,
    records: RecordLink,
    traces: TraceLink,
    drain: Drain,
    backends: BackendsHandle,
}

impl Gateway {
    /// Loads the certificate and takes the address; clients queue until [`Gateway::serve`].
    pub async fn bind(settings: &Settings, metrics: &Metrics) -> Result<Self, StartError> {
        let tls = match &settings.tls {
            Some(files) => Some(Arc::new(CertificateStore::load(files, &ALPN_PROTOCOLS, now())?)),
            None => None,
        };
        let listener = match settings.listen {
            Some(address) => Some(listener::bind(Listener::Gateway, address).await?),
            None => None,
        };
        let (relay, records, traces) = (RelayLink::default(), RecordLink::default(), TraceLink::default());
        let drain = Drain::default();
        let sessions =
            Sessions::new(settings.sessions, relay.clone(), records.clone(), metrics.sessions().clone());
        let gate = Gate::new(settings, metrics);
        let sdp_check = SdpCheck::new(settings.offers, metrics.gateway().clone());
        let whip = Whip::new(settings.whip);
        let passthrough = Passthrough::new(&settings.passthrough, metrics.front().clone());
        let access_log = AccessLog::new(settings.access_log, metrics.access_log().clone());
        let cors = Arc::new(Cors::new(&settings.cors, metrics.front().clone()));
        let backends = Arc::new(Backends::new(&settings.backends, metrics)?);
        let router = routes::router(Arc::new(Shared {
            backends: Arc::clone(&backends),
            gate: gate.clone(),
            cors: Arc::clone(&cors),
            sessions: sessions.clone(),
            sdp_check: sdp_check.clone(),
            whip: whip.clone(),
            ice_servers: IceServers::new(&settings.ice_servers),
            drain: drain.clone(),
            health_needs_key: settings.health_needs_key,
            body_limit_bytes: settings.body_limit_bytes,
            timeouts: settings.timeouts,
            passthrough: passthrough.clone(),
            access_log: access_log.clone(),
            traces: traces.clone(),
            metrics: metrics.gateway().clone(),
        }));
        let front = Front {
            router,
            tls,
            allows_plain: settings.allows_plain,
            timeouts: settings.timeouts,
            slots: Slots::new(&settings.front, HttpListener::Gateway, metrics.front().clone()),
            proxies: Proxies::new(&settings.front.proxy_protocol_from, ProxyTrust::new(&settings.proxies)),
            metrics: metrics.gateway().clone(),
            front_metrics: metrics.front().clone(),
        };
        let (door, handed) = Door::new(MAX_WAITING);
        let backends = BackendsHandle(backends);
        Ok(Self {
            listener,
            door,
            handed,
            front,
            gate,
            cors,
            passthrough,
            access_log,
            sessions,
            sdp_check,
            whip,
            relay,
            records,
            traces,
            drain,
            backends,
        })
    }

    /// The address of its own that clients reach, with the real port where the settings say 0.
    pub fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.listener.as_ref().map(TcpListener::local_addr).transpose()
    }

    /// Where connections are handed over that came in elsewhere.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// The backends that offers go to.
    pub fn backends(&self) -> BackendsHandle {
        self.backends.clone()
    }

    /// The certificate of clients with HTTPS, if there is one.
    pub fn certificate(&self) -> Option<&Arc<CertificateStore>> {
        self.front.tls.as_ref()
    }

    /// The keys and limits.
    pub(super) fn gate(&self) -> Gate {
        self.gate.clone()
    }

    /// The live sessions, for what the relay says about their allocations.
    pub fn sessions(&self) -> SessionsHandle {
        SessionsHandle { sessions: self.sessions.clone() }
    }

    /// The switch that has offers refused.
    pub fn drain(&self) -> Drain {
        self.drain.clone()
    }

    /// What exchanges settings while the gateway serves.
    pub fn updater(&self) -> Updater {
        Updater {
            gate: self.gate.clone(),
            sessions: self.sessions.clone(),
            sdp_check: self.sdp_check.clone(),
            whip: self.whip.clone(),
            backends: self.backends.clone(),
            slots: self.front.slots.clone(),
            proxies: self.front.proxies.clone(),
            cors: Arc::clone(&self.cors),
            passthrough: self.passthrough.clone(),
            access_log: self.access_log.clone(),
        }
    }

    /// Tells which relay the sessions' media goes through; the first one stays.
    pub fn join(&self, relay: Box<dyn RelayView>) {
        self.relay.join(relay);
    }

    /// Tells where sessions are recorded; the first one stays.
    pub fn join_records(&self, records: Records) {
        self.records.join(records);
    }

    /// Tells where traces begin; the first ones stay.
    pub fn join_traces(&self, traces: Traces) {
        self.traces.join(traces);
    }

    /// The way to the records.
    pub(super) fn records(&self) -> RecordLink {
        self.records.clone()
    }

    /// Serves until `shutdown` completes; then takes no more connections, lets requests in flight finish, and ends the
    /// sessions.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let serving = serve(self.listener, self.handed, self.front, shutdown);
        tokio::select! {
            () = serving => {}
            never = self.sessions.sweep() => match never {},
            never = self.gate.sweep() => match never {},
        }
        self.sessions.end_all();
        self.sessions.settled().await;
    }
}

/// Exchanges those settings of a gateway that can change while it serves.
#[derive(Debug, Clone)]
pub struct Updater {
    gate: Gate,
    sessions: Sessions,
    sdp_check: SdpCheck,
    whip: Whip,
    backends: BackendsHandle,
    slots: Slots,
    proxies: Proxies,
    cors: Arc<Cors>,
    passthrough: Passthrough,
    access_log: AccessLog,
}

impl Updater {
    /// The options that [`Updater::update`] puts into effect; a section stands for all that is in it.
    pub const OPTIONS: [&str; 24] = [
        "gateway.backend",
        "gateway.backends",
        "gateway.cors",
        "gateway.ejection",
        "gateway.forward_key",
        "gateway.health_check",
        "gateway.idempotency",
        "gateway.keys",
        "gateway.limits",
        "gateway.offers",
        "gateway.passthrough",
        "gateway.proxy_protocol_from",
        "gateway.sessions",
        "gateway.sticky_users",
        "gateway.timeouts.backend_answer",
        "gateway.timeouts.backend_connect",
        "gateway.timeouts.backend_headers",
        "gateway.timeouts.backend_idle",
        "gateway.trusted_fields",
        "gateway.trusted_proxies",
        "gateway.whip",
        "log.access_per_second",
        "log.access_sample",
        "log.access_slow",
    ];

    /// Puts new settings into effect, as far as they can change; what is in progress goes on. Reads the TLS files of the
    /// backends; an error leaves everything as it is.
    pub fn update(&self, settings: &Settings) -> Result<(), TlsError> {
        self.backends.update(&settings.backends)?;
        self.gate.update(settings);
        self.sessions.update(settings.sessions);
        self.sdp_check.update(settings.offers);
        self.whip.update(settings.whip);
        self.slots.update(&settings.front);
        self.proxies.update(&settings.front.proxy_protocol_from, ProxyTrust::new(&settings.proxies));
        self.cors.update(&settings.cors);
        self.passthrough.update(&settings.passthrough);
        self.access_log.update(settings.access_log);
        Ok(())
    }
}

/// Serves what comes to a listener or is handed over until `shutdown`, then drains it.
pub(super) async fn serve(
    listener: Option<TcpListener>,
    mut handed: mpsc::Receiver<Handed>,
    front: Front,
    shutdown: impl Future<Output = ()>,
) {
    let front = Arc::new(front);
    let (close, closing) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            (stream, client) = accept(listener.as_ref(), &front) => {
                if let Some(slot) = front.admit(client) {
                    connections.spawn(connection::serve(stream, client, slot, Arc::clone(&front), closing.clone()));
                }
            }
            Some(handed) = handed.recv() => {
                if let Some(slot) = front.admit_handed(handed.client) {
                    connections.spawn(connection::serve_handed(handed, slot, Arc::clone(&front), closing.clone()));
                }
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop((listener, handed));

    while connections.try_join_next().is_some() {}
    info!(connections = connections.len(), "http listener drains");
    let drained = timeout(front.timeouts.drain, async {
        close.send_replace(true);
        while connections.join_next().await.is_some() {}
    });
    if drained.await.is_err() {
        warn!(connections = connections.len(), "http connections cut off at the end of the drain");
        connections.shutdown().await;
    }
}

/// The next connection of a listener; never, if there is none.
async fn accept(listener: Option<&TcpListener>, front: &Front) -> (TcpStream, SocketAddr) {
    match listener {
        Some(listener) => listener::accept(listener, &front.metrics).await,
        None => std::future::pending().await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the gateway owns a clock; certificates expire by the wall's")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// RFC 7301 §6, RFC 9113 §3.2: HTTP/2 where the client knows it, as its offers then share one connection.
const ALPN_PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// Connections that are handed over and wait: they are taken up within microseconds, so this is a burst.
const MAX_WAITING: usize = 1024;
