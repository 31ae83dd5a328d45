//! `Bursts`: datagrams that leave together, cut by the kernel where it can (`UDP_SEGMENT`).
//!
//! A video frame is a row of packets of one length to one receiver, of which the last is shorter. Handed to the kernel
//! as one message, they go through the network stack once. That is tried for every such row, also in the middle of
//! others; where the kernel refuses, the datagrams go one by one, and rows of that length are not tried again.

use std::os::fd::AsFd;

use tracing::info;

use super::outbox::{Buffers, Cargo, Outgoing};
use super::ring::SLOTS;
use crate::sys::{Burst, SendFailure, Sender, UdpSocket};
use crate::telemetry::DropReason;

/// Sends rows of datagrams.
pub(super) struct Bursts {
    sender: Sender,
    /// What became of the rows that did not leave, by their place.
    failures: Vec<(usize, SendFailure)>,
    /// Datagrams of this length and longer ones are not cut by the kernel.
    refused_len: usize,
}

/// A datagram with its place in the order of arrival.
type Entry = (usize, Outgoing);

impl Bursts {
    pub(super) fn new() -> Self {
        Self { sender: Sender::new(SLOTS), failures: Vec::with_capacity(SLOTS), refused_len: usize::MAX }
    }

    /// Whether the kernel has refused no row yet.
    pub(super) fn is_segmenting(&self) -> bool {
        self.refused_len == usize::MAX
    }

    /// Sends datagrams by one socket and tells what became of each.
    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        run: &[Entry],
        buffers: &Buffers<'_>,
        done: &mut impl FnMut(Cargo, Result<(), DropReason>),
    ) {
        let Self { sender, failures, refused_len } = self;
        failures.clear();
        let rows = Rows { rest: run, refused_len: *refused_len };
        let bursts = rows.clone().map(|row| burst(row, buffers));
        sender.send_bursts(socket.as_fd(), bursts, |index, failure| failures.push((index, failure)));
        let mut next_failure = 0;
        for (index, row) in rows.enumerate() {
            let failure = self.failures.get(next_failure).filter(|(failed, _)| *failed == index);
            let Some(&(_, failure)) = failure else {
                row.iter().for_each(|(_, outgoing)| done(outgoing.cargo, Ok(())));
                continue;
            };
            next_failure += 1;
            match failure {
                SendFailure::NotSegmented => self.send_one_by_one(socket, row, buffers, done),
                SendFailure::BufferFull => fail(row, DropReason::SendBufferFull, done),
                SendFailure::Refused => fail(row, DropReason::SendFailed, done),
            }
        }
    }

    /// Sends the datagrams of a row that the kernel did not cut.
    fn send_one_by_one(
        &mut self,
        socket: &UdpSocket,
        row: &[Entry],
        buffers: &Buffers<'_>,
        done: &mut impl FnMut(Cargo, Result<(), DropReason>),
    ) {
        let mut failures = [None; MAX_SEGMENTS];
        let bursts = row.iter().map(|entry| burst(std::slice::from_ref(entry), buffers));
        self.sender.send_bursts(socket.as_fd(), bursts, |index, failure| failures[index] = Some(failure));
        for ((_, outgoing), failure) in row.iter().zip(failures) {
            done(
                outgoing.cargo,
                match failure {
                    None => Ok(()),
                    Some(SendFailure::BufferFull) => Err(DropReason::SendBufferFull),
                    Some(SendFailure::Refused | SendFailure::NotSegmented) => Err(DropReason::SendFailed),
                },
            );
        }
        // The receiver was not what it disliked, so it is the length: longer than the path takes, or any at all.
        let len = row[0].1.bytes.len();
        if failures[0].is_none() && len < self.refused_len {
            info!(len, "the kernel does not cut bursts into datagrams of this length or more");
            self.refused_len = len;
        }
    }
}

fn fail(row: &[Entry], reason: DropReason, done: &mut impl FnMut(Cargo, Result<(), DropReason>)) {
    row.iter().for_each(|(_, outgoing)| done(outgoing.cargo, Err(reason)));
}

