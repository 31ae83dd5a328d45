//! `SessionSpan`: a session in its trace, within the request that brought the offer, and its allocations within it.

use std::time::Duration;

use super::handle::{AllocationEnd, AllocationTag};
use super::session::{Opening, Session};
use super::usage::Usage;
use crate::media::{LegQuality, Quality, Stage};
use crate::telemetry::{RedactedIp, RedactedUser, SessionEnd, Span, SpanKind, TraceId, Value, attribute};

/// The spans of one session.
#[derive(Debug, Default)]
pub(super) struct SessionSpan {
    span: Span,
    /// Those of allocations that live. Few, so a list is searched faster than a map.
    allocations: Vec<(AllocationTag, Span)>,
}

impl SessionSpan {
    pub(super) fn begin(request: &Span, opening: &Opening) -> Self {
        let span = request.child(SpanKind::Internal, "session");
        if span.is_recorded() {
            let Opening { id, client, key, user_id, .. } = opening;
            span.set(attribute::SESSION_ID, id.as_str());
            span.set(attribute::CLIENT, &**client);
            span.set(attribute::KEY, &**key);
            let user = user_id.as_deref().map(|user_id| Value::shown(RedactedUser(user_id)));
            span.set_known(attribute::USER_ID, user);
        }
        Self { span, allocations: Vec::new() }
    }

    /// The trace that it is part of, unless traces are off.
    pub(super) fn trace_id(&self) -> Option<TraceId> {
        self.span.context().map(|context| context.trace)
    }

    /// The client has its answer.
    pub(super) fn answered(&self) {
        self.span.note("answered");
    }

    /// An allocation is the session's from now on.
    pub(super) fn claimed(&mut self, allocation: AllocationTag) {
        self.span.note("claimed");
        if self.span.is_recorded() && self.allocations.len() < MOST_ALLOCATIONS {
            self.allocations.push((allocation, self.span.child(SpanKind::Internal, "allocation")));
        }
    }

    /// An allocation has come so far.
    pub(super) fn reached(&self, stage: Stage) {
        self.span.note(label(stage));
    }

    /// An allocation has ended.
    pub(super) fn allocation_ended(&mut self, last: &AllocationEnd) {
        let Some(index) = self.allocations.iter().position(|(tag, _)| *tag == last.allocation) else {
            return;
        };
        let (_, span) = self.allocations.swap_remove(index);
        span.set(attribute::CLIENT_ADDRESS, Value::shown(RedactedIp(last.client.client.ip())));
        span.set(attribute::TRANSPORT, last.client.transport.label());
        span.set(attribute::ALLOCATION_AGE, last.lived.as_secs_f64());
        span.set(attribute::STATE, label(last.stage));
        describe_usage(&span, &last.traffic);
        if last.stage != Stage::Waiting {
            describe_quality(&span, &last.quality);
        }
        span.end();
    }

    /// All is known of the session, which has ended.
    pub(super) fn end(&self, session: &Session, reason: SessionEnd) {
        let span = &self.span;
        span.set_known(attribute::BACKEND, session.backend.as_deref());
        span.set(attribute::END_REASON, reason.label());
        span.set(attribute::STATE, session.state.label());
        describe_usage(span, &session.usage);
        if let Some(quality) = session.progress.quality() {
            describe_quality(span, &quality);
        }
        if reason == SessionEnd::Failed {
            span.fail(reason.label());
        }
        // Allocations that are still there stay their clients', but are no longer the session's.
        self.allocations.iter().for_each(|(_, allocation)| allocation.end());
        span.end();
    }
}

fn describe_usage(span: &Span, usage: &Usage) {
    let Usage { packets_to_peer, bytes_to_peer, packets_to_client, bytes_to_client } = *usage;
    span.set(attribute::PACKETS_TO_PEER, packets_to_peer);
    span.set(attribute::BYTES_TO_PEER, bytes_to_peer);
    span.set(attribute::PACKETS_TO_CLIENT, packets_to_client);
    span.set(attribute::BYTES_TO_CLIENT, bytes_to_client);
}

fn describe_quality(span: &Span, Quality { client, peer }: &Quality) {
    let seconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64());
    let describe = |[loss, jitter, frame_rate, round_trip]: [&'static str; 4], leg: &LegQuality| {
        span.set_known(loss, leg.loss());
        span.set_known(jitter, seconds(leg.jitter));
        span.set_known(frame_rate, leg.frame_rate);
        span.set_known(round_trip, seconds(leg.round_trip));
    };
    describe(CLIENT, client);
    describe(PEER, peer);
}

fn label(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Connected => "connected",
        Stage::Media => "media",
        Stage::Stalled => "stalled",
    }
}

/// What is said of the media of each end: loss, jitter, frame rate and round trip.
const CLIENT: [&str; 4] = [
    attribute::CLIENT_LOSS,
    attribute::CLIENT_JITTER,
    attribute::CLIENT_FRAME_RATE,
    attribute::CLIENT_ROUND_TRIP,
];
const PEER: [&str; 4] =
    [attribute::PEER_LOSS, attribute::PEER_JITTER, attribute::PEER_FRAME_RATE, attribute::PEER_ROUND_TRIP];

/// Browsers take up to a dozen and keep one or two. Those beyond have no span; the session's counts have all of them.
const MOST_ALLOCATIONS: usize = 32;
