//! What is counted of the gateway's access log.

use prometheus::IntCounter;
use prometheus::core::Collector;

use super::catalog;
use super::gateway_metrics::counters;

/// The counts of the access log; clones share them.
#[derive(Debug, Clone)]
pub struct AccessLogMetrics {
    lines: [IntCounter; AccessLine::ALL.len()],
}

/// What became of the line of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLine {
    /// It was written.
    Written,
    /// The request is none of the share that has lines.
    SampledOut,
    /// There were as many lines in this second as may be.
    OverLimit,
}

impl AccessLogMetrics {
    pub(super) fn new(register: impl Fn(Box<dyn Collector>)) -> Self {
        let lines = counters(&catalog::GATEWAY_ACCESS_LINES, &register);
        Self { lines: AccessLine::ALL.map(|line| lines.with_label_values(&[line.label()])) }
    }

    /// Counts a request, by what became of its line.
    pub fn count(&self, line: AccessLine) {
        self.lines[line as usize].inc();
    }
}

impl AccessLine {
    const ALL: [Self; 3] = [Self::Written, Self::SampledOut, Self::OverLimit];

    fn label(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::SampledOut => "sampled_out",
            Self::OverLimit => "over_limit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn counts_each_result_under_its_own_label() {
        let metrics = Metrics::new();

        let _ = AccessLine::ALL.map(|line| metrics.access_log().count(line));
        let text = metrics.exposition().unwrap();

        let lines = text.lines().filter(|line| line.starts_with("turnpike_gateway_access_lines_total{"));
        assert_eq!(lines.filter(|line| line.ends_with("} 1")).count(), 3, "{text}");
    }
}
