//! `deliver`: brings what is owed to somebody, until it is taken.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::database::Owed;
use super::record::SessionRecord;
use crate::telemetry::{ErrorChain, RecordMetrics, Taker};

/// Somebody who is told of records.
pub(super) trait Take: Send + 'static {
    /// Who that is.
    const TAKER: Taker;
    /// How many records are brought at once.
    const AT_ONCE: usize;
    /// Why records are not taken.
    type Error: std::error::Error + Send + Sync;

    /// Takes records; whatever is not known to be safe is brought again.
    fn take(&mut self, records: Vec<SessionRecord>) -> impl Future<Output = Taken<Self::Error>> + Send;
}

/// What came of records that were brought.
#[derive(Debug)]
pub(super) struct Taken<E> {
    /// The sessions whose records are safe.
    pub(super) sessions: Vec<String>,
    /// Why others are not.
    pub(super) failure: Option<E>,
}

impl<E> Taken<E> {
    /// All of them, or none.
    pub(super) fn whole(records: &[SessionRecord], result: Result<(), E>) -> Self {
        match result {
            Ok(()) => {
                let sessions = records.iter().map(|record| record.opening.session.clone());
                Self { sessions: sessions.collect(), failure: None }
            }
            Err(failure) => Self { sessions: Vec::new(), failure: Some(failure) },
        }
    }
}

/// Delivers what is owed, and what will be, for as long as it is polled.
pub(super) async fn deliver<T: Take>(
    mut taker: T,
    database: PathBuf,
    mut news: watch::Receiver<()>,
    metrics: RecordMetrics,
) {
    let name = T::TAKER.label();
    let mut failures = 0_u32;
    loop {
        // Before the look, so that what is written meanwhile is seen after it.
        news.mark_unchanged();
        let records = match next::<T>(&database).await {
            Ok(records) => records,
            Err(error) => {
                metrics.failed();
                warn!(error = %ErrorChain(&error), "owed records cannot be read");
                sleep(LONGEST_PAUSE).await;
                continue;
            }
        };
        if records.is_empty() {
            // Without a writer there is no news, and the process is about to end.
            let _ = timeout(LONGEST_PAUSE, news.changed()).await;
            continue;
        }
        let brought = records.len();
        let Taken { sessions, failure } = taker.take(records).await;
        metrics.delivered(T::TAKER, true, sessions.len() as u64);
        metrics.delivered(T::TAKER, false, (brought - sessions.len()) as u64);
        if let Err(error) = paid::<T>(&database, sessions).await {
            metrics.failed();
            warn!(error = %ErrorChain(&error), taker = name, "delivered records stay owed, and are delivered again");
        }
        let Some(error) = failure else {
            if std::mem::take(&mut failures) > 0 {
                info!(taker = name, "records are taken again");
            }
            continue;
        };
        if failures == 0 {
            warn!(error = %ErrorChain(&error), taker = name, "records are not taken, and wait");
        } else {
            debug!(error = %ErrorChain(&error), taker = name, failures, "records are not taken");
        }
        failures = failures.saturating_add(1);
        sleep(pause(failures)).await;
    }
}

async fn next<T: Take>(database: &Path) -> rusqlite::Result<Vec<SessionRecord>> {
    let database = database.to_owned();
    let read = spawn_blocking(move || Owed::open(&database)?.next(T::TAKER, T::AT_ONCE));
    read.await.unwrap_or(Ok(Vec::new()))
}

async fn paid<T: Take>(database: &Path, sessions: Vec<String>) -> rusqlite::Result<()> {
    if sessions.is_empty() {
        return Ok(());
    }
    let database = database.to_owned();
    let write = spawn_blocking(move || Owed::open(&database)?.paid(T::TAKER, &sessions));
    write.await.unwrap_or(Ok(()))
}

/// Twice as long after each failure, with a random part, so that replicas do not come together.
fn pause(failures: u32) -> Duration {
    let longest = SHORTEST_PAUSE * 2_u32.saturating_pow(failures.min(10));
    let longest = longest.min(LONGEST_PAUSE);
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}

const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_after_each_failure_up_to_a_bound() {
        for (failures, longest) in [(1, 500), (2, 1000), (5, 8000), (30, 60_000)] {
            let pause = pause(failures).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{failures}: {pause}");
        }
    }
}
