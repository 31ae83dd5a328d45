//! `Outbox`: what a worker is about to send, gathered so that one system call takes many datagrams or frames.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::bursts::Bursts;
use super::connections::Connections;
use super::intake::Intake;
use super::ring::{Ring, SLOTS};
use crate::sys::UdpSocket;
use crate::telemetry::{Direction, DropReason};
use crate::turn::Transport;
use crate::wire::{AddressFamily, ChannelData};

/// Datagrams and frames that wait to be sent; their bytes stay where they were read.
pub(super) struct Outbox {
    /// Each with its place in the order of arrival.
    entries: Vec<(usize, Outgoing)>,
    /// The bytes of our own answers.
    answers: Vec<u8>,
    bursts: Bursts,
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
    /// None: the client's connection has closed, and it has not come back on another path yet.
    Nowhere,
}

/// Where bytes lie.
#[derive(Debug, Clone)]
pub(super) enum Bytes {
    Ring(Range<usize>),
    /// The header of ChannelData, and its payload in the ring, in front of which there is no room.
    Headed([u8; ChannelData::HEADER_LEN], Range<usize>),
    Intake(Range<usize>),
    Answers(Range<usize>),
}

/// The buffers that bytes lie in.
pub(super) struct Buffers<'b> {
    ring: &'b Ring,
    intake: &'b Intake,
    answers: &'b [u8],
}

/// What something sent counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    /// An answer of ours, or a piece of a stream that carries a TCP peer's bytes: neither may be missing.
    Answer,
    /// Relayed data.
    Data {
        /// The index of the allocation, as long as it lives.
        flow: Option<u32>,
        /// What carries TURN to its client.
        transport: Transport,
        direction: Direction,
        payload_bytes: u64,
    },
}

impl Bytes {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Headed(head, range) => head.len() + range.len(),
            Self::Ring(range) | Self::Intake(range) | Self::Answers(range) => range.len(),
        }
    }
}

impl Buffers<'_> {
    /// The bytes of a datagram, in one part or two.
    pub(super) fn parts<'a>(&'a self, bytes: &'a Bytes) -> impl Iterator<Item = &'a [u8]> {
        let (head, rest) = match bytes {
            Bytes::Ring(range) => (None, self.ring.bytes(range.clone())),
            Bytes::Headed(head, range) => (Some(&head[..]), self.ring.bytes(range.clone())),
            Bytes::Intake(range) => (None, self.intake.bytes(range.clone())),
            Bytes::Answers(range) => (None, &self.answers[range.clone()]),
        };
        head.into_iter().chain([rest])
    }

    /// The bytes of a frame, which never has a head apart.
    fn frame<'a>(&'a self, bytes: &'a Bytes) -> &'a [u8] {
        debug_assert!(!matches!(bytes, Bytes::Headed(..)), "streams get frames that are whole and padded");
        self.parts(bytes).last().unwrap_or_default()
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
            Self::Data { transport, direction, payload_bytes, .. } => {
                Self::Data { flow: None, transport, direction, payload_bytes }
            }
        }
    }
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::with_capacity(2 * SLOTS),
            answers: Vec::with_capacity(16 << 10),
            bursts: Bursts::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the kernel has cut every row into datagrams that it was given.
    pub(super) fn is_segmenting(&self) -> bool {
        self.bursts.is_segmenting()
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

    /// Keeps a datagram that has no room around it, with its header and padding, until it is sent.
    pub(super) fn keep_wrapped(&mut self, header: &[u8], payload: &[u8]) -> Bytes {
        let start = self.answers.len();
        self.answers.extend_from_slice(header);
        self.answers.extend_from_slice(payload);
        let padding = payload.len().next_multiple_of(4) - payload.len();
        self.answers.resize(self.answers.len() + padding, 0);
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
        let Self { entries, answers, bursts, .. } = self;
        let buffers = Buffers { ring, intake, answers };
        // What leaves by one socket keeps its order; a stable sort would allocate.
        entries.sort_unstable_by_key(|(place, outgoing)| (outgoing.via, *place));
        let is_alike = |a: &Outgoing, b: &Outgoing| a.via == b.via && a.may_fragment == b.may_fragment;
        for run in entries.chunk_by(|(_, a), (_, b)| is_alike(a, b)) {
            let Outgoing { via, may_fragment, .. } = run[0].1;
            if let Via::Stream(index) = via
                && let Some(connection) = connections.get_mut(index)
            {
                let frames = run.iter().map(|(_, frame)| (buffers.frame(&frame.bytes), frame.cargo));
                connection.send(frames, &mut done);
                connections.touch(index);
                continue;
            }
            let Some(socket) = socket(via).filter(|socket| may_fragment || keep_whole(socket)) else {
                run.iter().for_each(|(_, outgoing)| done(outgoing.cargo, Err(DropReason::SendFailed)));
                continue;
            };
            bursts.send(socket, run, &buffers, &mut done);
            if !may_fragment {
                let _ = socket.set_may_fragment(true);
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

/// Sixteen full batches: the frames of one read, unless they are tiny.
const CROWD: usize = 16 * SLOTS;
