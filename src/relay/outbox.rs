//! `Outbox`: what a worker is about to send, gathered so that one system call takes many datagrams.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::AsFd;

use super::ring::{Ring, SLOTS};
use crate::sys::{Datagram, SendFailure, Sender, UdpSocket};
use crate::telemetry::Direction;
use crate::wire::AddressFamily;

/// Datagrams that wait to be sent; their bytes stay where they were read.
pub(super) struct Outbox {
    /// Each with its place in the order of arrival.
    entries: Vec<(usize, Outgoing)>,
    /// The bytes of our own answers.
    answers: Vec<u8>,
    sender: Sender,
    failures: Vec<(usize, SendFailure)>,
}

/// One datagram.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) via: Via,
    pub(super) to: SocketAddr,
    /// The address to send from, on a listener that has several.
    pub(super) from: Option<IpAddr>,
    pub(super) bytes: Bytes,
    /// Whether the network may cut it into fragments.
    pub(super) may_fragment: bool,
    pub(super) cargo: Cargo,
}

/// The socket that a datagram leaves by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Via {
    /// A listener, by its place in the settings.
    Listener(u32),
    /// The relay socket of this family of the allocation with this index.
    Relay(u32, AddressFamily),
}

/// Where the bytes of a datagram lie.
#[derive(Debug, Clone)]
pub(super) enum Bytes {
    Ring(Range<usize>),
    Answers(Range<usize>),
}

/// What a datagram counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    /// An answer of ours.
    Answer,
    /// Relayed data.
    Data {
        /// The index of the allocation.
        flow: u32,
        direction: Direction,
        payload_bytes: u64,
    },
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::with_capacity(2 * SLOTS),
            answers: Vec::with_capacity(16 << 10),
            sender: Sender::new(SLOTS),
            failures: Vec::with_capacity(SLOTS),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn push(&mut self, outgoing: Outgoing) {
        self.entries.push((self.entries.len(), outgoing));
    }

    /// Keeps the bytes of an answer until it is sent.
    pub(super) fn keep(&mut self, answer: &[u8]) -> Bytes {
        let start = self.answers.len();
        self.answers.extend_from_slice(answer);
        Bytes::Answers(start..self.answers.len())
    }

    /// Sends everything, socket by socket, and tells of each datagram what became of it.
    pub(super) fn flush<'s>(
        &mut self,
        ring: &Ring,
        socket: impl Fn(Via) -> Option<&'s UdpSocket>,
        mut done: impl FnMut(Cargo, Result<(), SendFailure>),
    ) {
        // Datagrams of one socket keep their order; a stable sort would allocate.
        self.entries.sort_unstable_by_key(|(place, outgoing)| (outgoing.via, *place));
        let is_alike = |a: &Outgoing, b: &Outgoing| a.via == b.via && a.may_fragment == b.may_fragment;
        for run in self.entries.chunk_by(|(_, a), (_, b)| is_alike(a, b)) {
            let Outgoing { via, may_fragment, .. } = run[0].1;
            let Some(socket) = socket(via).filter(|socket| may_fragment || keep_whole(socket)) else {
                run.iter().for_each(|(_, outgoing)| done(outgoing.cargo, Err(SendFailure::Refused)));
                continue;
            };
            let answers = &self.answers;
            let datagrams = run.iter().map(|(_, outgoing)| Datagram {
                to: outgoing.to,
                from: outgoing.from,
                bytes: match &outgoing.bytes {
                    Bytes::Ring(range) => ring.bytes(range.clone()),
                    Bytes::Answers(range) => &answers[range.clone()],
                },
            });
            self.failures.clear();
            self.sender
                .send(socket.as_fd(), datagrams, |index, failure| self.failures.push((index, failure)));
            if !may_fragment {
                let _ = socket.set_may_fragment(true);
            }
            let mut failures = self.failures.iter().peekable();
            for (index, (_, outgoing)) in run.iter().enumerate() {
                match failures.next_if(|(failed, _)| *failed == index) {
                    Some(&(_, failure)) => done(outgoing.cargo, Err(failure)),
                    None => done(outgoing.cargo, Ok(())),
                }
            }
        }
        self.entries.clear();
        self.answers.clear();
    }
}

/// Forbids fragments on a socket; what cannot be sent whole must not be sent at all (RFC 8656 §14).
fn keep_whole(socket: &UdpSocket) -> bool {
    socket.set_may_fragment(false).is_ok()
}
