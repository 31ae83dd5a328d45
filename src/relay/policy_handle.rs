//! `PolicyHandle`: brings a new peer policy to every worker.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use super::command::Command;
use super::own_addresses::forbid_as_peer;
use crate::sys::Waker;
use crate::turn::ExternalAddresses;
use crate::turn::peer_policy::{OwnListener, PeerPolicy};

/// May outlive its relay, and then does nothing.
#[derive(Debug)]
pub struct PolicyHandle {
    pub(super) listeners: Vec<(SocketAddr, OwnListener)>,
    pub(super) external: ExternalAddresses,
    /// The policy that the workers have, own listeners included.
    pub(super) present: PeerPolicy,
    pub(super) mailboxes: Vec<(Sender<Command>, Waker)>,
}

impl PolicyHandle {
    /// Makes the workers judge peers by this policy, with the relay's own listeners ruled out; true if that is new.
    ///
    /// Fails where the addresses of this machine cannot be listed; the policy of before then stays.
    pub fn set(&mut self, mut policy: PeerPolicy) -> io::Result<bool> {
        for &(listener, takes) in &self.listeners {
            forbid_as_peer(&mut policy, &self.external, listener, takes)?;
        }
        if policy == self.present {
            return Ok(false);
        }
        for (commands, waker) in &self.mailboxes {
            // A worker that is gone needs no policy.
            let _ = commands.send(Command::SetPeerPolicy(Box::new(policy.clone())));
            waker.wake();
        }
        self.present = policy;
        Ok(true)
    }
}
