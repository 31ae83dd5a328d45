//! The processor time of a relay's one worker, so that a busy machine changes a benchmark little.

use std::fs;
use std::time::Duration;

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
