//! `Incoming`: reads datagrams by the batch.

use std::io;
use std::os::fd::AsFd;

use crate::sys::{Receiver, UdpSocket};

/// Buffers for a batch, each with room for a row of datagrams that the kernel puts together.
pub(super) struct Incoming {
    receiver: Receiver,
    bytes: Vec<u8>,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self { receiver: Receiver::new(BATCH), bytes: vec![0; BATCH * BUFFER_LEN] }
    }

    /// Reads what has come, a bounded amount, and tells of each datagram.
    pub(super) fn read(&mut self, socket: &UdpSocket, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let count = match self.receiver.receive(socket.as_fd(), self.bytes.chunks_exact_mut(BUFFER_LEN)) {
            Ok(count) => count,
            // What an earlier packet met on its way is no matter here.
            Err(error) if is_passing(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        for (index, buffer) in self.bytes.chunks_exact(BUFFER_LEN).take(count).enumerate() {
            if let Some(received) = self.receiver.received(index) {
                buffer[..received.len].chunks(received.segment_len.max(1)).for_each(&mut take);
            }
        }
        Ok(())
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused
    )
}

/// As many as the kernel takes out at once without much waiting for the others.
const BATCH: usize = 64;
const BUFFER_LEN: usize = 65_535;
