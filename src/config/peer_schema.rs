//! `[turn.peers]` and `[turn.anonymous]`: whom clients may reach, and what those may do who show no credentials.

use schemars::JsonSchema;
use serde::Deserialize;

use super::addresses::{ListenAddress, PeerPattern};
use super::choices::{AnonymousMode, PeersPolicy};
use super::units::HumanDuration;

/// For clients that have no credentials.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Anonymous {
    /// UDP addresses where no credentials are asked for; none of them may be one of the other listeners. Whoever
    /// reaches one can allocate here, so with the mode `backends` keep them off the internet or behind a firewall.
    pub listen: Vec<ListenAddress>,
    /// TCP addresses of this kind, in the clear and, with a certificate, with TLS.
    pub listen_tcp: Vec<ListenAddress>,
    /// What takes the place of credentials. `backends`: such clients reach the peers in `backends` and no others.
    /// `claim`: an allocation reaches nobody until an offer to the gateway, with its key, names the relayed address;
    /// then it reaches the peers that the answer names. docs/GATE.md says more.
    pub mode: AnonymousMode,
    /// With the mode `backends`, the only peers that such clients may reach, written as the rules of `turn.peers` are.
    /// Those must allow them too, or private addresses stay refused.
    pub backends: Vec<PeerPattern>,
    /// With the mode `claim`, how long an allocation waits for its offer before it ends, 1s to 10m.
    pub claim_patience: HumanDuration,
    /// Allocations that there may be without credentials, 1 to 1000000. One more is refused with 508. Those that an offer
    /// has claimed do not count.
    pub allocations: usize,
    /// Allocations without credentials that one source may have, 1 to 1000000: an IPv4 address, or an IPv6 network of 64
    /// bits. One more is refused with 486. Those that an offer has claimed do not count.
    pub allocations_per_source: usize,
}

/// Which peers media may be relayed to.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Peers {
    /// Who says whom an allocation reaches. `rules`: it reaches everybody whom `allow` and `deny` let it reach. `answer`: of
    /// these only the addresses that the answer to its client's offer names, and before that nobody; an allocation
    /// without an offer is good for nothing. docs/GATE.md says more.
    pub policy: PeersPolicy,
    /// Peers that may be reached although they are private, loopback, link-local or otherwise special, which are
    /// refused by themselves. Name the inference backend here if it has a private address. Wins over deny.
    pub allow: Vec<PeerPattern>,
    /// Further peers to refuse.
    pub deny: Vec<PeerPattern>,
    /// Peers that allocations may reach although the answer does not name them, where only those that it names may be
    /// reached: the networks of backends behind a NAT, whose packets come from other addresses than they know of.
    pub besides_answer: Vec<PeerPattern>,
}