/// A row as one message.
fn burst<'b>(row: &'b [Entry], buffers: &'b Buffers<'b>) -> Burst<impl Iterator<Item = &'b [u8]>> {
    let first = &row[0].1;
    Burst {
        to: first.to,
        from: first.from,
        segment_len: (row.len() > 1).then_some(first.bytes.len() as u16),
        parts: row.iter().flat_map(|(_, outgoing)| buffers.parts(&outgoing.bytes)),
    }
}

/// Cuts datagrams that leave by one socket into rows: the same receiver and the same length, but that the last of a row
/// may be shorter.
#[derive(Clone)]
struct Rows<'e> {
    rest: &'e [Entry],
    refused_len: usize,
}

impl<'e> Iterator for Rows<'e> {
    type Item = &'e [Entry];

    fn next(&mut self) -> Option<&'e [Entry]> {
        let (_, first) = self.rest.first()?;
        let len = first.bytes.len();
        let mut count = 1;
        if (1..self.refused_len).contains(&len) {
            let most = MAX_SEGMENTS.min(MAX_BURST_LEN / len);
            for (_, next) in self.rest.iter().take(most).skip(1) {
                let next_len = next.bytes.len();
                if (next.to, next.from) != (first.to, first.from) || !(1..=len).contains(&next_len) {
                    break;
                }
                count += 1;
                if next_len < len {
                    break;
                }
            }
        }
        let (row, rest) = self.rest.split_at(count);
        self.rest = rest;
        Some(row)
    }
}

/// What every kernel that cuts bursts takes; newer ones take twice as many.
const MAX_SEGMENTS: usize = 64;
/// The longest payload of UDP over IPv4, which a burst may not exceed either.
const MAX_BURST_LEN: usize = 65_507;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::relay::outbox::{Bytes, Via};

    /// Datagrams to these ports, of these lengths.
    fn entries(datagrams: &[(u16, usize)]) -> Vec<Entry> {
        let outgoing = |&(port, len): &(u16, usize)| Outgoing {
            via: Via::Listener(0),
            to: SocketAddr::from(([192, 0, 2, 1], port)),
            from: None,
            bytes: Bytes::Ring(0..len),
            may_fragment: true,
            cargo: Cargo::Answer,
        };
        datagrams.iter().map(outgoing).enumerate().collect()
    }

    fn row_lens(datagrams: &[(u16, usize)], refused_len: usize) -> Vec<usize> {
        Rows { rest: &entries(datagrams), refused_len }.map(<[Entry]>::len).collect()
    }

    #[test]
    fn a_row_ends_with_a_shorter_datagram_or_before_a_longer_one() {
        let one = 1;
        let frame = [(one, 1200), (one, 1200), (one, 700), (one, 1200), (one, 100), (one, 1200)];
        assert_eq!(row_lens(&frame, usize::MAX), [3, 2, 1]);
        assert_eq!(row_lens(&[(one, 100), (one, 200), (one, 200)], usize::MAX), [1, 2]);
    }

    #[test]
    fn a_row_has_one_receiver() {
        assert_eq!(row_lens(&[(1, 100), (2, 100), (2, 100), (1, 100)], usize::MAX), [1, 2, 1]);
    }

    #[test]
    fn empty_datagrams_go_by_themselves() {
        assert_eq!(row_lens(&[(1, 0), (1, 0), (1, 5), (1, 0)], usize::MAX), [1, 1, 1, 1]);
    }

    #[test]
    fn a_row_is_no_longer_than_the_kernel_takes() {
        assert_eq!(row_lens(&[(1, 100); 130], usize::MAX), [64, 64, 2]);
        assert_eq!(row_lens(&[(1, 30_000); 5], usize::MAX), [2, 2, 1]);
    }

    #[test]
    fn a_length_that_was_refused_is_not_tried_again() {
        assert_eq!(row_lens(&[(1, 1400), (1, 1400), (1, 1300), (1, 1300)], 1400), [1, 1, 2]);
    }
}
