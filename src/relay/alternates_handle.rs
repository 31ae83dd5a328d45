//! `AlternatesHandle`: tells every worker which other servers serve.

use std::net::SocketAddr;

use super::command::Command;
use super::handshakes::Mailbox;

/// May outlive its relay, and then does nothing.
#[derive(Debug)]
pub struct AlternatesHandle {
    pub(super) mailboxes: Vec<Mailbox>,
}

impl AlternatesHandle {
    /// Sends clients to these servers from now on.
    pub fn set(&self, healthy: &[SocketAddr]) {
        self.tell(|| Command::SetAlternates(healthy.to_vec()));
    }

    pub(super) fn tell(&self, command: impl Fn() -> Command) {
        for mailbox in &self.mailboxes {
            // A worker that is gone sends nobody anywhere.
            let _ = mailbox.commands.send(command());
            mailbox.waker.wake();
        }
    }
}
