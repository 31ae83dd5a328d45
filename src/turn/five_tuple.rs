//! The names of things that cross the border: a client's path, an allocation, a moment.

use std::net::SocketAddr;
use std::time::Instant;

/// The path between a client and us; over UDP it names an allocation (RFC 8656 §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FiveTuple {
    /// Where the client's packets come from, as we see it.
    pub client: SocketAddr,
    /// Which of our addresses they came to.
    pub server: SocketAddr,
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
