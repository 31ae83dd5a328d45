//! Sends packets through the server at a given rate, and counts what arrives.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::{Duration, Instant};

use super::control::Control;
use super::error::BenchError;
use super::flow::{Flow, Frame, Outlet, Packet, payload_of};
use super::incoming::Incoming;
use super::link::{Link, datagram_socket};
use super::load::{Direction, Load, Transport};
use super::pace::Pace;
use super::process::Usage;
use super::report::{Report, ServerReport};
use super::stamp::Stamp;
use super::stream::Tls;
use super::tally::Tally;
use crate::sys::{self, Readiness, Ready, Sender, UdpSocket};

/// Relays a load and reports.
pub fn relay(load: &Load) -> Result<Report, BenchError> {
    let mut bench = Bench::set_up(load)?;
    let report = bench.run(load.packets_per_second)?;
    bench.end();
    Ok(report)
}

/// Every allocation that a load needs, ready to relay.
pub(super) struct Bench {
    load: Load,
    shards: Vec<Shard>,
    runs: u32,
}

/// The flows of one thread, and what it needs to send and receive.
struct Shard {
    flows: Vec<Flow>,
    peers: Vec<UdpSocket>,
    readiness: Readiness,
    incoming: Incoming,
    outlet: Outlet,
    bare: Packet,
}

/// What is to be done in one run.
#[derive(Debug, Clone)]
struct Plan {
    run: u32,
    begins: Instant,
    packets_per_second: f64,
    /// The part that counts, from the beginning on.
    measured: Range<Duration>,
}

impl Bench {
    pub(super) fn set_up(load: &Load) -> Result<Self, BenchError> {
        load.check()?;
        sys::raise_open_files_limit().map_err(BenchError::OpenFiles)?;
        let tls = match load.access.transport {
            Transport::Tls => Some(Tls::new(load.access.server, &load.access.trust)?),
            Transport::Udp | Transport::Tcp => None,
        };
        let shards = (0..load.threads).map(|index| Shard::set_up(load, tls.as_ref(), index));
        Ok(Self { load: load.clone(), shards: shards.collect::<Result<_, _>>()?, runs: 0 })
    }

    /// Relays at this rate and reports.
    pub(super) fn run(&mut self, packets_per_second: f64) -> Result<Report, BenchError> {
        self.runs += 1;
        let Load { warm_up, duration, .. } = self.load;
        let plan = Plan {
            run: self.runs,
            begins: Instant::now() + HEAD_START,
            packets_per_second: packets_per_second / self.load.threads as f64,
            measured: warm_up..warm_up + duration,
        };
        let dropped_before = self.dropped_here();
        let load = &self.load;
        let (results, server, generator) = std::thread::scope(|scope| {
            let threads: Vec<_> =
                self.shards.iter_mut().map(|shard| scope.spawn(|| shard.run(load, &plan))).collect();
            let usages = watch(load.pid, &plan);
            let results: Vec<io::Result<(Tally, u64)>> = threads
                .into_iter()
                .map(|thread| {
                    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the load failed")))
                })
                .collect();
            usages.map(|(server, generator)| (results, server, generator))
        })?;
        let mut total = Tally::new(plan.run, plan.measured.clone());
        let mut skipped = 0;
        for result in results {
            let (tally, skipped_frames) = result.map_err(BenchError::Measuring)?;
            total.add(&tally);
            skipped += skipped_frames * load.frame as u64;
        }
        let dropped_here = self.dropped_here() - dropped_before;
        let server = server.map(|spent| ServerReport::new(&spent, duration, total.arrived));
        Ok(Report::new(&self.load, packets_per_second, &total, skipped, dropped_here, server, generator))
    }

    /// Ends every allocation, so that the next load finds the server as this one did.
    pub(super) fn end(self) {
        for flow in self.shards.into_iter().flat_map(|shard| shard.flows) {
            // One that is not ended so ends by itself.
            let mut control = flow.control;
            let _ = control.end();
        }
    }

    /// How much the kernel threw away since our own sockets were full.
    fn dropped_here(&self) -> u64 {
        let sockets = self.shards.iter().flat_map(Shard::sockets);
        sockets.map(|socket| u64::from(socket.dropped().unwrap_or(0))).sum()
    }
}

