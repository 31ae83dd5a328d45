//! `Health`: whether a relay could relay for a client that came now.
//!
//! ```text
//! Health::examine ─▶ Command::Examine ─▶ each worker opens a relay socket on each address, sends from it, and answers
//! Health::fault   ◀─ a worker has ended, does not answer, or could not open one
//! ```
//!
//! How much is relayed makes no fault: whoever is taken out of service for that loses those whom it serves.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use socket2::SockRef;

use super::command::Command;
use super::endpoint::Endpoint;
use super::handshakes::Mailbox;
use super::settings::Settings;
use super::worker::Worker;
use crate::turn::RelayTransport;

/// Tells whether a relay could relay; may outlive it, and then says that it could not.
#[derive(Debug, Clone)]
pub struct Health {
    /// How many workers run.
    pub(super) running: Arc<AtomicUsize>,
    pub(super) workers: Arc<[(Mailbox, Arc<Examined>)]>,
    pub(super) began: Instant,
}

/// What keeps a relay from relaying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A worker has ended by itself.
    Ended,
    /// A worker has not answered for so long.
    Silent {
        /// Which one.
        worker: usize,
        /// For how long.
        since: Duration,
    },
    /// A worker cannot open relay sockets.
    NoSocket {
        /// Which one.
        worker: usize,
        /// What it met.
        failure: Arc<SocketFailure>,
    },
}

/// Why no relay socket could be opened.
#[derive(Debug, PartialEq, Eq)]
pub struct SocketFailure {
    address: IpAddr,
    error: String,
}

impl Health {
    /// Has every worker look whether it could relay, but those that have not answered yet.
    pub fn examine(&self, now: Instant) {
        for (mailbox, examined) in &*self.workers {
            if examined.ask(self.clock(now)) {
                // One that is gone is found by their number.
                let _ = mailbox.commands.send(Command::Examine(Arc::clone(examined)));
                mailbox.waker.wake();
            }
        }
    }

    /// What keeps the relay from relaying, if anything is known to.
    pub fn fault(&self, now: Instant) -> Option<Fault> {
        if self.running.load(Ordering::Acquire) < self.workers.len() {
            return Some(Fault::Ended);
        }
        self.workers.iter().enumerate().find_map(|(worker, (_, examined))| {
            if let Some(since) = examined.waits(self.clock(now)).filter(|&since| since > PATIENCE) {
                return Some(Fault::Silent { worker, since });
            }
            examined.failure.load_full().map(|failure| Fault::NoSocket { worker, failure })
        })
    }

    /// Milliseconds, never 0.
    fn clock(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_millis() as u64 + 1
    }
}

/// What one worker has answered.
#[derive(Debug, Default)]
pub(super) struct Examined {
    /// When it was asked, by the clock of [`Health`]; 0 once it has answered.
    asked_at: AtomicU64,
    failure: ArcSwapOption<SocketFailure>,
}

impl Examined {
    /// False if it was asked before and has not answered yet.
    fn ask(&self, now: u64) -> bool {
        self.asked_at.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    fn answer(&self, failure: Option<SocketFailure>) {
        self.failure.store(failure.map(Arc::new));
        self.asked_at.store(0, Ordering::Release);
    }

    fn waits(&self, now: u64) -> Option<Duration> {
        let asked_at = self.asked_at.load(Ordering::Acquire);
        (asked_at != 0).then(|| Duration::from_millis(now.saturating_sub(asked_at)))
    }
}

/// Where a worker tries to open relay sockets, and how.
#[derive(Debug)]
pub(super) struct Examination {
    addresses: Vec<IpAddr>,
    buffer_bytes: usize,
}

impl Examination {
    /// Where no relay address is set, clients get the address that they reached, which is one of the listeners'.
    pub(super) fn new(settings: &Settings, listeners: impl Iterator<Item = SocketAddr>) -> Self {
        let mut addresses = settings.relay_addresses.clone();
        if addresses.is_empty() {
            addresses.extend(listeners.map(|listener| listener.ip()));
            addresses.sort_unstable();
            addresses.dedup();
        }
        Self { addresses, buffer_bytes: settings.relay_buffer_bytes }
    }

