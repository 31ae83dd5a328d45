//! `Span`: something that takes time, from its beginning to its end.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::attribute;
use super::ids::{RemoteParent, SpanContext, SpanId, TraceId};
use super::queue::Queue;
use super::value::Value;

/// A span; clones are the same one. It ends once: when it is told to, or with its last clone.
///
/// The default is one of a process that traces nothing. Like one of a trace that is not recorded, it takes whatever it is
/// told and keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct Span {
    context: Option<SpanContext>,
    recording: Option<Arc<Recording>>,
}

/// On which side of a call a span is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Neither: it is our own affair.
    Internal,
    /// It answers somebody.
    Server,
    /// It asks somebody.
    Client,
}

/// A span that has ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ended {
    pub(super) context: SpanContext,
    pub(super) parent: Option<SpanId>,
    /// Whether the parent is of another process.
    pub(super) is_parent_remote: bool,
    pub(super) description: Description,
    pub(super) began_at: SystemTime,
    pub(super) lasted: Duration,
}

/// What is said of a span.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Description {
    pub(super) kind: SpanKind,
    pub(super) name: Cow<'static, str>,
    /// Each name once.
    pub(super) attributes: Vec<(&'static str, Value)>,
    pub(super) events: Vec<Event>,
    /// Events for which there was no room.
    pub(super) dropped_events: u32,
    pub(super) has_failed: bool,
}

/// Something that happened while a span went on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: &'static str,
    /// How long after the span's beginning.
    pub(super) after: Duration,
}

/// What a span needs until it ends.
#[derive(Debug)]
struct Recording {
    context: SpanContext,
    parent: Option<SpanId>,
    is_parent_remote: bool,
    began_at: SystemTime,
    began: Instant,
    /// Gone once the span has ended.
    open: Mutex<Option<Description>>,
    queue: Queue,
}

impl Span {
    /// Begins a span that answers a request; without a queue it is not recorded.
    pub(super) fn serve(
        name: Cow<'static, str>,
        trace: TraceId,
        parent: Option<RemoteParent>,
        queue: Option<Queue>,
    ) -> Self {
        let context = SpanContext { trace, span: SpanId::random(), is_sampled: queue.is_some() };
        let parent = parent.map(|parent| parent.span);
        Self::begin(SpanKind::Server, name, context, (parent, parent.is_some()), queue)
    }

    /// Begins a span within this one.
    pub fn child(&self, kind: SpanKind, name: impl Into<Cow<'static, str>>) -> Self {
        let Some(parent) = self.context else { return Self::default() };
        let context = SpanContext { span: SpanId::random(), ..parent };
        let queue = self.recording.as_ref().map(|recording| recording.queue.clone());
        Self::begin(kind, name.into(), context, (Some(parent.span), false), queue)
    }

    fn begin(
        kind: SpanKind,
        name: Cow<'static, str>,
        context: SpanContext,
        (parent, is_parent_remote): (Option<SpanId>, bool),
        queue: Option<Queue>,
    ) -> Self {
        let recording = queue.map(|queue| {
            let description = Description {
                kind,
                name,
                attributes: Vec::new(),
                events: Vec::new(),
                dropped_events: 0,
                has_failed: false,
            };
            let (began_at, began) = now();
            let open = Mutex::new(Some(description));
            Arc::new(Recording { context, parent, is_parent_remote, began_at, began, open, queue })
        });
        Self { context: Some(context), recording }
    }

    /// Where it stands, unless traces are off.
    pub fn context(&self) -> Option<SpanContext> {
        self.context
    }

    /// Whether what it is told is kept.
    pub fn is_recorded(&self) -> bool {
        self.recording.is_some()
    }

    /// Says something of it, in place of what was said before by that name.
    pub fn set(&self, name: &'static str, value: impl Into<Value>) {
        self.describe(|description| description.set(name, value.into()));
    }

    /// The same, if there is something to say.
    pub fn set_known(&self, name: &'static str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Notes that something has happened now; of many events the first are kept.
    pub fn note(&self, event: &'static str) {
        let Some(recording) = &self.recording else { return };
        let after = recording.age();
        self.describe(|description| {
            if description.events.len() < MOST_EVENTS {
                description.events.push(Event { name: event, after });
            } else {
                description.dropped_events += 1;
            }
        });
    }

    /// Says that it has failed, and why; the first reason stays.
    pub fn fail(&self, reason: impl Into<Value>) {
        self.describe(|description| {
            if !description.has_failed {
                description.has_failed = true;
                description.set(attribute::ERROR_TYPE, reason.into());
            }
        });
    }

    /// Ends it; what is said later is not kept.
    pub fn end(&self) {
        if let Some(recording) = &self.recording {
            recording.end();
        }
    }

    fn describe(&self, change: impl FnOnce(&mut Description)) {
        let Some(recording) = &self.recording else { return };
        if let Some(description) = recording.open.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            change(description);
        }
    }
}

impl Description {
    fn set(&mut self, name: &'static str, value: Value) {
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.attributes.push((name, value)),
        }
    }
}

impl Recording {
    fn end(&self) {
        let taken = self.open.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(description) = taken else { return };
        let Self { context, parent, is_parent_remote, began_at, .. } = *self;
        let lasted = self.age();
        self.queue.put(Ended { context, parent, is_parent_remote, description, began_at, lasted });
    }

    fn age(&self) -> Duration {
        now().1.saturating_duration_since(self.began)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end();
    }
}

/// Spans are compared with those of other machines, so they begin by the clock on the wall; how long they last must not
/// change when that is set.
#[expect(clippy::disallowed_methods, reason = "telemetry owns a clock for spans")]
fn now() -> (SystemTime, Instant) {
    (SystemTime::now(), Instant::now())
}

/// A session has four milestones; the rest is for one whose media comes and goes.
pub(super) const MOST_EVENTS: usize = 32;
