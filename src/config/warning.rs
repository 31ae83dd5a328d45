//! What a configuration may say, and probably does not mean.

use super::addresses::PeerPattern;
use super::schema::Schema;
use super::units::HumanDuration;

/// Something that is allowed, and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// The relay lets nobody in.
    #[error(
        "nobody can allocate a relay: there are no users and no secrets; add [[turn.users]] or [[turn.secrets]]"
    )]
    NobodyMayAllocate,
    /// The gateway lets nobody in.
    #[error("every offer is refused with 401: there are no keys; add [[gateway.keys]]")]
    NobodyMayOffer,
    /// A lifetime on which clients count is shorter.
    #[error(
        "turn.lifetimes.{name} is {value}: clients count on {standard} and will lose their media; use this in tests only"
    )]
    ShortLifetime {
        /// The last part of the key.
        name: &'static str,
        /// What was written.
        value: HumanDuration,
        /// What the RFC says.
        standard: HumanDuration,
    },
    /// The peer policy is switched off.
    #[error(
        "turn.peers.allow has {0}: users can reach every private address from here; name single networks instead"
    )]
    EveryPeerAllowed(PeerPattern),
    /// A relay port is a listening port too.
    #[error("turn.listen has port {0}, which is one of turn.relay_ports too; keep them apart")]
    ListensAmongRelayPorts(u16),
}

/// Finds them.
pub(super) fn find(schema: &Schema) -> Vec<Warning> {
    let mut found = Vec::new();
    let turn = &schema.turn;
    if turn.users.is_empty() && turn.secrets.is_empty() {
        found.push(Warning::NobodyMayAllocate);
    }
    if schema.gateway.keys.is_empty() {
        found.push(Warning::NobodyMayOffer);
    }
    let standard = super::schema::Lifetimes::default();
    let lifetimes = [
        ("allocation", turn.lifetimes.allocation, standard.allocation),
        ("permission", turn.lifetimes.permission, standard.permission),
        ("channel", turn.lifetimes.channel, standard.channel),
    ];
    for (name, value, standard) in lifetimes {
        if value < standard {
            found.push(Warning::ShortLifetime { name, value, standard });
        }
    }
    let is_everything = |pattern: &&PeerPattern| pattern.network.prefix_len() == 0;
    found.extend(turn.peers.allow.iter().filter(is_everything).cloned().map(Warning::EveryPeerAllowed));
    let ports = turn.listen.iter().map(|address| address.0.port());
    found.extend(ports.filter(|port| turn.relay_ports.0.contains(port)).map(Warning::ListensAmongRelayPorts));
    found
}
