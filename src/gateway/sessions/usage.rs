//! `Usage`: what the relay carried for a session.

use serde::Serialize;

/// Packets and bytes each way, of payloads alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Usage {
    /// Packets from the client to its peers.
    pub packets_to_peer: u64,
    /// Their bytes.
    pub bytes_to_peer: u64,
    /// Packets from the peers to the client.
    pub packets_to_client: u64,
    /// Their bytes.
    pub bytes_to_client: u64,
}

impl Usage {
    /// Counts more.
    pub(super) fn add(&mut self, more: Self) {
        self.packets_to_peer += more.packets_to_peer;
        self.bytes_to_peer += more.bytes_to_peer;
        self.packets_to_client += more.packets_to_client;
        self.bytes_to_client += more.bytes_to_client;
    }

    /// Bytes both ways.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes_to_peer.saturating_add(self.bytes_to_client)
    }
}
