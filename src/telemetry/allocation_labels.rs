//! What allocations are counted by: how their clients come, what they relay to, why they ended, and why they were refused.

/// What carries TURN between a client and the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTransport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream that TLS protects.
    Tls,
}

/// The families of an allocation's relayed addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayedFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// One of each (RFC 8656 §7.2, ADDITIONAL-ADDRESS-FAMILY).
    Both,
}

/// Why an allocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its lifetime ran out.
    Expired,
    /// Its client refreshed it with lifetime 0.
    Deleted,
    /// Its client's connection closed.
    Disconnected,
    /// The session that it belonged to ended.
    SessionEnded,
    /// No session claimed it in time.
    Unclaimed,
    /// The relay stopped.
    Shutdown,
}

/// Why an Allocate request that was let in got no relayed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllocationRefusal {
    /// The user has as many allocations as it may.
    UserQuota,
    /// The source has as many allocations as it may.
    SourceQuota,
    /// There are as many allocations as there may be.
    Capacity,
    /// The source has as many allocations as it may without credentials.
    AnonymousSourceQuota,
    /// There are as many allocations without credentials as there may be.
    AnonymousCapacity,
    /// The session that the credentials were granted for has ended.
    GrantEnded,
    /// Every relay port is taken, or the system has no socket left.
    NoPort,
    /// There is no relay address of the family.
    Family,
    /// The token names no reserved port.
    NoReservation,
}

/// What came of a session's claim of an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimResult {
    /// The allocation is the session's.
    Claimed,
    /// The allocation has ended.
    NoAllocation,
    /// Nothing shows that the offer and the allocation are of one client.
    NotProven,
    /// The allocation is another session's.
    Taken,
}

impl ClientTransport {
    pub(super) const ALL: [Self; 3] = [Self::Udp, Self::Tcp, Self::Tls];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

impl RelayedFamily {
    pub(super) const ALL: [Self; 3] = [Self::Ipv4, Self::Ipv6, Self::Both];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Both => "both",
        }
    }
}

impl EndReason {
    pub(super) const ALL: [Self; 6] = [
        Self::Expired,
        Self::Deleted,
        Self::Disconnected,
        Self::SessionEnded,
        Self::Unclaimed,
        Self::Shutdown,
    ];

    /// The value of the metric's label, and of the field in logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Disconnected => "disconnected",
            Self::SessionEnded => "session_ended",
            Self::Unclaimed => "unclaimed",
            Self::Shutdown => "shutdown",
        }
    }
}

impl AllocationRefusal {
    pub(super) const ALL: [Self; 9] = [
        Self::UserQuota,
        Self::SourceQuota,
        Self::Capacity,
        Self::AnonymousSourceQuota,
        Self::AnonymousCapacity,
        Self::GrantEnded,
        Self::NoPort,
        Self::Family,
        Self::NoReservation,
    ];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::UserQuota => "user_quota",
            Self::SourceQuota => "source_quota",
            Self::Capacity => "capacity",
            Self::AnonymousSourceQuota => "anonymous_source_quota",
            Self::AnonymousCapacity => "anonymous_capacity",
            Self::GrantEnded => "grant_ended",
            Self::NoPort => "no_port",
            Self::Family => "family",
            Self::NoReservation => "no_reservation",
        }
    }
}

impl ClaimResult {
    pub(super) const ALL: [Self; 4] = [Self::Claimed, Self::NoAllocation, Self::NotProven, Self::Taken];

    /// The value of the metric's label, and of the field in logs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::NoAllocation => "no_allocation",
            Self::NotProven => "not_proven",
            Self::Taken => "taken",
        }
    }
}
