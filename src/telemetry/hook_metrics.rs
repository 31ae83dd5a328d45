//! What is counted about the auth hook.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use super::catalog::{self, Family};

/// The counts of the auth hook; clones share them.
#[derive(Debug, Clone)]
pub struct HookMetrics {
    questions: [IntCounter; HookResult::ALL.len()],
    duration: Histogram,
    turned_away: [IntCounter; HookBound::ALL.len()],
    waiting: IntGauge,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookResult {
    /// The hook knows the user.
    Granted,
    /// It does not.
    Refused,
    /// It could not be asked, or said nothing that could be used.
    Failed,
    /// It took too long.
    TimedOut,
}

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookBound {
    /// Open questions.
    Questions,
    /// Open questions about clients of the source.
    QuestionsOfSource,
    /// Requests that wait, or their bytes.
    WaitingRequests,
    /// Requests of the source that wait.
    WaitingRequestsOfSource,
}

impl HookMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let duration = Histogram::with_opts(catalog::HOOK_DURATION.histogram_opts(&DURATION_BUCKETS));
        let duration = duration.expect(VALID);
        register(Box::new(duration.clone()));
        let waiting = IntGauge::with_opts(catalog::HOOK_WAITING.opts()).expect(VALID);
        register(Box::new(waiting.clone()));
        let questions = counters(&catalog::HOOK_QUESTIONS, &register);
        let turned_away = counters(&catalog::HOOK_TURNED_AWAY, &register);
        Self {
            questions: HookResult::ALL.map(|result| questions.with_label_values(&[result.label()])),
            duration,
            turned_away: HookBound::ALL.map(|bound| turned_away.with_label_values(&[bound.label()])),
            waiting,
        }
    }

    /// Counts a question that was answered, or failed.
    pub fn answered(&self, result: HookResult, elapsed: Duration) {
        self.questions[result as usize].inc();
        self.duration.observe(elapsed.as_secs_f64());
    }

    /// Counts a request that could not wait.
    pub fn turned_away(&self, bound: HookBound) {
        self.turned_away[bound as usize].inc();
    }

    /// Counts requests that begin to wait or, where `more` is negative, wait no more.
    pub fn requests_wait(&self, more: i64) {
        self.waiting.add(more);
    }
}

impl HookResult {
    const ALL: [Self; 4] = [Self::Granted, Self::Refused, Self::Failed, Self::TimedOut];

    fn label(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

impl HookBound {
    const ALL: [Self; 4] =
        [Self::Questions, Self::QuestionsOfSource, Self::WaitingRequests, Self::WaitingRequestsOfSource];

    fn label(self) -> &'static str {
        match self {
            Self::Questions => "questions",
            Self::QuestionsOfSource => "questions_of_source",
            Self::WaitingRequests => "waiting_requests",
            Self::WaitingRequestsOfSource => "waiting_requests_of_source",
        }
    }
}

fn counters(family: &Family, register: &impl Fn(Box<dyn Collector>)) -> IntCounterVec {
    let counters = IntCounterVec::new(family.opts(), family.labels).expect(VALID);
    register(Box::new(counters.clone()));
    counters
}

/// Seconds. From an answer within the machine to the longest time that a hook can be given.
const DURATION_BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 2.5, 10.0];

const VALID: &str = "names and labels of the catalogue are valid, as its tests check";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn counts_each_result_and_bound_under_its_own_label() {
        let metrics = Metrics::new();
        let hook = metrics.hook();

        let _ = HookResult::ALL.map(|result| hook.answered(result, Duration::from_millis(7)));
        let _ = HookBound::ALL.map(|bound| hook.turned_away(bound));
        hook.requests_wait(3);
        hook.requests_wait(-1);
        metrics.watch_hook_answers(|| (5, 6));
        let text = metrics.exposition().unwrap();

        for line in [
            "turnpike_auth_hook_questions_total{result=\"granted\"} 1",
            "turnpike_auth_hook_questions_total{result=\"refused\"} 1",
            "turnpike_auth_hook_questions_total{result=\"failed\"} 1",
            "turnpike_auth_hook_questions_total{result=\"timed_out\"} 1",
            "turnpike_auth_hook_duration_seconds_bucket{le=\"0.01\"} 4",
            "turnpike_auth_hook_turned_away_total{bound=\"questions\"} 1",
            "turnpike_auth_hook_turned_away_total{bound=\"questions_of_source\"} 1",
            "turnpike_auth_hook_turned_away_total{bound=\"waiting_requests\"} 1",
            "turnpike_auth_hook_turned_away_total{bound=\"waiting_requests_of_source\"} 1",
            "turnpike_auth_hook_waiting_requests 2",
            "turnpike_auth_hook_answers{answer=\"granted\"} 5",
            "turnpike_auth_hook_answers{answer=\"denied\"} 6",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }
}
