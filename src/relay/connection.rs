//! `Connection`: one client's stream, in the clear or through TLS, and what waits to be sent on it.

use std::io::{self, IoSlice, Write};
use std::net::TcpStream;
use std::time::Instant;

use super::budget::Slot;
use super::outbox::Cargo;
use super::write_queue::WriteQueue;
use crate::sys::Interest;
use crate::telemetry::{CloseReason, DropReason, StreamKind};
use crate::tls::TlsSession;
use crate::turn::{FiveTuple, Transport};

/// A client's stream.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) socket: TcpStream,
    pub(super) path: FiveTuple,
    pub(super) stage: Stage,
    /// Whether a proxy may still say whom it brings.
    pub(super) may_bring_client: bool,
    /// Whether the client may still turn out to speak HTTP.
    pub(super) may_speak_http: bool,
    /// The beginning of a frame whose rest has not come; empty, and without room, while there is none.
    pub(super) partial: Vec<u8>,
    pub(super) queue: WriteQueue,
    /// The index of its allocation.
    pub(super) flow: Option<u32>,
    /// The peer's stream whose bytes it carries, and nothing else.
    pub(super) pipe: Option<Pipe>,
    /// When it is closed if it has no allocation then.
    pub(super) idle_until: Instant,
    /// What it is watched for; `None` while it is not watched.
    pub(super) watched: Option<Interest>,
    /// Why it must be closed as soon as nobody is busy with it.
    pub(super) doom: Option<CloseReason>,
    /// Whether it waits to be settled.
    pub(super) is_touched: bool,
    pub(super) _slot: Slot,
}

/// How far client and server have come.
#[derive(Debug)]
pub(super) enum Stage {
    /// Nothing has told yet what the client speaks.
    Fresh,
    /// STUN and ChannelData in the clear.
    Plain,
    /// TLS is being agreed upon, and it is the client's turn.
    Handshake(Box<TlsSession>),
    /// TLS is being agreed upon, and a handshake thread works on it.
    AwayForHandshake,
    /// STUN and ChannelData through TLS.
    Secure(Box<TlsSession>),
}

/// What a connection that carries a peer's bytes knows of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pipe {
    /// The index of the peer's stream.
    pub(super) peer: u32,
    /// Whether the peer takes more.
    pub(super) may_read: bool,
    /// Whether the client was told that nothing more comes.
    pub(super) is_shut: bool,
}

impl Connection {
    pub(super) fn kind(&self) -> StreamKind {
        match self.path.transport {
            Transport::Tls => StreamKind::Tls,
            Transport::Tcp | Transport::Udp => StreamKind::Tcp,
        }
    }

    pub(super) fn is_in_handshake(&self) -> bool {
        matches!(self.stage, Stage::Handshake(_) | Stage::AwayForHandshake)
    }

    /// What the kernel should report: always what the client sends, unless it must read our answers first, and room
    /// to write only while something waits for it.
    pub(super) fn interest(&self) -> Option<Interest> {
        if let Some(pipe) = self.pipe {
            let interest = Interest { read: pipe.may_read, write: self.has_unsent() };
            return (interest.read || interest.write).then_some(interest);
        }
        let (Stage::Handshake(tls) | Stage::Secure(tls)) = &self.stage else {
            let is_away = matches!(self.stage, Stage::AwayForHandshake);
            let write = !self.queue.is_empty();
            return (!is_away).then_some(Interest { read: !self.queue.is_full_of_answers(), write });
        };
        let write = !self.queue.is_empty() || tls.has_pending();
        Some(Interest { read: !self.queue.is_full_of_answers(), write })
    }

    /// Whether something waits until the client reads.
    pub(super) fn has_unsent(&self) -> bool {
        let has_records = match &self.stage {
            Stage::Handshake(tls) | Stage::Secure(tls) => tls.has_pending(),
            Stage::Fresh | Stage::Plain | Stage::AwayForHandshake => false,
        };
        has_records || !self.queue.is_empty()
    }

