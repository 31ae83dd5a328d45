//! `Outbox`: what a worker is about to send, gathered so that one system call takes many datagrams or frames.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::os::fd::AsFd;

use super::connections::Connections;
use super::intake::Intake;
use super::ring::{Ring, SLOTS};
use crate::sys::{Datagram, SendFailure, Sender, UdpSocket};
use crate::telemetry::{Direction, DropReason};
use crate::wire::AddressFamily;

/// Datagrams and frames that wait to be sent; their bytes stay where they were read.
pub(super) struct Outbox {
    /// Each with its place in the order of arrival.
    entries: Vec<(usize, Outgoing)>,
    /// The bytes of our own answers.
    answers: Vec<u8>,
    sender: Sender,
    failures: Vec<(usize, SendFailure)>,
}

/// One datagram, or one frame of a stream.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) via: Via,
    /// The receiver of a datagram.
    pub(super) to: SocketAddr,
    /// The address to send from, on a listener that has several.
    pub(super) from: Option<IpAddr>,
    pub(super) bytes: Bytes,
    /// Whether the network may cut it into fragments.
    pub(super) may_fragment: bool,
    pub(super) cargo: Cargo,
}

/// The socket that something leaves by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Via {
    /// A listener, by its place in the settings.
    Listener(u32),
    /// The relay socket of this family of the allocation with this index.
    Relay(u32, AddressFamily),
    /// The connection with this index.
    Stream(u32),
}

/// Where bytes lie.
#[derive(Debug, Clone)]
pub(super) enum Bytes {
    Ring(Range<usize>),
    Intake(Range<usize>),
    Answers(Range<usize>),
}

/// What something sent counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    /// An answer of ours.
    Answer,
    /// Relayed data.
    Data {
        /// The index of the allocation, as long as it lives.
        flow: Option<u32>,
        direction: Direction,
        payload_bytes: u64,
    },
}

impl Bytes {
    pub(super) fn len(&self) -> usize {
        let (Self::Ring(range) | Self::Intake(range) | Self::Answers(range)) = self;
        range.len()
    }
}

impl Cargo {
    /// Whether it is worthless when it comes late.
    pub(super) fn is_media(self) -> bool {
        match self {
            Self::Answer => false,
            Self::Data { .. } => true,
        }
    }

    /// The same after its allocation ended.
    pub(super) fn disowned(self) -> Self {
        match self {
            Self::Answer => Self::Answer,
            Self::Data { direction, payload_bytes, .. } => {
                Self::Data { flow: None, direction, payload_bytes }
            }
        }
    }
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

    /// Whether more than usual waits, as when a stream brings very small frames.
    pub(super) fn is_crowded(&self) -> bool {
        self.entries.len() >= CROWD
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

    /// Sends everything, socket by socket, and tells what became of each piece, at once or when its client reads on.
    pub(super) fn flush<'s>(
        &mut self,
        ring: &Ring,
        intake: &Intake,
        connections: &mut Connections,
        socket: impl Fn(Via) -> Option<&'s UdpSocket>,
        mut done: impl FnMut(Cargo, Result<(), DropReason>),
    ) {
        let Self { entries, answers, sender, failures } = self;
        let bytes = |bytes: &Bytes| match bytes {
            Bytes::Ring(range) => ring.bytes(range.clone()),
            Bytes::Intake(range) => intake.bytes(range.clone()),
            Bytes::Answers(range) => &answers[range.clone()],
        };
        // What leaves by one socket keeps its order; a stable sort would allocate.
        entries.sort_unstable_by_key(|(place, outgoing)| (outgoing.via, *place));
        let is_alike = |a: &Outgoing, b: &Outgoing| a.via == b.via && a.may_fragment == b.may_fragment;
        for run in entries.chunk_by(|(_, a), (_, b)| is_alike(a, b)) {
            let Outgoing { via, may_fragment, .. } = run[0].1;
            if let Via::Stream(index) = via
                && let Some(connection) = connections.get_mut(index)
            {
                connection.send(run.iter().map(|(_, frame)| (bytes(&frame.bytes), frame.cargo)), &mut done);
                connections.touch(index);
                continue;
            }
            let Some(socket) = socket(via).filter(|socket| may_fragment || keep_whole(socket)) else {
                run.iter().for_each(|(_, outgoing)| done(outgoing.cargo, Err(DropReason::SendFailed)));
                continue;
            };
            let datagrams = run.iter().map(|(_, outgoing)| Datagram {
                to: outgoing.to,
                from: outgoing.from,
                bytes: bytes(&outgoing.bytes),
            });
            failures.clear();
            sender.send(socket.as_fd(), datagrams, |index, failure| failures.push((index, failure)));
            if !may_fragment {
                let _ = socket.set_may_fragment(true);
            }
            let mut failures = failures.iter().peekable();
            for (index, (_, outgoing)) in run.iter().enumerate() {
                let failure = failures.next_if(|(failed, _)| *failed == index);
                done(outgoing.cargo, failure.map_or(Ok(()), |(_, failure)| Err(reason(*failure))));
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

fn reason(failure: SendFailure) -> DropReason {
    match failure {
        SendFailure::BufferFull => DropReason::SendBufferFull,
        SendFailure::Refused | SendFailure::NotSegmented => DropReason::SendFailed,
    }
}

/// Sixteen full batches: the frames of one read, unless they are tiny.
const CROWD: usize = 16 * SLOTS;
