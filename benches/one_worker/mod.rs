//! A relay with one worker, and the processor time of that worker, which a busy machine changes little.

use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use turnpike::relay::{Partners, Relay, Settings};
use turnpike::secret::Secret;
use turnpike::telemetry::Metrics;
use turnpike::turn;
use turnpike::turn::peer_policy::PeerRule;

/// Starts a relay on loopback in which alice may allocate as often as she likes.
pub(crate) fn start() -> Relay {
    let settings = Settings {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        workers: NonZeroUsize::new(1),
        ..Settings::default()
    };
    let mut turn = turn::Settings { unauthenticated_per_second: 1_000_000, ..turn::Settings::default() };
    turn.credentials.add_user("alice", Secret::new("wonderland"));
    turn.peer_policy.allow(PeerRule { network: "127.0.0.0/8".parse().unwrap(), ports: 0..=65535 });
    Relay::start(&settings, &turn, &Metrics::new(), Partners::default(), || panic!("a worker failed"))
        .unwrap()
}

/// What the worker has used so far, the kernel's work for it included.
pub(crate) fn worker_cpu() -> Duration {
    let worker = fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|task| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "relay-0"))
        .expect("the relay has a worker");
    let statistics = fs::read_to_string(worker.join("schedstat")).unwrap();
    Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap())
}
