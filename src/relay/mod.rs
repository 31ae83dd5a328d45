//! The data plane: sockets, worker threads and batches, around the state machine of `turn`.
//!
//! In come datagrams and streams of clients, and datagrams of peers; out go their payloads, each on the other side of its
//! allocation. Every worker is complete by itself and shares no more than the counts behind its limits, and the threads
//! that do the public-key work of TLS:
//!
//! ```text
//!            ┌───────────────────────── worker ─────────────────────────┐
//!  clients ══╡ listeners ─┐                               ┌─ relay      ╞══ peers
//!  (kernel   │ (one of a  ├─ ring ─┬─ fast path ─┬─ outbox ┤  sockets    │
//!  spreads   │  group per │        └─ turn ──────┘         │  (one each  │
//!  them)     │  address)  ┘              │                 └─ allocation)│
//!         ═══╡ streams ═══╪═ intake ─────┘                               │
//!            └──────────▲─────────────────────────────────────┬─────────┘
//!                       │ mailbox (eventfd)                   │ counts, log lines
//!        Relay (this module), handshake threads           telemetry
//! ```
//!
//! A worker sleeps until a socket can be read, reads batches into its `Ring`, decides about each datagram (`FastPath`
//! for ChannelData and bound peers, `turn::Server` for the rest), and sends what it gathered in its `Outbox`. A stream is
//! read into the `Intake`, where its frames are treated as datagrams are. A connection to a TCP peer (`PeerStreams`) is
//! tied to one of its client's, and their bytes go across as they are. Per relayed datagram or frame there is no
//! allocation, no lock and no log line, as long as clients read what they are sent.

#![expect(clippy::disallowed_methods, reason = "this room owns a clock: turn is told the time from here")]

mod alternates_handle;
mod answers;
mod bandwidth;
mod beginning;
mod budget;
mod bursts;
mod by_allocation;
mod claim;
mod claims;
mod claims_handle;
mod command;
mod connection;
mod connections;
mod crossings;
mod endpoint;
mod error;
mod fair_share;
mod fast_path;
mod granted;
mod grants;
mod handshakes;
mod health;
mod http_client;
mod intake;
mod listener_drops;
mod listeners;
mod mean_use;
mod moves;
mod news;
mod outbox;
mod outputs;
mod own_addresses;
#[cfg(test)]
mod packet_cost;
mod peer_stream;
mod peer_streams;
mod pipe;
mod policy_handle;
mod port_owners;
mod ports;
mod questions;
mod quotas;
mod relay_sockets;
mod relayed_addresses;
mod report;
mod ring;
mod session_events;
mod settings;
mod shared;
mod stream_input;
mod stream_move;
mod streams;
mod token;
mod token_bucket;
mod user_buckets;
mod waiting;
mod watching;
mod worker;
mod write_queue;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

pub use alternates_handle::AlternatesHandle;
pub use claim::Claim;
pub use claims_handle::{ClaimsHandle, UntilDone};
pub use error::{ListenerKind, StartError};
pub use fast_path::{Count, Traffic};
pub use health::{Fault, Health, SocketFailure};
pub use http_client::{HttpClient, HttpTaker};
pub use own_addresses::forbid_as_peer;
pub use policy_handle::PolicyHandle;
pub use questions::{Answer, AskHook, AuthHook, Question};
pub use session_events::{
    AllocationReport, AllocationTag, CheckSeen, SessionEvent, SessionEvents, SessionTag,
};
pub use settings::{AnonymousSettings, BandwidthSettings, HookSettings, QuotaSettings, Settings};

use crate::telemetry::{Metrics, RelayBounds};
use crate::tls::CertificateStore;
use crate::turn::peer_policy::{OwnListener, PeerPolicy};
use crate::turn::{self, AnonymousListeners};
use bandwidth::SharedBandwidth;
use command::Command;
use grants::Grants;
use handshakes::{HandshakeThreads, Mailbox};
use ports::RelayPorts;
use relayed_addresses::RelayedAddresses;
use shared::Shared;
use worker::Worker;

/// A running relay; [`stop`](Self::stop) ends it, and so does dropping it.
#[derive(Debug)]
pub struct Relay {
    local_addrs: Vec<SocketAddr>,
    external: turn::ExternalAddresses,
    /// The policy at the start.
    peer_policy: PeerPolicy,
    stream_addrs: Vec<SocketAddr>,
    http_addr: Option<SocketAddr>,
    certificate: Option<Arc<CertificateStore>>,
    workers: Vec<WorkerHandle>,
    running: Arc<AtomicUsize>,
    ports: Arc<RelayPorts>,
    wants_peers: bool,
    grants: Arc<Grants>,
    bandwidth: Option<Arc<SharedBandwidth>>,
    /// Ended after the workers, which use them.
    _handshake_threads: Option<HandshakeThreads>,
}

