//! `[turn.peers]` and `[turn.anonymous]`: whom clients may reach.

use std::time::Duration;

use super::Rules;
use crate::config::addresses::PeerPattern;
use crate::config::error::Cause;
use crate::config::schema::{Anonymous, AnonymousMode, Peers, PeersPolicy, Turn};
use crate::config::units::HumanDuration;
use crate::turn::peer_policy::PeerPolicy;

pub(super) fn peer_policy(written: &Turn) -> PeerPolicy {
    let mut policy = PeerPolicy::default();
    for pattern in written.peers.allow.iter().cloned() {
        match pattern {
            PeerPattern::Network(rule) => policy.allow(rule),
            PeerPattern::Name(rule) => policy.allow_name(rule),
        }
    }
    for pattern in written.peers.deny.iter().cloned() {
        match pattern {
            PeerPattern::Network(rule) => policy.deny(rule),
            PeerPattern::Name(rule) => policy.deny_name(rule),
        }
    }
    for pattern in written.peers.besides_answer.iter().cloned() {
        match pattern {
            PeerPattern::Network(rule) => policy.add_to_every_session(rule),
            PeerPattern::Name(rule) => policy.add_name_to_every_session(rule),
        }
    }
    for pattern in written.anonymous.backends.iter().cloned() {
        match pattern {
            PeerPattern::Network(rule) => policy.add_backend(rule),
            PeerPattern::Name(rule) => policy.add_backend_name(rule),
        }
    }
    policy
}

/// Without credentials there must be bounds.
pub(super) fn anonymous(written: &Anonymous, rules: &mut Rules<'_>) {
    const BACKENDS: &str = "turn.anonymous.backends";
    let has_listeners = !(written.listen.is_empty() && written.listen_tcp.is_empty());
    match written.mode {
        AnonymousMode::Backends if has_listeners && written.backends.is_empty() => {
            rules.refuse(BACKENDS, Cause::EmptyList);
        }
        AnonymousMode::Claim if !written.backends.is_empty() => {
            rules.refuse(BACKENDS, Cause::BackendsOfClaims)
        }
        AnonymousMode::Backends | AnonymousMode::Claim => {}
    }
    for (index, backend) in written.backends.iter().enumerate() {
        if backend.is_everything() {
            rules.refuse(&format!("{BACKENDS}[{index}]"), Cause::AnyBackend(backend.to_string()));
        }
    }
    rules.in_range("turn.anonymous.claim_patience", &written.claim_patience, LEAST_PATIENCE..=MOST_PATIENCE);
    let bounds =
        [("allocations", written.allocations), ("allocations_per_source", written.allocations_per_source)];
    for (name, value) in bounds {
        rules.in_range(&format!("turn.anonymous.{name}"), &value, 1..=MOST_ANONYMOUS);
    }
}

/// Peers that the answer need not name, where it names any.
pub(super) fn peers(written: &Turn, rules: &mut Rules<'_>) {
    const BESIDES: &str = "turn.peers.besides_answer";
    let Peers { policy, besides_answer, .. } = &written.peers;
    let has_use = *policy == PeersPolicy::Answer || written.anonymous.mode == AnonymousMode::Claim;
    if !besides_answer.is_empty() && !has_use {
        rules.refuse(BESIDES, Cause::NothingNamed);
    }
    for (index, peer) in besides_answer.iter().enumerate() {
        if peer.is_everything() {
            rules.refuse(&format!("{BESIDES}[{index}]"), Cause::AnyBackend(peer.to_string()));
        }
    }
}

/// More than there are relay ports on any machine that one would give away.
const MOST_ANONYMOUS: usize = 1_000_000;

/// Less is over before an offer can have come.
const LEAST_PATIENCE: HumanDuration = HumanDuration(Duration::from_secs(1));

/// As long as an allocation lives without being refreshed.
const MOST_PATIENCE: HumanDuration = HumanDuration(Duration::from_secs(600));
