//! `AnonymousListeners`: where clients are served that show no credentials.

use std::net::SocketAddr;

use super::five_tuple::FiveTuple;

/// The listeners of this process at which credentials are not asked for; none by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnonymousListeners {
    /// For datagrams.
    pub datagrams: Vec<SocketAddr>,
    /// For streams.
    pub streams: Vec<SocketAddr>,
}

impl AnonymousListeners {
    /// Whether a path leads to one of them. No other listener shares an address with them, not even by a wildcard.
    pub(super) fn serve(&self, path: &FiveTuple) -> bool {
        let listeners = if path.transport.is_stream() { &self.streams } else { &self.datagrams };
        listeners.iter().any(|listener| {
            let is_wildcard = listener.ip().is_unspecified() && listener.is_ipv4() == path.server.is_ipv4();
            listener.port() == path.server.port() && (is_wildcard || listener.ip() == path.server.ip())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::Transport;

    fn serves(listeners: &AnonymousListeners, transport: Transport, server: &str) -> bool {
        let client = "192.0.2.1:4000".parse().unwrap();
        listeners.serve(&FiveTuple { transport, client, server: server.parse().unwrap() })
    }

    #[test]
    fn a_listener_serves_its_address_its_port_and_its_transport() {
        let listeners = AnonymousListeners {
            datagrams: vec!["10.0.0.5:3479".parse().unwrap()],
            streams: vec!["0.0.0.0:3480".parse().unwrap()],
        };
        assert!(serves(&listeners, Transport::Udp, "10.0.0.5:3479"));
        assert!(serves(&listeners, Transport::Tcp, "10.0.0.5:3480"));
        assert!(serves(&listeners, Transport::Tls, "192.0.2.9:3480"));
        for (transport, server) in [
            (Transport::Udp, "10.0.0.5:3478"),
            (Transport::Udp, "10.0.0.6:3479"),
            (Transport::Udp, "10.0.0.5:3480"),
            (Transport::Tcp, "10.0.0.5:3479"),
            (Transport::Tcp, "[2001:db8::1]:3480"),
        ] {
            assert!(!serves(&listeners, transport, server), "{transport:?} {server}");
        }
    }
}
