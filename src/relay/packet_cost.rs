//! Measures what a worker itself does for a packet of ChannelData, without the kernel: with a few allocations, and with
//! 100,000.
//!
//! ```text
//! cargo test --release --lib packet_cost -- --ignored --nocapture
//! ```
//!
//! A test and not one of `benches/`, as those see no more of this room than the rest of the program does.

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::fast_path::Count;
use super::listeners::Listeners;
use super::outbox::Via;
use super::report;
use super::ring::{Piece, Ring, SLOTS};
use super::settings::Settings;
use super::shared::Shared;
use super::worker::Worker;
use crate::telemetry::{RelayStats, RelayedFamily};
use crate::turn::{self, AllocationId, FiveTuple, Transport};
use crate::wire::{ChannelData, ChannelNumber};

#[test]
#[ignore = "it measures time, which takes a release build and a quiet machine"]
#[expect(clippy::print_stdout, reason = "a measurement reports to its user")]
fn packet_cost() {
    for allocations in [100, 100_000] {
        let mut bench = Bench::new(allocations);
        println!("{allocations} allocations, nanoseconds for each packet of 160 bytes:");
        println!("  look-up of a client's channel {:4.0}", bench.find_channels());
        println!("  look-up of a peer             {:4.0}", bench.find_peers());
        println!("  from a client to its peer     {:4.0}", bench.relay_to_peers());
        println!("  from a peer to its client     {:4.0}", bench.relay_to_clients());
        bench.check(1);
        bench.watch();
        println!("  the same for sessions, whose media is looked at:");
        println!("  from a client to its peer     {:4.0}", bench.relay_to_peers());
        println!("  from a peer to its client     {:4.0}", bench.relay_to_clients());
        bench.check(2);
    }
}

/// A worker without sockets, whose allocations have a channel each.
struct Bench {
    worker: Worker,
    allocations: u32,
    pieces: Vec<Piece>,
}

impl Bench {
    fn new(allocations: u32) -> Self {
        let (settings, turn) = (Settings::default(), turn::Settings::default());
        let shared = Shared::new(&settings, &turn, 1, None, None, None, None).unwrap();
        let stats = Arc::new(RelayStats::default());
        let (mut worker, _) = Worker::new(0, &settings, &turn, Listeners::default(), &shared, stats).unwrap();
        for index in 0..allocations {
            let allocation = AllocationId { index, generation: 0 };
            worker.fast_path.begin(
                allocation,
                client(index),
                RelayedFamily::Ipv4,
                Via::Nowhere,
                worker.now.instant,
            );
            worker.fast_path.open_route(allocation, channel(), peer(index));
        }
        Self { worker, allocations, pieces: Vec::new() }
    }

    fn find_channels(&self) -> f64 {
        let datagram = datagram(0);
        let clients: Vec<FiveTuple> = self.shuffled().map(client).collect();
        each(|| {
            for client in &clients {
                black_box(self.worker.fast_path.to_peer(client, &datagram)).unwrap();
            }
        })
    }

    fn find_peers(&self) -> f64 {
        let peers: Vec<(u32, SocketAddr)> = self.shuffled().map(|index| (index, peer(index))).collect();
        each(|| {
            for &(index, peer) in &peers {
                black_box(self.worker.fast_path.to_client(index, peer)).unwrap();
            }
        })
    }

    fn relay_to_peers(&mut self) -> f64 {
        self.read_into_ring(datagram);
        let clients: Vec<FiveTuple> = self.shuffled().map(client).collect();
        each(|| {
            for batch in clients.chunks(SLOTS) {
                for (client, &piece) in batch.iter().zip(&self.pieces) {
                    self.worker.take_from_client(0, *client, piece);
                }
                settle(&mut self.worker);
            }
        })
    }

