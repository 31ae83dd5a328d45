//! What the HTTP front counts about connections and browsers.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::catalog::{self, Family};

/// The counts of the HTTP front; clones share them.
#[derive(Debug, Clone)]
pub struct FrontMetrics {
    connections: [IntGauge; HttpListener::ALL.len()],
    connections_limit: [IntGauge; HttpListener::ALL.len()],
    connections_refused: [[IntCounter; ConnectionBound::ALL.len()]; HttpListener::ALL.len()],
    connections_cut: [IntCounter; CutCause::ALL.len()],
    preflights: [IntCounter; Preflight::ALL.len()],
    web_sockets: IntGauge,
    web_sockets_ended: [IntCounter; WebSocketEnd::ALL.len()],
}

/// Which of the HTTP listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpListener {
    /// The one for clients.
    Gateway,
    /// The one for operators.
    Admin,
}

/// Whose bound a connection was beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionBound {
    /// That of all connections together.
    Total,
    /// That of the connections of one source.
    Source,
}

/// Why we ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutCause {
    /// The proxy that brings it sent no PROXY header, or none that is whole, in time.
    ProxyHeader,
    /// It carried no request for too long.
    Idle,
    /// The client took nothing of its answers for too long.
    Stalled,
}

/// What became of a browser's question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// The page may ask.
    Allowed,
    /// Its origin is none of those that may.
    Refused,
}

/// Why a WebSocket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebSocketEnd {
    /// Client or backend closed it, or was lost.
    Closed,
    /// Neither said anything for too long.
    Idle,
    /// We stop.
    Drained,
}

/// A WebSocket that is open; dropped without an ending it counts as closed.
#[derive(Debug)]
pub struct OpenWebSocket {
    metrics: FrontMetrics,
    end: WebSocketEnd,
}

impl FrontMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let of_listeners = |family: &Family| {
            let gauges = IntGaugeVec::new(family.opts(), family.labels).expect(VALID);
            register(Box::new(gauges.clone()));
            HttpListener::ALL.map(|listener| gauges.with_label_values(&[listener.label()]))
        };
        let web_sockets = IntGauge::with_opts(catalog::FRONT_WEB_SOCKETS.opts()).expect(VALID);
        register(Box::new(web_sockets.clone()));
        let ended = counters(&catalog::FRONT_WEB_SOCKETS_ENDED, &register);
        let refused = counters(&catalog::FRONT_CONNECTIONS_REFUSED, &register);
        let cut = counters(&catalog::FRONT_CONNECTIONS_CUT, &register);
        let preflights = counters(&catalog::FRONT_PREFLIGHTS, &register);
        Self {
            connections: of_listeners(&catalog::FRONT_CONNECTIONS),
            connections_limit: of_listeners(&catalog::FRONT_CONNECTIONS_LIMIT),
            connections_refused: HttpListener::ALL.map(|listener| {
                ConnectionBound::ALL
                    .map(|bound| refused.with_label_values(&[listener.label(), bound.label()]))
            }),
            connections_cut: CutCause::ALL.map(|cause| cut.with_label_values(&[cause.label()])),
            preflights: Preflight::ALL.map(|result| preflights.with_label_values(&[result.label()])),
            web_sockets,
            web_sockets_ended: WebSocketEnd::ALL.map(|end| ended.with_label_values(&[end.label()])),
        }
    }

    /// Tells how many connections a listener has.
    pub fn set_connections(&self, listener: HttpListener, count: usize) {
        self.connections[listener as usize].set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Tells how many it may have.
    pub fn set_connections_limit(&self, listener: HttpListener, most: usize) {
        self.connections_limit[listener as usize].set(i64::try_from(most).unwrap_or(i64::MAX));
    }

    /// Counts a connection that was closed at once.
    pub fn connection_refused(&self, listener: HttpListener, bound: ConnectionBound) {
        self.connections_refused[listener as usize][bound as usize].inc();
    }

    /// Counts a connection that we ended.
    pub fn connection_cut(&self, cause: CutCause) {
        self.connections_cut[cause as usize].inc();
    }

    /// Counts a WebSocket, until the returned value is dropped.
    pub fn open_web_socket(&self) -> OpenWebSocket {
        self.web_sockets.inc();
        OpenWebSocket { metrics: self.clone(), end: WebSocketEnd::Closed }
    }

    /// Counts a preflight.
    pub fn preflight(&self, result: Preflight) {
        self.preflights[result as usize].inc();
    }
}

impl OpenWebSocket {
    /// Counts its end.
    pub fn end(mut self, end: WebSocketEnd) {
        self.end = end;
    }
}

impl Drop for OpenWebSocket {
    fn drop(&mut self) {
        self.metrics.web_sockets.dec();
        self.metrics.web_sockets_ended[self.end as usize].inc();
    }
}

impl WebSocketEnd {
    const ALL: [Self; 3] = [Self::Closed, Self::Idle, Self::Drained];

    fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Idle => "idle",
            Self::Drained => "drained",
        }
    }
}

impl HttpListener {
    const ALL: [Self; 2] = [Self::Gateway, Self::Admin];

    fn label(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Admin => "admin",
        }
    }
}

impl ConnectionBound {
    const ALL: [Self; 2] = [Self::Total, Self::Source];

    fn label(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Source => "source",
        }
    }
}

impl CutCause {
    const ALL: [Self; 3] = [Self::ProxyHeader, Self::Idle, Self::Stalled];

    fn label(self) -> &'static str {
        match self {
            Self::ProxyHeader => "proxy_header",
            Self::Idle => "idle",
            Self::Stalled => "stalled",
        }
    }
}

impl Preflight {
    const ALL: [Self; 2] = [Self::Allowed, Self::Refused];

    fn label(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }
}

fn counters(family: &Family, register: &impl Fn(Box<dyn Collector>)) -> IntCounterVec {
    let counters = IntCounterVec::new(family.opts(), family.labels).expect(VALID);
    register(Box::new(counters.clone()));
    counters
}

const VALID: &str = "names and labels of the catalogue are valid, as its tests check";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn counts_each_cause_under_its_own_label() {
        let metrics = Metrics::new();
        let front = metrics.front();

        for listener in HttpListener::ALL {
            front.set_connections(listener, 1);
            front.set_connections_limit(listener, 1);
            let _ = ConnectionBound::ALL.map(|bound| front.connection_refused(listener, bound));
        }
        let _ = CutCause::ALL.map(|cause| front.connection_cut(cause));
        let _ = Preflight::ALL.map(|result| front.preflight(result));
        let _ = WebSocketEnd::ALL.map(|end| front.open_web_socket().end(end));
        let still_open = front.open_web_socket();
        let text = metrics.exposition().unwrap();

        let names = [
            "connections{",
            "connections_limit",
            "connections_refused",
            "connections_cut",
            "preflights",
            "websockets",
        ];
        let counted = text.lines().filter(|line| {
            let name = line.strip_prefix("turnpike_gateway_");
            name.is_some_and(|name| names.iter().any(|start| name.starts_with(start))) && line.ends_with(" 1")
        });
        assert_eq!(counted.count(), 17, "{text}");
        drop(still_open);
        assert!(metrics.exposition().unwrap().contains("turnpike_gateway_websockets 0\n"));
    }
}
