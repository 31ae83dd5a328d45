//! `Exporter`: gathers spans that have ended, and brings them to the collector batch by batch.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::collector::{Collector, CollectorError};
use super::encode::{Sender, encode};
use crate::telemetry::error_chain::ErrorChain;
use crate::telemetry::trace_metrics::{SpanLoss, TraceMetrics};
use crate::telemetry::traces::TraceSettings;
use crate::telemetry::traces::span::Ended;

/// Exports until it is told to close.
#[derive(Debug)]
pub(in crate::telemetry::traces) struct Exporter {
    collector: Collector,
    sender: Sender,
    ended: mpsc::Receiver<Ended>,
    /// Until when it may go on, once it shall end.
    closing: watch::Receiver<Option<Instant>>,
    batch: Vec<Ended>,
    /// Spans that were lost since the collector began to fail, while it does.
    lost_in_failure: Option<u64>,
    /// Whether the collector refused some of the batch before.
    refuses: bool,
    metrics: TraceMetrics,
}

impl Exporter {
    pub(in crate::telemetry::traces) fn new(
        settings: &TraceSettings,
        tls: rustls::ClientConfig,
        metrics: TraceMetrics,
        ended: mpsc::Receiver<Ended>,
        closing: watch::Receiver<Option<Instant>>,
    ) -> Self {
        Self {
            collector: Collector::new(settings, tls),
            sender: Sender::new(),
            ended,
            closing,
            batch: Vec::new(),
            lost_in_failure: None,
            refuses: false,
            metrics,
        }
    }

    pub(in crate::telemetry::traces) async fn run(mut self) {
        while self.gather().await {
            self.deliver().await;
        }
        if let Some(lost) = self.lost_in_failure {
            warn!(lost, "turnpike stops while the collector of traces fails");
        }
    }

    /// Fills the batch, as far as spans end in time; false if there are no more, and will be none.
    async fn gather(&mut self) -> bool {
        let mut due = None;
        while self.batch.len() < MOST_AT_ONCE {
            let room = MOST_AT_ONCE - self.batch.len();
            let was_empty = self.batch.is_empty();
            tokio::select! {
                biased;
                () = closes(&mut self.closing), if !self.ended.is_closed() => self.ended.close(),
                () = at(due), if !self.ended.is_closed() => return true,
                taken = self.ended.recv_many(&mut self.batch, room) => {
                    if taken == 0 {
                        return !self.batch.is_empty();
                    }
                    if was_empty {
                        due = Some(Instant::now() + LONGEST_WAIT);
                    }
                }
            }
        }
        true
    }

    /// Brings the batch to the collector, or gives it up.
    async fn deliver(&mut self) {
        let body = Bytes::from(encode(&self.sender, &self.batch));
        let spans = self.batch.len() as u64;
        let mut pause = FIRST_PAUSE;
        let mut tries_left = MOST_TRIES;
        loop {
            let taken = tokio::select! {
                taken = self.collector.take(body.clone()) => taken,
                () = is_over(self.closing.clone()) => {
                    self.lose(spans, SpanLoss::Stopped);
                    break;
                }
            };
            tries_left -= 1;
            let error = match taken {
                Ok(refused) => {
                    let rejected = u64::try_from(refused.rejected_spans).unwrap_or(0).min(spans);
                    self.delivered(spans - rejected, rejected, &refused.error_message);
                    break;
                }
                Err(error) => error,
            };
            self.failed(&error);
            let (Some(wish), false) = (error.is_passing(), tries_left == 0 || self.ended.is_closed()) else {
                self.lose(spans, SpanLoss::ExportFailed);
                break;
            };
            let next = Instant::now() + wish.map_or(pause, |wish| wish.clamp(pause, LONGEST_PAUSE));
            pause *= 2;
            tokio::select! {
                () = sleep_until(next) => {}
                // One more try, at once.
                () = closes(&mut self.closing) => tries_left = 1,
            }
        }
        self.batch.clear();
    }

    fn delivered(&mut self, exported: u64, rejected: u64, why: &str) {
        self.metrics.exported(exported);
        if let Some(lost) = self.lost_in_failure.take() {
            info!(lost, "the collector of traces takes spans again");
        }
        self.metrics.lost(SpanLoss::Rejected, rejected);
        let refused_before = std::mem::replace(&mut self.refuses, rejected > 0);
        if self.refuses && !refused_before {
            let why: String = why.chars().take(SHOWN_CHARACTERS).collect();
            warn!(rejected, why, "the collector of traces refuses spans");
        }
    }

    /// Tells once that the collector fails, however often it does.
    fn failed(&mut self, error: &CollectorError) {
        if self.lost_in_failure.is_none() {
            self.lost_in_failure = Some(0);
            warn!(error = %ErrorChain(error), "the collector of traces fails; spans wait, and some may be lost");
        }
    }

    fn lose(&mut self, spans: u64, cause: SpanLoss) {
        self.metrics.lost(cause, spans);
        self.lost_in_failure = Some(self.lost_in_failure.unwrap_or(0) + spans);
    }
}

/// Completes when the exporter shall close.
async fn closes(closing: &mut watch::Receiver<Option<Instant>>) {
    if closing.wait_for(Option::is_some).await.is_err() {
        // Whoever could say so is gone, and so are all spans.
        std::future::pending::<()>().await;
    }
}

/// Completes when it may not go on any longer.
async fn is_over(mut closing: watch::Receiver<Option<Instant>>) {
    closes(&mut closing).await;
    let until = *closing.borrow();
    at(until).await;
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// How long the end of the process may be held up. Behind a drain of 25 s there is not more, as Kubernetes kills after 30.
pub(in crate::telemetry::traces) const CLOSE_PATIENCE: Duration = Duration::from_secs(3);
/// Spans of one request; some 300 KB.
const MOST_AT_ONCE: usize = 512;
/// How long a span may wait for others.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// With pauses of 1, 2, 4 and 8 s, a collector may be away for a quarter of a minute: long enough to be started anew.
const MOST_TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// However long a collector asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const SHOWN_CHARACTERS: usize = 256;
