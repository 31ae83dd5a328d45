//! The names of things that cross the border: a client's path, an allocation, a moment.

use std::net::SocketAddr;
use std::time::Instant;

/// The path between a client and us, which names an allocation (RFC 8656 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FiveTuple {
    /// How the client's packets travel.
    pub transport: Transport,
    /// Where the client's packets come from, as we see it.
    pub client: SocketAddr,
    /// Which of our addresses they came to.
    pub server: SocketAddr,
}

/// How packets travel between a client and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// In datagrams.
    Udp,
    /// In a stream.
    Tcp,
    /// In a stream that TLS protects.
    Tls,
}

/// Names one allocation of one server, and never another one after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AllocationId {
    /// Small and reused, so that the driver can keep its own side of an allocation in a flat table.
    pub index: u32,
    /// Tells apart those that had the same index one after the other.
    pub generation: u32,
}

/// The present, as the driver's clocks tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For lifetimes; never goes back.
    pub instant: Instant,
    /// Seconds since 1970, for what other machines must understand: nonces and expiring user names.
    pub unix_seconds: u64,
}

impl Transport {
    /// Whether the client had to show that packets reach it where it says.
    pub fn is_stream(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    /// How logs name it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}
