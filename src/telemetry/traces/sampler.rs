//! `Sampler`: which traces are recorded.

use super::ids::{RemoteParent, TraceId};

/// Decides about a trace once, by its id, so that all who decide by the same share decide alike.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampler {
    /// Of 63 bits of an id, as `TraceIdRatioBased` of OpenTelemetry's SDKs compares them.
    below: u64,
    follows_clients: bool,
}

impl Sampler {
    pub(super) fn new(ratio: f64, follows_clients: bool) -> Self {
        // From a float that is too large, the cast makes the largest number.
        Self { below: (ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64, follows_clients }
    }

    /// Whether a trace is recorded. Who called may have decided that already, if its word counts.
    pub(super) fn samples(&self, trace: TraceId, parent: Option<RemoteParent>) -> bool {
        match parent.filter(|_| self.follows_clients) {
            Some(parent) => parent.is_sampled,
            None => trace.lower_half() >> 1 < self.below,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::traces::SpanId;

    fn id(digits: &str) -> TraceId {
        TraceId::parse(digits).unwrap()
    }

    #[test]
    fn records_the_share_that_it_is_told_to() {
        let ids: Vec<TraceId> = (0..10_000).map(|_| TraceId::random()).collect();
        let share = |ratio: f64| {
            let sampler = Sampler::new(ratio, false);
            ids.iter().filter(|&&id| sampler.samples(id, None)).count()
        };
        assert_eq!((share(0.0), share(1.0)), (0, 10_000));
        // Ten standard deviations.
        assert!((2067..=2933).contains(&share(0.25)), "{}", share(0.25));
    }

    #[test]
    fn decides_as_sdks_do() {
        // The first 64 bits do not count; of the others, the share that is below.
        let half = Sampler::new(0.5, false);
        assert!(half.samples(id("ffffffffffffffff7ffffffffffffffe"), None));
        assert!(!half.samples(id("00000000000000018000000000000000"), None));
    }

    #[test]
    fn asks_the_client_only_if_its_word_counts() {
        let trace = TraceId::random();
        let parent = |is_sampled| Some(RemoteParent { span: SpanId::random(), is_sampled });
        for is_sampled in [true, false] {
            assert!(Sampler::new(1.0, false).samples(trace, parent(is_sampled)));
            assert!(!Sampler::new(0.0, false).samples(trace, parent(is_sampled)));
            assert_eq!(Sampler::new(1.0, true).samples(trace, parent(is_sampled)), is_sampled);
            assert_eq!(Sampler::new(0.0, true).samples(trace, parent(is_sampled)), is_sampled);
        }
        assert!(Sampler::new(1.0, true).samples(trace, None), "nobody has said anything");
    }
}
