//! Why a server could not be measured.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use super::load::LoadError;
use crate::wire::Method;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The load makes no sense.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Not so many files may be open.
    #[error(
        "cannot raise the limit of open files: {0}; each allocation takes a socket here and one at the server"
    )]
    OpenFiles(io::Error),
    /// A socket could not be had.
    #[error(
        "cannot open a socket at {address}: {source}; is the address this machine's, and the limit of open files high enough?"
    )]
    Socket {
        /// Where it was to be.
        address: IpAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The namespace of the peers cannot be entered.
    #[error(
        "cannot enter the network namespace `{name}`: {source}; `ip netns list` shows those that there are, and it takes root"
    )]
    Namespace {
        /// Its name.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The file of certificates is of no use.
    #[error("cannot trust the certificates in {}: {reason}", file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS cannot be spoken at all.
    #[error("cannot speak TLS: {0}")]
    Tls(rustls::Error),
    /// The server cannot be connected to.
    #[error("cannot connect to {server}: {source}; does it listen there, for this transport?")]
    Connect {
        /// The server.
        server: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// The connection broke.
    #[error("lost the connection to {server}: {source}")]
    Broken {
        /// The server.
        server: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// The server does not answer.
    #[error("{server} does not answer {} requests; is it a TURN server, is the port the right one, and does it limit how often \
        strangers are answered (turnpike: turn.limits.unauthenticated_per_second)?", name(*method))]
    NoAnswer {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        method: Method,
    },
    /// The answer is no answer.
    #[error("{server} answers {} in a way that makes no sense: {what} is missing", name(*method))]
    Senseless {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        method: Method,
        /// What is not there.
        what: &'static str,
    },
    /// The server does not want to.
    #[error("{server} refuses {}: {code} {reason}{}", name(*method), hint(*code))]
    Refused {
        /// The server.
        server: SocketAddr,
        /// What was asked.
        method: Method,
        /// Its error code (RFC 8489 §14.8).
        code: u16,
        /// Its reason.
        reason: String,
    },
    /// The process cannot be watched.
    #[error("cannot watch process {pid}: {source}; is it the server's, on this machine?")]
    Process {
        /// The process.
        pid: u32,
        /// What the system says.
        source: io::Error,
    },
    /// A socket failed while measuring.
    #[error("cannot go on measuring: {0}")]
    Measuring(io::Error),
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Binding => "Binding",
        Method::Allocate => "Allocate",
        Method::Refresh => "Refresh",
        Method::CreatePermission => "CreatePermission",
        Method::ChannelBind => "ChannelBind",
        Method::Send
        | Method::Data
        | Method::Connect
        | Method::ConnectionBind
        | Method::ConnectionAttempt
        | Method::Unknown(_) => "other",
    }
}

/// What to do about the refusals that benchmarks meet.
fn hint(code: u16) -> &'static str {
    match code {
        401 | 441 => "; check the user and the password, or the secret",
        403 => "; the server must be allowed to relay to the address of the peers",
        486 => "; raise the server's quota of allocations for a user or a source",
        508 => "; the server has no relay port left, or too few open files",
        _ => "",
    }
}
