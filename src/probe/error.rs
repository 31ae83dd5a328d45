//! `ProbeError`: at which step a server failed, and what may mend it.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::tls::TlsError;

/// A step that failed.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {problem}{}", hint(*.step, .problem))]
pub struct ProbeError {
    /// Which.
    pub step: Step,
    /// What happened.
    pub problem: Problem,
}

/// What clients need, in the order in which they ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The address of a name.
    Resolve,
    /// The connection, and the TLS handshake.
    Connect,
    /// An allocation.
    Allocate,
    /// The permission to send to a peer.
    Permission,
    /// A channel to it.
    Channel,
    /// A packet through the relay.
    Packet,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing came in this time.
    #[error("no answer within {0:?}")]
    Silence(Duration),
    /// The name has no address.
    #[error("the name has no address")]
    NoAddress,
    /// The operating system says no, or the other side does.
    #[error("{0}")]
    Io(io::Error),
    /// The certificates to trust cannot be read.
    #[error("{0}")]
    Tls(TlsError),
    /// No certificate can be for this.
    #[error("no certificate can be for this name")]
    ServerName,
    /// A STUN error response with this code.
    #[error("the server refuses with {0}")]
    Refused(u16),
    /// What the client says.
    #[error("{0}")]
    Client(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "name",
            Self::Connect => "connection",
            Self::Allocate => "allocation",
            Self::Permission => "permission",
            Self::Channel => "channel",
            Self::Packet => "packet",
        })
    }
}

/// What to look at.
fn hint(step: Step, problem: &Problem) -> &'static str {
    match (step, problem) {
        (Step::Allocate, Problem::Refused(401)) => {
            ", which is for wrong credentials: check user and password, or the secret"
        }
        (Step::Allocate, Problem::Refused(486 | 508)) => {
            ", as it has no room: too many allocations of this user, or in all"
        }
        (Step::Allocate, Problem::Refused(438)) => ", again and again: its nonces do not last",
        (Step::Allocate, Problem::Io(_)) => "; does it listen there?",
        (Step::Allocate, Problem::Silence(_)) => {
            "; is it a TURN server, and does a firewall let packets through?"
        }
        (Step::Connect, Problem::Io(_) | Problem::Silence(_)) => {
            "; does it listen there, and does a firewall let connections through?"
        }
        (Step::Permission, Problem::Refused(403)) => {
            ": it does not relay to its own relayed address; allow that one as a peer, or use --allocate-only"
        }
        (Step::Packet, Problem::Silence(_)) => {
            "; does a firewall stand before its relay ports, or does it announce an address that is not its own?"
        }
        _ => "",
    }
}
