//! `PolicyKeeper`: the peer policy as it is now, with the addresses that names and this machine have at present.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::peer_names::{PeerNames, look_up};
use crate::config::Settings;
use crate::relay;
use crate::turn::peer_policy::{OwnListener, PeerPolicy};
use crate::turn::{self, ExternalAddresses};

/// Makes the policy anew whenever it is asked.
#[derive(Debug)]
pub(super) struct PolicyKeeper {
    /// What the operator wrote.
    written: PeerPolicy,
    external: ExternalAddresses,
    /// Listeners of this process besides those of the relay.
    listeners: Vec<SocketAddr>,
    names: PeerNames,
}

/// The policy that a server with these settings would judge by now; looks names up, and blocks meanwhile.
pub fn peer_policy(settings: &Settings) -> anyhow::Result<PeerPolicy> {
    let relay::Settings { listen, listen_tcp, anonymous, .. } = &settings.relay;
    let taken = listen.iter().chain(listen_tcp).chain(&anonymous.listen).chain(&anonymous.listen_tcp);
    let taken = taken.chain(&settings.gateway.listen).chain([&settings.admin.listen]);
    // Port 0 is some free one, which nobody knows before the server starts.
    let listeners = taken.copied().filter(|listener| listener.port() != 0).collect();
    let mut keeper = PolicyKeeper::new(&settings.turn, listeners);
    let names: Vec<String> = keeper.names.names().map(str::to_owned).collect();
    for name in names {
        keeper.names.learn(present(), &name, look_up(&name));
    }
    keeper.policy().context("cannot list the addresses of this machine")
}

impl PolicyKeeper {
    pub(super) fn new(turn: &turn::Settings, listeners: Vec<SocketAddr>) -> Self {
        Self {
            written: turn.peer_policy.clone(),
            external: turn.external_addresses.clone(),
            listeners,
            names: PeerNames::of(&turn.peer_policy),
        }
    }

    /// Looks every name up, all at once; those that take too long fail.
    pub(super) async fn look_up(&mut self) {
        let mut pending: JoinSet<(String, io::Result<HashSet<IpAddr>>)> = JoinSet::new();
        for name in self.names.names().map(str::to_owned) {
            pending.spawn(async move {
                let asked = name.clone();
                let answer = tokio::task::spawn_blocking(move || look_up(&asked));
                let answer = match tokio::time::timeout(LOOK_UP_DEADLINE, answer).await {
                    Ok(Ok(answer)) => answer,
                    Ok(Err(panic)) => Err(io::Error::other(panic)),
                    Err(_) => Err(io::ErrorKind::TimedOut.into()),
                };
                (name, answer)
            });
        }
        while let Some(looked_up) = pending.join_next().await {
            let Ok((name, answer)) = looked_up else { continue };
            self.names.learn(present(), &name, answer);
        }
    }

    /// The policy by what is known.
    pub(super) fn policy(&self) -> io::Result<PeerPolicy> {
        let mut policy = self.written.clone();
        self.names.tell(&mut policy);
        for &listener in &self.listeners {
            relay::forbid_as_peer(&mut policy, &self.external, listener, OwnListener::Streams)?;
        }
        Ok(policy)
    }

    /// Keeps the relay's policy up to date for ever.
    pub(super) async fn keep(mut self, mut relay: relay::PolicyHandle) {
        let mut ticks = tokio::time::interval(LOOK_UP_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick comes at once, and the caller has just looked.
        ticks.tick().await;
        loop {
            ticks.tick().await;
            self.look_up().await;
            match self.policy().and_then(|policy| relay.set(policy)) {
                Ok(true) => info!("peer policy has new addresses"),
                Ok(false) => {}
                Err(error) => warn!(%error, "cannot list the addresses of this machine; peer policy stays"),
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "app has a clock")]
fn present() -> Instant {
    Instant::now()
}

/// Often enough that a backend that moved is reached soon, and as often as most name servers let answers live.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(30);
/// The start waits for the names no longer than this, so that no name server keeps the relay from serving.
const LOOK_UP_DEADLINE: Duration = Duration::from_secs(3);
