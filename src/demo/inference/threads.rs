//! `Inference`: the threads, and the queue of what they do.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use std::{fmt, io};

use tokio::sync::mpsc;
use tracing::error;

use super::detector::Detector;
use super::lane::{Decoded, Incoming, Lane, Task};
use super::prediction::Prediction;
use crate::demo::video::{VideoCodec, VideoError};
use crate::telemetry::{EmbeddedMetrics, ErrorChain};

/// Makes a detector for a thread.
pub(in crate::demo) type MakeDetector = dyn Fn() -> Box<dyn Detector> + Send + Sync;

/// The threads; dropped, they end.
pub(in crate::demo) struct Inference {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    queue: Mutex<Queue>,
    has_work: Condvar,
    /// Pictures that one call of a detector gets at the most.
    batch: NonZeroUsize,
    metrics: EmbeddedMetrics,
}

#[derive(Default)]
struct Queue {
    /// A lane is in it twice at the most.
    tasks: VecDeque<(Task, Arc<Lane>)>,
    is_over: bool,
}

impl Inference {
    pub(in crate::demo) fn start(
        threads: NonZeroUsize,
        batch: NonZeroUsize,
        make_detector: &MakeDetector,
        metrics: EmbeddedMetrics,
    ) -> io::Result<Self> {
        let shared = Shared { queue: Mutex::default(), has_work: Condvar::new(), batch, metrics };
        let mut inference = Self { shared: Arc::new(shared), threads: Vec::new() };
        for _ in 0..threads.get() {
            let (shared, detector) = (Arc::clone(&inference.shared), make_detector());
            let thread = thread::Builder::new().name("inference".to_owned());
            inference.threads.push(thread.spawn(move || shared.work(detector))?);
        }
        Ok(inference)
    }

    /// A lane for a client.
    pub(in crate::demo) fn lane(
        &self,
        codec: VideoCodec,
        predictions: mpsc::Sender<Prediction>,
    ) -> Result<Arc<Lane>, VideoError> {
        Ok(Arc::new(Lane::new(codec, predictions, self.shared.metrics.clone())?))
    }

    /// Takes what came for a lane.
    pub(in crate::demo) fn push(&self, lane: &Arc<Lane>, incoming: Incoming) {
        if lane.push(incoming) {
            self.shared.enqueue(Task::Decode, Arc::clone(lane));
        }
    }
}

impl Drop for Inference {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.has_work.notify_all();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                error!("an inference thread panicked");
            }
        }
    }
}

impl Shared {
    fn work(&self, mut detector: Box<dyn Detector>) {
        while let Some((task, lanes)) = self.next_tasks() {
            // What clients send is decoded here: whatever that may do to a decoder, other clients are served on.
            let done = catch_unwind(AssertUnwindSafe(|| match task {
                Task::Decode => lanes.iter().for_each(|lane| self.decode(lane)),
                Task::Detect => self.detect(&mut *detector, &lanes),
            }));
            if done.is_err() {
                error!(?task, "inference panicked; its clients go on with their next key frames");
                lanes.iter().for_each(|lane| lane.recover());
            }
        }
    }

    fn decode(&self, lane: &Arc<Lane>) {
        let next = lane.decode();
        if next.detect {
            self.enqueue(Task::Detect, Arc::clone(lane));
        }
        if next.decode {
            self.enqueue(Task::Decode, Arc::clone(lane));
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this room owns a clock: it tells how long clients wait")]
    fn detect(&self, detector: &mut dyn Detector, lanes: &[Arc<Lane>]) {
        let newest = |lane: &Arc<Lane>| Some((Arc::clone(lane), lane.take_newest()?));
        let (lanes, waiting): (Vec<Arc<Lane>>, Vec<Decoded>) = lanes.iter().filter_map(newest).unzip();
        if waiting.is_empty() {
            return;
        }
        let pictures: Vec<_> = waiting.iter().map(|decoded| Arc::clone(&decoded.picture)).collect();
        let began = Instant::now();
        let found = detector.detect(&pictures);
        let now = Instant::now();
        self.metrics.detected(now - began);
        match found {
            Ok(found) => {
                for ((lane, decoded), found) in lanes.iter().zip(&waiting).zip(found) {
                    lane.found(decoded, found, now);
                }
            }
            Err(error) => error!(error = %ErrorChain(&error), "the detector failed"),
        }
    }

    fn enqueue(&self, task: Task, lane: Arc<Lane>) {
        self.lock().tasks.push_back((task, lane));
        self.has_work.notify_one();
    }

    /// The next task, with as many lanes as it may be done for at once; none once all is over.
    fn next_tasks(&self) -> Option<(Task, Vec<Arc<Lane>>)> {
        let mut queue = self.lock();
        let (task, first) = loop {
            if queue.is_over {
                return None;
            }
            if let Some(next) = queue.tasks.pop_front() {
                break next;
            }
            queue = self.has_work.wait(queue).unwrap_or_else(PoisonError::into_inner);
        };
        let mut lanes = vec![first];
        while task == Task::Detect
            && lanes.len() < self.batch.get()
            && queue.tasks.front().is_some_and(|(task, _)| *task == Task::Detect)
            && let Some((_, lane)) = queue.tasks.pop_front()
        {
            lanes.push(lane);
        }
        Some((task, lanes))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inference").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}
