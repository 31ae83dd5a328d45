//! The sockets that clients reach: for each address one in every worker.

use std::net::SocketAddr;

use tracing::warn;

use super::error::StartError;
use super::settings::Settings;
use crate::sys::{UdpOptions, UdpSocket};

/// Binds a group of sockets for each of `workers` workers; all groups have the same addresses.
pub(super) fn bind(settings: &Settings, workers: usize) -> Result<Vec<Vec<UdpSocket>>, StartError> {
    let mut groups: Vec<Vec<UdpSocket>> = (0..workers).map(|_| Vec::new()).collect();
    for &address in &settings.listen {
        refuse_foreign_owner(address)?;
        let mut address = address;
        for group in &mut groups {
            let socket = open(address, settings.listener_buffer_bytes)?;
            // Port 0 took a free one, which the other workers share.
            address = socket.local_addr();
            group.push(socket);
        }
    }
    if let Some(socket) = groups[0].first() {
        report_buffer(socket, settings.listener_buffer_bytes);
    }
    Ok(groups)
}

fn open(address: SocketAddr, buffer_bytes: usize) -> Result<UdpSocket, StartError> {
    let options = UdpOptions {
        is_shared: true,
        wants_icmp: false,
        wants_segments: false,
        // On a wildcard the answer must leave from the address that was asked, or NATs and clients drop it.
        wants_destination: address.ip().is_unspecified(),
        buffer_bytes,
    };
    UdpSocket::bind(address, options).map_err(|source| StartError::listen(address, source))
}

/// Fails if another process has the address.
///
/// Our own sockets share it, and another turnpike's would share it too: half of the clients would silently go there.
fn refuse_foreign_owner(address: SocketAddr) -> Result<(), StartError> {
    if address.port() == 0 {
        return Ok(());
    }
    let probe = UdpSocket::bind(address, UdpOptions::default());
    probe.map(drop).map_err(|source| StartError::listen(address, source))
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
        Settings { listen: vec![listen], ..Settings::default() }
    }

    #[test]
    fn every_worker_has_the_same_addresses() {
        let groups = bind(&settings("127.0.0.1:0".parse().unwrap()), 3).unwrap();
        let addresses: Vec<_> = groups.iter().map(|group| group[0].local_addr()).collect();
        assert_eq!(addresses.len(), 3);
        assert!(addresses.iter().all(|address| *address == addresses[0]));
        assert_ne!(addresses[0].port(), 0);
    }

    #[test]
    fn an_address_in_use_is_refused_even_if_its_owner_shares_it() {
        let first = bind(&settings("127.0.0.1:0".parse().unwrap()), 1).unwrap();
        let address = first[0][0].local_addr();
        let error = bind(&settings(address), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on udp {address}: the address is in use; stop what listens there or change turn.listen"
            )
        );
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        let error = bind(&settings("192.0.2.1:3478".parse().unwrap()), 1).unwrap_err();
        assert!(matches!(error, StartError::AddressNotAvailable { .. }), "{error}");
    }
}