    fn run(&self) -> Option<SocketFailure> {
        let failure =
            |(address, error): (IpAddr, std::io::Error)| SocketFailure { address, error: error.to_string() };
        let mut failures = self
            .addresses
            .iter()
            .filter_map(|&address| self.try_at(address).err().map(|error| (address, error)));
        failures.next().map(failure)
    }

    /// Opens a socket as for an allocation, but for its port, and sends an empty datagram from it, to itself.
    fn try_at(&self, address: IpAddr) -> std::io::Result<()> {
        let any_port = SocketAddr::new(address, 0);
        let socket = Endpoint::bind(any_port, RelayTransport::Udp, self.buffer_bytes)?;
        SockRef::from(&socket).send_to(&[], &socket.local_addr().into()).map(|_| ())
    }
}

impl Worker {
    /// Looks whether it could relay, and says so.
    pub(super) fn examine(&self, examined: &Examined) {
        examined.answer(self.examination.run());
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("a worker has failed"),
            Self::Silent { worker, since } => {
                write!(f, "worker {worker} has not answered for {} s", since.as_secs())
            }
            Self::NoSocket { worker, failure: failed } => write!(
                f,
                "worker {worker} cannot open a relay socket at {}: {}; free file descriptors or raise their limit, or see that \
                 the address is this machine's",
                failed.address, failed.error
            ),
        }
    }
}

/// How long a worker may take to answer; it looks into its mailbox after each batch of packets, within milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::mpsc;

    use super::*;
    use crate::sys::Readiness;

    #[test]
    fn one_question_at_a_time_waits_for_its_answer() {
        let examined = Examined::default();
        assert_eq!(examined.waits(7), None);
        assert!(examined.ask(10));
        assert!(!examined.ask(20));
        assert_eq!(examined.waits(25), Some(Duration::from_millis(15)));
        examined.answer(None);
        assert_eq!(examined.waits(30), None);
        assert!(examined.ask(40));
    }

    #[test]
    fn a_worker_that_does_not_answer_is_a_fault_and_is_asked_once() {
        let (commands, asked) = mpsc::channel();
        let mailbox = Mailbox { commands, waker: Readiness::new().unwrap().waker() };
        let began = Instant::now();
        let workers = Arc::from([(mailbox, Arc::default())]);
        let health = Health { running: Arc::new(AtomicUsize::new(1)), workers, began };
        let after = |seconds| began + Duration::from_secs(seconds);

        assert_eq!(health.fault(after(60)), None);
        health.examine(after(60));
        health.examine(after(61));
        assert_eq!(health.fault(after(63)), None);
        let silent = health.fault(after(64)).unwrap();
        assert_eq!(silent.to_string(), "worker 0 has not answered for 4 s");
        let Ok(Command::Examine(examined)) = asked.try_recv() else { panic!("it was asked") };
        assert!(asked.try_recv().is_err());
        examined.answer(None);
        assert_eq!(health.fault(after(64)), None);
        health.running.store(0, Ordering::Release);
        assert_eq!(health.fault(after(64)), Some(Fault::Ended));
    }

    #[test]
    fn an_address_of_another_machine_is_a_fault_that_names_it() {
        let examination =
            |address: Ipv4Addr| Examination { addresses: vec![address.into()], buffer_bytes: 4096 };
        assert_eq!(examination(Ipv4Addr::LOCALHOST).run(), None);
        assert_eq!(examination(Ipv4Addr::UNSPECIFIED).run(), None);
        // RFC 5737: nobody has it.
        let failure = Arc::new(examination(Ipv4Addr::new(192, 0, 2, 1)).run().unwrap());
        let fault = Fault::NoSocket { worker: 1, failure }.to_string();
        assert!(
            fault.starts_with("worker 1 cannot open a relay socket at 192.0.2.1: Cannot assign"),
            "{fault}"
        );
    }

    #[test]
    fn without_relay_addresses_those_of_the_listeners_are_tried_once_each() {
        let listeners = ["127.0.0.1:3478", "127.0.0.1:3479", "[::1]:3478"].map(|text| text.parse().unwrap());
        let settings = Settings::default();
        assert_eq!(Examination::new(&settings, listeners.into_iter()).addresses.len(), 2);
    }
}
