//! `StatusCounters`: the answers of a route by their status, in series that are all there from the start.
//!
//! A rate can be computed of the first failure only if its series was there before it; and backends may answer with whatever
//! status, of which there are hundreds.

use prometheus::{IntCounter, IntCounterVec};

use super::gateway_metrics::Route;

/// The counters of one route's answers.
#[derive(Debug)]
pub(super) struct StatusCounters {
    /// Statuses that have a series of their own.
    exact: Box<[(u16, IntCounter)]>,
    /// All others, by class.
    of_class: [IntCounter; CLASSES.len()],
}

impl StatusCounters {
    pub(super) fn new(counters: &IntCounterVec, route: Route) -> Self {
        let counter = |status: &str| counters.with_label_values(&[route.label(), status]);
        let statuses = OF_ALL.iter().chain(own_statuses(route));
        Self {
            exact: statuses.map(|&status| (status, counter(&status.to_string()))).collect(),
            of_class: CLASSES.map(counter),
        }
    }

    /// Counts an answer.
    pub(super) fn count(&self, status: u16) {
        let exact = self.exact.iter().find(|(known, _)| *known == status);
        exact.map_or(&self.of_class[class(status)], |(_, counter)| counter).inc();
    }

    /// How many there were of each class, 1xx first.
    pub(super) fn by_class(&self) -> [u64; CLASSES.len()] {
        let mut sums = self.of_class.each_ref().map(IntCounter::get);
        for (status, counter) in &self.exact {
            sums[class(*status)] += counter.get();
        }
        sums
    }
}

/// RFC 9110 §15: what is in no class is taken for an error of the server.
fn class(status: u16) -> usize {
    match status {
        100..=499 => usize::from(status / 100) - 1,
        _ => CLASSES.len() - 1,
    }
}

/// What a route answers beside the statuses of all: on its own account, and what backends of its kind usually say.
fn own_statuses(route: Route) -> &'static [u16] {
    match route {
        Route::Offer => &[200, 401, 408, 409, 410, 413, 422, 429, 502, 503, 504],
        Route::Whip => &[200, 201, 401, 404, 408, 409, 410, 413, 415, 422, 429, 502, 503, 504],
        Route::IceServers => &[200, 401, 404, 422, 429, 503],
        Route::Health => &[200, 401, 429, 502, 503, 504],
        Route::Passthrough => {
            &[101, 200, 201, 206, 301, 302, 304, 401, 404, 408, 413, 422, 429, 502, 503, 504]
        }
        Route::Other => &[404],
    }
}

/// Preflights, malformed requests, pages and methods that are not let in, clients that left, and our own faults.
const OF_ALL: [u16; 6] = [204, 400, 403, 405, 499, 500];
/// The labels of what has no series of its own.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn whatever_a_backend_answers_has_a_series_that_was_there() {
        let metrics = Metrics::new();
        let series = || {
            let text = metrics.exposition().unwrap();
            text.lines().filter(|line| line.starts_with("turnpike_gateway_requests_total{")).count()
        };
        let before = series();

        for status in 100..=999 {
            metrics.gateway().begin(Route::Offer).finish(status, std::time::Duration::ZERO);
        }

        assert_eq!(series(), before);
        let text = metrics.exposition().unwrap();
        for (status, count) in [("422", 1), ("1xx", 100), ("2xx", 98), ("4xx", 89), ("5xx", 496)] {
            let line =
                format!("turnpike_gateway_requests_total{{route=\"offer\",status=\"{status}\"}} {count}");
            assert!(text.lines().any(|shown| shown == line), "{line}");
        }
        assert_eq!(metrics.gateway().offers(), [100, 100, 700]);
    }
}
