//! `Writer`: the thread that writes, many entries in one transaction.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tracing::{error, info, warn};

use super::database::Database;
use super::error::RecordsError;
use super::record::{SessionOpening, SessionRecord, Traffic};
use super::settings::RecordSettings;
use crate::telemetry::{ErrorChain, RecordLoss, RecordMetrics, Taker};

/// One thing to write.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// A session has been answered.
    Began(SessionOpening),
    /// So much was relayed for a session.
    GoesOn(Box<str>, Traffic),
    /// A session has ended.
    Ended(Box<SessionRecord>),
}

/// Takes entries, and never waits.
#[derive(Debug)]
pub(super) struct Writer {
    /// None once it is closed.
    queue: Mutex<Option<SyncSender<Entry>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    metrics: RecordMetrics,
}

impl Writer {
    /// Opens the database and starts the thread; what it returns changes when there is news for whoever delivers.
    pub(super) fn start(
        settings: &RecordSettings,
        metrics: RecordMetrics,
    ) -> Result<(Self, watch::Receiver<()>), RecordsError> {
        let mut database = Database::open(&settings.database)?;
        let takers = settings.takers();
        let failed = |source| RecordsError::Database { path: settings.database.clone(), source };
        let given_up = database.keep_takers(&takers).map_err(failed)?;
        if given_up > 0 {
            warn!(
                records = given_up,
                "records are owed to somebody who is configured no more, and are given up"
            );
        }
        let left = database.recover(&takers).map_err(failed)?;
        if left > 0 {
            warn!(sessions = left, "sessions of a process that was killed get their records now");
        }
        let (news, for_deliveries) = watch::channel(());
        let (queue, entries) = sync_channel(MOST_WAITING);
        let thread = Thread {
            database,
            takers,
            most_owed: settings.queue,
            keep: settings.keep,
            metrics: metrics.clone(),
            news,
            is_failing: false,
        };
        let spawned = thread::Builder::new().name("records".to_owned()).spawn(move || thread.run(&entries));
        let thread = spawned.map_err(RecordsError::Thread)?;
        Ok((
            Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)), metrics },
            for_deliveries,
        ))
    }

    pub(super) fn write(&self, entry: Entry) {
        let is_record = matches!(entry, Entry::Ended(_));
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Full, or closed.
        let lost = queue.as_ref().is_none_or(|queue| queue.try_send(entry).is_err());
        // What is known of a session that goes on comes again.
        if lost && is_record {
            self.metrics.lost(RecordLoss::QueueFull, 1);
        }
    }

    /// Writes what waits, and ends the thread.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

struct Thread {
    database: Database,
    takers: Vec<Taker>,
    most_owed: u64,
    keep: Duration,
    metrics: RecordMetrics,
    news: watch::Sender<()>,
    is_failing: bool,
}

impl Thread {
    fn run(mut self, entries: &Receiver<Entry>) {
        let mut next_care = present();
        let mut batch = Vec::new();
        loop {
            if next_care <= present() {
                self.take_care();
                next_care = present() + CARE_INTERVAL;
            }
            match entries.recv_timeout(CARE_INTERVAL) {
                Ok(entry) => batch.push(entry),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            }
            batch.extend(entries.try_iter().take(BATCH - 1));
            self.write(&batch);
            batch.clear();
        }
    }

    /// Until it is written: whoever comes meanwhile waits in the queue.
    fn write(&mut self, batch: &[Entry]) {
        let records = batch.iter().filter(|entry| matches!(entry, Entry::Ended(_))).count() as u64;
        for attempt in 0.. {
            match self.database.write(batch, &self.takers, now_ms()) {
                Ok(()) => {
                    if std::mem::take(&mut self.is_failing) {
                        info!("records are written again");
                    }
                    self.metrics.written(records);
                    if records > 0 {
                        self.news.send_replace(());
                    }
                    return;
                }
                Err(error) => {
                    self.metrics.failed();
                    if !std::mem::replace(&mut self.is_failing, true) {
                        error!(error = %ErrorChain(&error), "records cannot be written, and wait");
                    }
                    if attempt == MOST_ATTEMPTS {
                        self.metrics.lost(RecordLoss::NotWritten, records);
                        error!(records, "records lost, since they could not be written for too long");
                        return;
                    }
                    thread::sleep(RETRY);
                }
            }
        }
    }

    /// Forgets what is old, and shows how much is owed.
    fn take_care(&mut self) {
        let keep_ms = i64::try_from(self.keep.as_millis()).unwrap_or(i64::MAX);
        let cared = self.database.forget(now_ms().saturating_sub(keep_ms)).and_then(|_| {
            for taker in &self.takers {
                let given_up = self.database.bound_owed(*taker, self.most_owed)?;
                self.metrics.lost(RecordLoss::DeliveryQueueFull, given_up as u64);
                self.metrics.owed(*taker, self.database.owed(*taker)?);
            }
            Ok(())
        });
        if let Err(error) = cared {
            self.metrics.failed();
            warn!(error = %ErrorChain(&error), "records cannot be looked after");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "records say when, by the wall's clock")]
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[expect(clippy::disallowed_methods, reason = "this thread has no other clock")]
fn present() -> Instant {
    Instant::now()
}

/// Some 30 MiB; at 1,000 sessions that end each second it is a minute in which the disk may not answer.
const MOST_WAITING: usize = 65_536;
/// What is lost at once if a transaction is cut off; its cost is that of one write to the disk.
const BATCH: usize = 1000;
const CARE_INTERVAL: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(500);
/// Two minutes; then the next ones are tried, as one of these may be what cannot be written.
const MOST_ATTEMPTS: u32 = 240;
