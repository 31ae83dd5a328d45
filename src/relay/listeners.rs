//! The sockets that clients reach: for each address one in every worker.

use std::io;
use std::net::SocketAddr;

use tracing::warn;

use super::error::{ListenerKind, StartError};
use super::settings::Settings;
use crate::sys::{Sharing, StreamListener, UdpOptions, UdpSocket};

/// The listeners of one worker.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    pub(super) datagrams: Vec<UdpSocket>,
    pub(super) streams: Vec<StreamListener>,
}

/// Binds a group of sockets for each of `workers` workers; all groups have the same addresses.
///
/// The first socket of an address gets it only if nobody has it, not even another turnpike, whose sockets would share
/// it: half of the clients would silently go there.
pub(super) fn bind(settings: &Settings, workers: usize) -> Result<Vec<Listeners>, StartError> {
    let mut groups: Vec<Listeners> = (0..workers).map(|_| Listeners::default()).collect();
    // Deviation from RFC 7350 §3: no DTLS, as no maintained library leaves the sockets to us and keeps nothing of a client
    // whose address is unproven. rustls has no DTLS. dimpl 0.9 keeps 5.3 KiB for each ClientHello, forged or not, sends
    // its certificate without the chain to the issuer, and has no RSA. rtc-dtls 0.21 keeps 1.4 KiB from anybody's first
    // byte on until it is told to forget, and empty fragments without a bound. A cookie that we check in front helps
    // neither: both want one that their connection has drawn, in its second message. Who needs encryption has TLS.
    for (kind, address) in of_kind(ListenerKind::Udp, &settings.listen)
        .chain(of_kind(ListenerKind::AnonymousUdp, &settings.anonymous.listen))
    {
        let refuse = |source| StartError::listen(kind, address, source);
        let (mut address, mut sharing) = (address, Sharing::Begins);
        for group in &mut groups {
            let socket = open_datagrams(address, sharing, settings.listener_buffer_bytes).map_err(refuse)?;
            // Port 0 took a free one, which the other workers share.
            (address, sharing) = (socket.local_addr(), Sharing::Joins);
            group.datagrams.push(socket);
        }
    }
    for (kind, address) in of_kind(ListenerKind::Tcp, &settings.listen_tcp)
        .chain(of_kind(ListenerKind::AnonymousTcp, &settings.anonymous.listen_tcp))
    {
        let refuse = |source| StartError::listen(kind, address, source);
        let (mut address, mut sharing) = (address, Sharing::Begins);
        for group in &mut groups {
            let listener = StreamListener::bind(address, sharing).map_err(refuse)?;
            (address, sharing) = (listener.local_addr(), Sharing::Joins);
            group.streams.push(listener);
        }
    }
    if let Some(socket) = groups[0].datagrams.first() {
        report_buffer(socket, settings.listener_buffer_bytes);
    }
    Ok(groups)
}

/// Addresses with what is to listen there.
fn of_kind(
    kind: ListenerKind,
    addresses: &[SocketAddr],
) -> impl Iterator<Item = (ListenerKind, SocketAddr)> + '_ {
    addresses.iter().map(move |&address| (kind, address))
}

fn open_datagrams(address: SocketAddr, sharing: Sharing, buffer_bytes: usize) -> io::Result<UdpSocket> {
    let options = UdpOptions {
        sharing,
        wants_icmp: false,
        wants_segments: true,
        // On a wildcard the answer must leave from the address that was asked, or NATs and clients drop it.
        wants_destination: address.ip().is_unspecified(),
        buffer_bytes,
    };
    UdpSocket::bind(address, options)
}

/// Says when the kernel gave less buffer than was asked, as bursts are lost then.
fn report_buffer(socket: &UdpSocket, asked: usize) {
    // Linux reports the double of what can be used.
    let Ok(given) = socket.receive_buffer_bytes().map(|bytes| bytes / 2) else {
        return;
    };
    if given < asked {
        warn!(
            asked,
            given, "receive buffer capped by the kernel; raise net.core.rmem_max to at least what was asked"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(listen: SocketAddr) -> Settings {
        Settings { listen: vec![listen], listen_tcp: vec![listen], ..Settings::default() }
    }

    fn any_port() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[test]
    fn every_worker_has_the_same_addresses() {
        let groups = bind(&settings(any_port()), 3).unwrap();
        assert_eq!(groups.len(), 3);
        let addresses = |group: &Listeners| (group.datagrams[0].local_addr(), group.streams[0].local_addr());
        let (datagrams, streams) = addresses(&groups[0]);
        assert!(groups.iter().all(|group| addresses(group) == (datagrams, streams)));
        assert!(datagrams.port() != 0 && streams.port() != 0);
    }

    #[test]
    fn an_address_in_use_is_refused_even_if_its_owner_shares_it() {
        let first = bind(&settings(any_port()), 1).unwrap();
        let (datagrams, streams) = (first[0].datagrams[0].local_addr(), first[0].streams[0].local_addr());
        let udp = Settings { listen: vec![datagrams], ..settings(any_port()) };
        let tcp = Settings { listen_tcp: vec![streams], ..settings(any_port()) };
        let refused = |settings: &Settings| bind(settings, 1).unwrap_err().to_string();
        assert_eq!(
            refused(&udp),
            format!(
                "cannot listen on udp {datagrams}: the address is in use; \
                 stop what listens there or change turn.listen"
            )
        );
        assert_eq!(
            refused(&tcp),
            format!(
                "cannot listen on tcp {streams}: the address is in use; \
                 stop what listens there or change turn.listen_tcp"
            )
        );
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let error = bind(&settings("192.0.2.1:3478".parse().unwrap()), 1).unwrap_err();
        assert!(matches!(error, StartError::AddressNotAvailable { .. }), "{error}");
    }
}
