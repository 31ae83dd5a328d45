//! The listening socket: binds it with an error that helps, and keeps accepting when the machine runs short.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tracing::warn;

use super::error::{Listener, StartError};
use crate::telemetry::{ConnectionFailure, GatewayMetrics};

pub(in crate::gateway) async fn bind(
    listener: Listener,
    address: SocketAddr,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| {
        if source.kind() == io::ErrorKind::AddrInUse {
            return StartError::PortInUse { listener, address };
        }
        if source.kind() == io::ErrorKind::AddrNotAvailable {
            return StartError::NotLocal { listener, address };
        }
        if source.kind() == io::ErrorKind::PermissionDenied {
            return StartError::NotPermitted { listener, address };
        }
        StartError::NotListening { listener, address, source }
    })
}

/// The next connection. Dropping the future loses none.
pub(in crate::gateway) async fn accept(
    listener: &TcpListener,
    metrics: &GatewayMetrics,
) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                metrics.connection_failed(ConnectionFailure::Accept);
                warn!(%error, "connection not accepted");
                // The connection stays in the queue, so trying at once would spin until a descriptor is free.
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the error is of a connection that its client gave up, rather than of the listener.
fn concerns_one_connection(error: &io::Error) -> bool {
    // accept(2): errors of the network that were already pending on the new socket are passed on.
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::Interrupted
    )
}

/// Short enough that clients hardly notice, long enough that a full process table costs no processor time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_the_address_and_the_mend_when_the_port_is_in_use() {
        let first = bind(Listener::Admin, SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = first.local_addr().unwrap();

        let error = bind(Listener::Admin, address).await.unwrap_err();

        assert!(matches!(error, StartError::PortInUse { .. }));
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("admin: {address} is already in use; stop the process")),
            "{message}"
        );
    }

    #[tokio::test]
    async fn says_that_an_address_is_not_of_this_machine() {
        // RFC 5737: 192.0.2.0/24 is for documentation, so no machine has it.
        let error = bind(Listener::Gateway, SocketAddr::from(([192, 0, 2, 1], 8080))).await.unwrap_err();

        assert!(matches!(error, StartError::NotLocal { .. }), "{error}");
    }

    #[test]
    fn pauses_only_when_the_listener_itself_fails() {
        for code in [EMFILE, ENFILE, ENOMEM] {
            assert!(!concerns_one_connection(&io::Error::from_raw_os_error(code)), "{code}");
        }
        assert!(concerns_one_connection(&io::Error::from_raw_os_error(ECONNABORTED)));
    }

    // The numbers of Linux, the same on every architecture that turnpike is built for.
    const ENOMEM: i32 = 12;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ECONNABORTED: i32 = 103;
}
