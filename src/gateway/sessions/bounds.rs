//! `Bounds`: how many sessions there may be, and `Refusal`: why there is no further one.

use crate::telemetry::SessionRefusal;

/// How many sessions a client and each of its users may have at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::gateway) struct Bounds {
    pub(in crate::gateway) of_client: Option<usize>,
    pub(in crate::gateway) of_user: Option<usize>,
}

/// Why there may be no further session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Refusal {
    /// The client has as many as it may.
    Client { most: usize },
    /// The user has as many as it may.
    User { most: usize },
    /// There are as many as there may be.
    Total,
    /// The relay has no address left, and its client has none yet.
    RelayFull,
    /// The relay has no bandwidth left.
    RelayBusy,
}

impl Refusal {
    /// The refusal as metrics count it.
    pub(super) fn cause(self) -> SessionRefusal {
        match self {
            Self::Client { .. } => SessionRefusal::Client,
            Self::User { .. } => SessionRefusal::User,
            Self::Total => SessionRefusal::Total,
            Self::RelayFull => SessionRefusal::RelayFull,
            Self::RelayBusy => SessionRefusal::RelayBusy,
        }
    }
}