/// What others do for a relay; nothing by default.
#[derive(Debug, Default)]
pub struct Partners {
    /// Takes clients that speak HTTP, where the settings say that some may.
    pub http: Option<HttpTaker>,
    /// Is asked about users whom nobody here knows.
    pub hook: Option<AuthHook>,
    /// Is told what becomes of the allocations of sessions.
    pub sessions: Option<SessionEvents>,
}

#[derive(Debug)]
struct WorkerHandle {
    mailbox: Mailbox,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Binds every socket, then starts the workers; `on_failure` is called when one ends without being told to.
    pub fn start(
        settings: &Settings,
        turn: &turn::Settings,
        metrics: &Metrics,
        partners: Partners,
        on_failure: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let count = settings.workers.map_or_else(available_cores, NonZeroUsize::get).min(MOST_WORKERS);
        let certificate = certificate(settings)?;
        let handshake_threads = handshake_threads(certificate.as_ref(), count)?;
        let handshakes = handshake_threads.as_ref().and_then(HandshakeThreads::handshakes);
        let Partners { http, hook, sessions } = partners;
        let mut turn = turn::Settings { asks_hook: hook.is_some(), ..turn.clone() };
        let hook = hook.map(|hook| (hook, metrics.hook().clone()));
        let shared = Shared::new(settings, &turn, count, handshakes, http, hook, sessions)
            .map_err(StartError::Randomness)?;
        if let Some(questions) = shared.questions.clone() {
            metrics.watch_hook_answers(move || questions.count_answers());
        }
        metrics.watch_relay_ports({
            let ports = Arc::clone(&shared.ports);
            move || ports.count(Instant::now())
        });
        metrics.watch_relay_bounds({
            let (quotas, bandwidth) = (Arc::clone(&shared.quotas), shared.bandwidth.clone());
            let connections = settings.max_connections as u64;
            move || RelayBounds {
                connections,
                allocations: quotas.used(),
                bandwidth: bandwidth.as_ref().and_then(|bandwidth| bandwidth.used(Instant::now())),
            }
        });
        metrics.watch_anonymous_allocations({
            let quotas = Arc::clone(&shared.quotas);
            move || quotas.anonymous() as u64
        });
        metrics.watch_blocked_grants({
            let grants = Arc::clone(&shared.grants);
            move || grants.blocked() as u64
        });
        // The kernel spreads clients over all sockets of a group by their addresses, so the group must be whole before
        // the first datagram and stay as it is: else a client would land at a worker that does not know it.
        let groups = listeners::bind(settings, count)?;
        let local_addrs: Vec<_> = groups[0].datagrams.iter().map(|listener| listener.local_addr()).collect();
        let stream_addrs: Vec<_> = groups[0].streams.iter().map(|listener| listener.local_addr()).collect();
        let http_addr = settings.http_listener().map(|index| stream_addrs[index]);
        turn.anonymous_listeners = AnonymousListeners {
            datagrams: local_addrs[settings.listen.len()..].to_vec(),
            streams: stream_addrs[settings.listen_tcp.len()..].to_vec(),
        };
        for (listener, takes) in own_listeners(&local_addrs, &stream_addrs) {
            forbid_as_peer(&mut turn.peer_policy, &turn.external_addresses, listener, takes)
                .map_err(StartError::Interfaces)?;
        }
        let on_failure: Arc<dyn Fn() + Send + Sync> = Arc::new(on_failure);
        let running = Arc::new(AtomicUsize::new(count));
        // From here on an error ends the workers that run already.
        let mut relay = Self {
            local_addrs,
            external: turn.external_addresses.clone(),
            peer_policy: turn.peer_policy.clone(),
            stream_addrs,
            http_addr,
            certificate,
            workers: Vec::with_capacity(count),
            running: Arc::clone(&running),
            ports: Arc::clone(&shared.ports),
            grants: Arc::clone(&shared.grants),
            wants_peers: turn.sessions_name_peers || turn.anonymous_await_claims,
            bandwidth: shared.bandwidth.clone(),
            _handshake_threads: handshake_threads,
        };
        let mut workers = Vec::with_capacity(count);
        for (index, listeners) in groups.into_iter().enumerate() {
            let stats = metrics.register_worker();
            let worker = Worker::new(index, settings, &turn, listeners, &shared, stats)
                .map_err(|source| StartError::Worker { index, source })?;
            workers.push(worker);
        }
        shared.mailboxes.get_or_init(|| workers.iter().map(|(_, mailbox)| mailbox.clone()).collect());
        for (index, (worker, mailbox)) in workers.into_iter().enumerate() {
            let alive = Alive {
                running: Arc::clone(&running),
                on_failure: Arc::clone(&on_failure),
                is_told_to_stop: false,
            };
            let thread = std::thread::Builder::new()
                .name(format!("relay-{index}"))
                .spawn(move || {
                    let mut alive = alive;
                    alive.is_told_to_stop = worker.run();
                })
                .map_err(|source| StartError::Worker { index, source })?;
            relay.workers.push(WorkerHandle { mailbox, thread: Some(thread) });
        }
        Ok(relay)
    }

