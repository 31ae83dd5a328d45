//! `PeerNames`: which addresses the host names of the peer policy have.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use tracing::{info, warn};

use crate::turn::peer_policy::PeerPolicy;

/// The answers of the name server so far.
#[derive(Debug, Default)]
pub(super) struct PeerNames(HashMap<String, Known>);

/// What is known of one name.
#[derive(Debug, Default)]
struct Known {
    /// Each address, and when it was last among the answers.
    seen: HashMap<IpAddr, Instant>,
    is_failing: bool,
}

impl PeerNames {
    /// The names of a policy, none of them looked up yet.
    pub(super) fn of(policy: &PeerPolicy) -> Self {
        Self(policy.names().map(|name| (name.to_owned(), Known::default())).collect())
    }

    /// The names, each once.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Takes an answer; a failure leaves what is known, and is logged when it begins and when it ends.
    pub(super) fn learn(&mut self, now: Instant, name: &str, answer: io::Result<HashSet<IpAddr>>) {
        let Some(known) = self.0.get_mut(name) else { return };
        match answer {
            Ok(addresses) => {
                if known.is_failing {
                    info!(name, "peer name resolves again");
                }
                known.is_failing = false;
                known.seen.extend(addresses.into_iter().map(|address| (address, now)));
                known.seen.retain(|_, seen| now.saturating_duration_since(*seen) < REMEMBERED_FOR);
            }
            Err(error) => {
                if !known.is_failing {
                    let kept = known.seen.len();
                    warn!(name, %error, kept, "peer name does not resolve; keeping the addresses that it had");
                }
                known.is_failing = true;
            }
        }
    }

    /// Tells a policy what is known.
    pub(super) fn tell(&self, policy: &mut PeerPolicy) {
        for (name, known) in &self.0 {
            let mut addresses: Vec<IpAddr> = known.seen.keys().copied().collect();
            // So that policies that mean the same are equal.
            addresses.sort_unstable();
            policy.set_addresses(name, &addresses);
        }
    }
}

/// Asks the system for the addresses of a name; blocks until it knows.
pub(super) fn look_up(name: &str) -> io::Result<HashSet<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

/// How long an address counts after it was last among the answers.
///
/// Name servers that spread load answer with a few of many addresses each time, and a backend that is being replaced
/// serves its sessions to their end. Ten minutes are what a channel lives.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::peer_policy::{ALL_PORTS, NamedRule};

    fn policy() -> PeerPolicy {
        let mut policy = PeerPolicy::default();
        policy.allow_name(NamedRule { name: "backend".into(), ports: ALL_PORTS, addresses: Vec::new() });
        policy
    }

    fn answer(addresses: &[&str]) -> io::Result<HashSet<IpAddr>> {
        Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())
    }

    fn may_reach(names: &PeerNames, peer: &str) -> bool {
        let mut policy = policy();
        names.tell(&mut policy);
        policy.may_permit(peer.parse().unwrap())
    }

    #[expect(clippy::disallowed_methods, reason = "an Instant can be had from the clock only")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn an_address_counts_for_ten_minutes_after_it_was_last_seen() {
        let (start, mut names) = (start(), PeerNames::of(&policy()));
        assert!(!may_reach(&names, "10.0.0.1"));
        names.learn(start, "backend", answer(&["10.0.0.1"]));
        names.learn(start + Duration::from_secs(599), "backend", answer(&["10.0.0.2"]));
        assert!(may_reach(&names, "10.0.0.1") && may_reach(&names, "10.0.0.2"));
        names.learn(start + Duration::from_secs(600), "backend", answer(&["10.0.0.2"]));
        assert!(!may_reach(&names, "10.0.0.1") && may_reach(&names, "10.0.0.2"));
    }

    #[test]
    fn a_name_that_fails_keeps_its_addresses() {
        let (start, mut names) = (start(), PeerNames::of(&policy()));
        names.learn(start, "backend", answer(&["10.0.0.1"]));
        names.learn(start + Duration::from_secs(6000), "backend", Err(io::ErrorKind::TimedOut.into()));
        assert!(may_reach(&names, "10.0.0.1"));
    }

    #[test]
    fn nobody_asked_for_other_names() {
        let mut names = PeerNames::of(&policy());
        names.learn(start(), "frontend", answer(&["10.0.0.1"]));
        assert_eq!(names.names().collect::<Vec<_>>(), ["backend"]);
        assert!(!may_reach(&names, "10.0.0.1"));
    }
}