    /// Sends frames, or keeps what the client does not take yet; tells what became of those that are through.
    pub(super) fn send<'f>(
        &mut self,
        frames: impl Iterator<Item = (&'f [u8], Cargo)>,
        mut done: impl FnMut(Cargo, Result<(), DropReason>),
    ) {
        let mut frames = frames.peekable();
        // What comes later must not overtake what waits.
        while self.queue.is_empty() && frames.peek().is_some() {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let mut batch = [(&[][..], Cargo::Answer); FRAMES_PER_WRITE];
            let mut count = 0;
            for (place, frame) in (&mut frames).take(FRAMES_PER_WRITE).enumerate() {
                slices[place] = IoSlice::new(frame.0);
                batch[place] = frame;
                count = place + 1;
            }
            let mut sent = self.transmit_or_doom(&slices[..count]);
            for &(bytes, cargo) in &batch[..count] {
                if sent >= bytes.len() && self.queue.is_empty() {
                    sent -= bytes.len();
                    done(cargo, Ok(()));
                    continue;
                }
                self.queue.push(bytes, sent, cargo, |cargo| done(cargo, SLOW));
                sent = 0;
            }
        }
        for (bytes, cargo) in frames {
            self.queue.push(bytes, 0, cargo, |cargo| done(cargo, SLOW));
        }
    }

    /// Sends what waits, as far as the client takes it.
    pub(super) fn send_waiting(&mut self, mut done: impl FnMut(Cargo, Result<(), DropReason>)) {
        // TLS may have records of its own to send, also when nothing else waits.
        self.transmit_or_doom(&[]);
        while !self.queue.is_empty() && self.doom.is_none() {
            let queue = std::mem::take(&mut self.queue);
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let count = queue.gather(&mut slices);
            let offered: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            let sent = self.transmit_or_doom(&slices[..count]);
            self.queue = queue;
            self.queue.advance(sent, |cargo| done(cargo, Ok(())));
            if sent < offered {
                return;
            }
        }
    }

    /// Tells the client that nothing more comes, if it takes the word now.
    pub(super) fn say_goodbye(&mut self) {
        if let Stage::Handshake(tls) | Stage::Secure(tls) = &mut self.stage {
            tls.say_goodbye();
            // Whoever does not read does not hear it.
            let _ = tls.flush(&self.socket);
        }
    }

    fn transmit_or_doom(&mut self, slices: &[IoSlice<'_>]) -> usize {
        if self.doom.is_some() {
            return 0;
        }
        self.transmit(slices).unwrap_or_else(|_| {
            self.doom = Some(CloseReason::Client);
            0
        })
    }

    /// Sends bytes without waiting; returns how many are on their way.
    fn transmit(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.stage {
            Stage::Fresh | Stage::Plain if slices.is_empty() => Ok(0),
            Stage::Fresh | Stage::Plain => unless_blocked((&self.socket).write_vectored(slices)),
            Stage::Handshake(tls) => tls.flush(&self.socket).map(|()| 0),
            Stage::AwayForHandshake => Ok(0),
            Stage::Secure(tls) => {
                tls.flush(&self.socket)?;
                // What TLS has taken can no longer be dropped, so it gets nothing while something of it waits.
                if tls.has_pending() || slices.is_empty() {
                    return Ok(0);
                }
                let taken = tls.protect(slices).map_err(io::Error::other)?;
                tls.flush(&self.socket)?;
                Ok(taken)
            }
        }
    }
}

/// A socket without room takes nothing; that is no failure.
fn unless_blocked(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        result => result,
    }
}

/// What becomes of media that a client does not read in time.
const SLOW: Result<(), DropReason> = Err(DropReason::SlowClient);
/// How many frames one system call takes: a burst of video, without a large array on the stack.
const FRAMES_PER_WRITE: usize = 64;