    /// The UDP addresses that clients reach, in the order of the settings; those without credentials come last.
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// The TCP addresses that clients reach, in the order of the settings; those without credentials come last.
    pub fn stream_addrs(&self) -> &[SocketAddr] {
        &self.stream_addrs
    }

    /// The one of them where clients that speak HTTP come too, if there is one.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http_addr
    }

    /// The certificate of clients with TLS, if there is one.
    pub fn certificate(&self) -> Option<&Arc<CertificateStore>> {
        self.certificate.as_ref()
    }

    /// What tells whether the workers could relay.
    pub fn health(&self) -> Health {
        let workers = self.workers.iter().map(|worker| (worker.mailbox.clone(), Arc::default())).collect();
        Health { running: Arc::clone(&self.running), workers, began: Instant::now() }
    }

    /// What brings new peer policies to the workers; make one only.
    pub fn policy_handle(&self) -> PolicyHandle {
        let mailbox = |worker: &WorkerHandle| (worker.mailbox.commands.clone(), worker.mailbox.waker.clone());
        PolicyHandle {
            listeners: own_listeners(&self.local_addrs, &self.stream_addrs).collect(),
            external: self.external.clone(),
            present: self.peer_policy.clone(),
            mailboxes: self.workers.iter().map(mailbox).collect(),
        }
    }

    /// What brings the claims of sessions to the workers.
    pub fn claims_handle(&self) -> ClaimsHandle {
        let mailboxes = self.workers.iter().map(|worker| worker.mailbox.clone()).collect();
        let addresses = RelayedAddresses::new(Arc::clone(&self.ports), self.external.clone());
        let (grants, bandwidth) = (Arc::clone(&self.grants), self.bandwidth.clone());
        ClaimsHandle::new(mailboxes, addresses, self.wants_peers, grants, bandwidth)
    }

    /// What tells the workers which other servers serve.
    pub fn alternates_handle(&self) -> AlternatesHandle {
        AlternatesHandle { mailboxes: self.workers.iter().map(|worker| worker.mailbox.clone()).collect() }
    }

    /// Sends clients that allocate to other servers from now on, as far as there are any.
    pub fn drain(&self) {
        self.alternates_handle().tell(|| Command::Drain);
    }

    /// Ends every allocation and every worker, and waits for them.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for worker in &self.workers {
            // A worker that is gone needs no command.
            let _ = worker.mailbox.commands.send(Command::Stop);
            worker.mailbox.waker.wake();
        }
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.end();
    }
}

/// Counts a worker as running until it is dropped, also by a panic.
struct Alive {
    running: Arc<AtomicUsize>,
    on_failure: Arc<dyn Fn() + Send + Sync>,
    is_told_to_stop: bool,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
        if !self.is_told_to_stop {
            (self.on_failure)();
        }
    }
}

fn certificate(settings: &Settings) -> Result<Option<Arc<CertificateStore>>, StartError> {
    let Some(files) = &settings.tls else {
        return Ok(None);
    };
    Ok(Some(Arc::new(CertificateStore::load(files, &beginning::TURN_PROTOCOLS, SystemTime::now())?)))
}

/// Starts the threads of the TLS handshakes, where there is a certificate.
fn handshake_threads(
    certificate: Option<&Arc<CertificateStore>>,
    workers: usize,
) -> Result<Option<HandshakeThreads>, StartError> {
    let start = |certificate| HandshakeThreads::start(certificate, workers);
    certificate.cloned().map(start).transpose().map_err(StartError::HandshakeThreads)
}

/// The addresses of the relay itself, which are never peers.
fn own_listeners(
    datagrams: &[SocketAddr],
    streams: &[SocketAddr],
) -> impl Iterator<Item = (SocketAddr, OwnListener)> {
    let datagrams = datagrams.iter().map(|&address| (address, OwnListener::Datagrams));
    let streams = streams.iter().map(|&address| (address, OwnListener::Streams));
    datagrams.chain(streams)
}

/// How many cores the process may use, by its affinity and its cgroup.
fn available_cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// The id of a peer's connection says in its first byte which worker has it.
const MOST_WORKERS: usize = 256;