/// What a process has used in the time that is measured.
pub(super) struct Spent {
    pub(super) cpu: Duration,
    pub(super) resident_bytes: u64,
}

/// Waits for the run to end, and tells what the server and this process use meanwhile.
fn watch(pid: Option<u32>, plan: &Plan) -> Result<(Option<Spent>, Spent), BenchError> {
    let usage = |pid| Usage::of(pid).map_err(|source| BenchError::Process { pid, source });
    let both = || -> Result<(Option<Usage>, Usage), BenchError> {
        Ok((pid.map(usage).transpose()?, usage(std::process::id())?))
    };
    let sleep_until = |at: Duration| std::thread::sleep((plan.begins + at) - Instant::now());
    sleep_until(plan.measured.start);
    let before = both()?;
    sleep_until(plan.measured.end);
    let after = both()?;
    let spent = |before: Usage, after: Usage| Spent {
        cpu: after.cpu.saturating_sub(before.cpu),
        resident_bytes: after.resident_bytes,
    };
    Ok((before.0.zip(after.0).map(|(before, after)| spent(before, after)), spent(before.1, after.1)))
}

impl Shard {
    fn set_up(load: &Load, tls: Option<&Tls>, index: usize) -> Result<Self, BenchError> {
        let count = load.allocations / load.threads;
        let peer_address = load.peer_address.map_or_else(|| local_address(load.access.server), Ok)?;
        let open_peers = || -> Result<Vec<UdpSocket>, BenchError> {
            (0..load.peers).map(|_| datagram_socket(peer_address, PEER_BUFFER)).collect()
        };
        let peers = match &load.peer_namespace {
            None => open_peers()?,
            Some(name) => sys::in_network_namespace(name, open_peers)
                .map_err(|source| BenchError::Namespace { name: name.clone(), source })??,
        };
        let clients = (0..count)
            .map(|number| {
                let mut control = Control::open(&load.access, tls, index * count + number)?;
                let relayed = control.allocate()?;
                Ok((control, relayed))
            })
            .collect::<Result<Vec<_>, BenchError>>()?;
        let peer_of = |number: usize| {
            let peer = number % load.peers;
            match load.direction {
                Direction::Across => (peer, clients[number ^ 1].1),
                Direction::ToPeer | Direction::ToClient | Direction::Both => (peer, peers[peer].local_addr()),
            }
        };
        let peers_of: Vec<(usize, SocketAddr)> = (0..count).map(peer_of).collect();
        let flows = clients
            .into_iter()
            .zip(peers_of)
            .map(|((control, relayed), peer)| {
                Flow::join(control, relayed, peer, load.uses_indications, load.payload_bytes)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let outlet =
            Outlet { frame: Frame::default(), sender: Sender::new(64), is_segmented: load.is_segmented };
        let readiness = watch_all(&flows, &peers).map_err(BenchError::Measuring)?;
        let bare = Packet::bare(load.payload_bytes);
        Ok(Self { flows, peers, readiness, incoming: Incoming::new(), outlet, bare })
    }

    fn sockets(&self) -> impl Iterator<Item = &UdpSocket> {
        let clients = self.flows.iter().filter_map(|flow| match &flow.control.link {
            Link::Datagrams(socket) => Some(socket),
            Link::Stream(_) => None,
        });
        self.peers.iter().chain(clients)
    }

    /// Sends and receives until the run is over; returns the counts, and how many frames could not be sent in time.
    fn run(&mut self, load: &Load, plan: &Plan) -> io::Result<(Tally, u64)> {
        let mut pace = Pace::new(plan.packets_per_second, load.frame, load.tick);
        let mut tally = Tally::new(plan.run, plan.measured.clone());
        let mut ready = Vec::new();
        std::thread::sleep(plan.begins - Instant::now());
        let mut polled = Duration::ZERO;
        loop {
            let now = plan.begins.elapsed();
            let wait = if now < plan.measured.end {
                for _ in 0..FRAMES_BETWEEN_POLLS {
                    let Some(number) = pace.next(now) else { break };
                    self.send_frame(load, plan, number, &mut tally)?;
                }
                pace.next_due().saturating_sub(now)
            } else if tally.is_complete() || now > plan.measured.end + LAST_ARRIVAL {
                return Ok((tally, pace.skipped()));
            } else {
                Duration::from_millis(5)
            };
            // The kernel wakes a thread some 50 µs late, so shorter waits are spent awake.
            let timeout = wait.saturating_sub(SHORT_WAIT);
            if timeout.is_zero() && now.saturating_sub(polled) < POLL_INTERVAL {
                continue;
            }
            self.readiness.wait(Some(timeout), &mut ready)?;
            polled = plan.begins.elapsed();
            for &Ready { token, .. } in &ready {
                self.read(token, plan, &mut tally)?;
            }
        }
    }

    fn send_frame(&mut self, load: &Load, plan: &Plan, number: u64, tally: &mut Tally) -> io::Result<()> {
        let count = self.flows.len() as u64;
        let index = (number % count) as usize;
        let is_from_client = match load.direction {
            Direction::ToPeer | Direction::Across => true,
            Direction::ToClient => false,
            Direction::Both => (number / count).is_multiple_of(2),
        };
        let flow = &mut self.flows[index];
        let sent = plan.begins.elapsed();
        let stamp = Stamp { run: plan.run, flow: index as u32, sent };
        let held_back = if is_from_client {
            flow.send_from_client(load.access.server, &stamp, load.frame, &mut self.outlet)?
        } else {
            let Outlet { frame, sender, is_segmented } = &mut self.outlet;
            frame.fill(&self.bare, &stamp, load.frame);
            frame.send(&self.peers[flow.peer], flow.relayed, *is_segmented, sender)
        };
        tally.sent(sent, load.frame as u64, held_back);
        Ok(())
    }

    fn read(&mut self, token: u64, plan: &Plan, tally: &mut Tally) -> io::Result<()> {
        let now = plan.begins.elapsed();
        let Self { flows, peers, incoming, .. } = self;
        let from_server = |tally: &mut Tally, message: &[u8]| {
            if let Some(payload) = payload_of(message) {
                tally.arrived(payload, now);
            }
        };
        if token >= PEERS {
            return incoming.read(&peers[(token - PEERS) as usize], |payload| tally.arrived(payload, now));
        }
        match &mut flows[token as usize].control.link {
            Link::Datagrams(socket) => incoming.read(socket, |message| from_server(tally, message)),
            Link::Stream(stream) => {
                stream.read()?;
                stream.take_frames(|message| from_server(tally, message))
            }
        }
    }
}

/// Has every socket reported, a client by its number and a peer by its own behind [`PEERS`].
fn watch_all(flows: &[Flow], peers: &[UdpSocket]) -> io::Result<Readiness> {
    let readiness = Readiness::new()?;
    for (number, flow) in (0..).zip(flows) {
        match &flow.control.link {
            Link::Datagrams(socket) => readiness.add(socket, number)?,
            Link::Stream(stream) => readiness.add(stream.socket(), number)?,
        }
    }
    for (number, peer) in (PEERS..).zip(peers) {
        readiness.add(peer, number)?;
    }
    Ok(readiness)
}

/// The address of this machine on the way to the server.
fn local_address(server: SocketAddr) -> Result<IpAddr, BenchError> {
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = std::net::UdpSocket::bind(any);
    let local = socket.and_then(|socket| {
        socket.connect(server)?;
        socket.local_addr()
    });
    local.map(|local| local.ip()).map_err(|source| BenchError::Socket { address: server.ip(), source })
}

/// Time for every thread to be there.
const HEAD_START: Duration = Duration::from_millis(20);
/// What has not come by then is lost.
const LAST_ARRIVAL: Duration = Duration::from_millis(500);
/// A loop that sends without end would never read.
const FRAMES_BETWEEN_POLLS: usize = 32;
const SHORT_WAIT: Duration = Duration::from_micros(60);
/// Asking the kernel costs a third of a microsecond.
const POLL_INTERVAL: Duration = Duration::from_micros(10);
/// One peer hears many clients; the kernel gives what it may.
const PEER_BUFFER: usize = 16 << 20;
/// Tokens from here on are peers.
const PEERS: u64 = 1 << 32;