    fn relay_to_clients(&mut self) -> f64 {
        self.read_into_ring(rtp);
        let peers: Vec<(u32, SocketAddr)> = self.shuffled().map(|index| (index, peer(index))).collect();
        each(|| {
            for batch in peers.chunks(SLOTS) {
                for (&(index, peer), &piece) in batch.iter().zip(&self.pieces) {
                    self.worker.take_from_peer(index, peer, piece);
                }
                settle(&mut self.worker);
            }
        })
    }

    /// Fills the slots with datagrams of one length, by their number.
    fn read_into_ring(&mut self, datagram: impl Fn(u16) -> Vec<u8>) {
        let Worker { ring, .. } = &mut self.worker;
        ring.clear();
        for (slot, number) in ring.free_slots(SLOTS).zip(0..) {
            let datagram = datagram(number);
            slot[..datagram.len()].copy_from_slice(&datagram);
        }
        let len = datagram(0).len();
        self.pieces = ring.take(SLOTS).flat_map(|slot| Ring::pieces(slot, len, len)).collect();
    }

    /// Makes the allocations those of sessions.
    fn watch(&mut self) {
        for index in 0..self.allocations {
            let flow = self.worker.fast_path.flow_mut(index).unwrap();
            flow.watch = Some(Box::default());
        }
    }

    /// Allocations in no order, so that with many of them the next one is not in the processor's caches.
    fn shuffled(&self) -> impl Iterator<Item = u32> {
        let allocations = self.allocations;
        (0..PACKETS).map(move |number| number.wrapping_mul(2_654_435_761) % allocations)
    }

    /// Makes sure that every packet was relayed both ways, so many times.
    fn check(&self, times: u32) {
        let traffic = (0..self.allocations).filter_map(|index| self.worker.fast_path.flow(index));
        let (to_peer, to_client): (Vec<Count>, Vec<Count>) =
            traffic.map(|flow| (flow.traffic.to_peer, flow.traffic.to_client)).unzip();
        for counts in [to_peer, to_client] {
            assert_eq!(counts.iter().map(|count| count.packets).sum::<u64>(), u64::from(times * PACKETS));
            assert!(counts.iter().all(|count| count.bytes == count.packets * PAYLOAD_LEN as u64));
        }
    }
}

/// Does what a flush does but for the system calls: all that was gathered counts as sent.
fn settle(worker: &mut Worker) {
    let Worker { outbox, ring, streams, fast_path, stats, .. } = worker;
    outbox.flush(
        ring,
        &streams.intake,
        &mut streams.connections,
        |_| None,
        |cargo, _| report::departed(stats, fast_path, cargo, Ok(())),
    );
}

/// Nanoseconds for each packet.
fn each(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_nanos() as f64 / f64::from(PACKETS)
}

fn client(index: u32) -> FiveTuple {
    FiveTuple {
        transport: Transport::Udp,
        client: SocketAddr::from((Ipv4Addr::from(0x0808_0000 + index), 4000)),
        server: SocketAddr::from(([192, 0, 2, 1], 3478)),
    }
}

fn peer(index: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from(0x0909_0000 + index), 5000))
}

fn channel() -> ChannelNumber {
    ChannelNumber::new(0x4000).unwrap()
}

fn datagram(number: u16) -> Vec<u8> {
    let header = ChannelData::header(channel(), PAYLOAD_LEN as u16);
    [&header[..], &rtp(number)].concat()
}

/// A packet of a stream; as allocations come in no order, each of them sees more disorder than networks make.
fn rtp(number: u16) -> Vec<u8> {
    let mut packet = vec![0; PAYLOAD_LEN];
    packet[0] = 0x80;
    packet[2..4].copy_from_slice(&number.to_be_bytes());
    packet[4..8].copy_from_slice(&(u32::from(number / 8) * 3000).to_be_bytes());
    packet
}

const PACKETS: u32 = 1_000_000;
/// As much as 20 ms of sound.
const PAYLOAD_LEN: usize = 160;
