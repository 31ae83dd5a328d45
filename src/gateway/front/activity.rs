//! `Activity`: what a connection is doing, so that one that does nothing can be ended.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// The requests of one connection.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    has_begun: bool,
    /// Requests without an answer yet.
    unanswered: usize,
    /// Answers whose end has not been sent.
    answers: usize,
    /// Those of them that wait for the client: it was given a piece, and more was not asked for.
    with_client: usize,
    /// When any of this changed last.
    moved: Instant,
}

/// What is to be done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing before this time.
    Fine(Instant),
    /// No first request came in time.
    Silent,
    /// It has no request, and had none for long.
    Idle,
    /// It has answers, and the client takes none of them.
    Stalled,
}

/// How long a connection may do nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) first_request: Duration,
    pub(super) idle: Duration,
    pub(super) stall: Duration,
}

/// A request until its answer is sent, or given up.
#[derive(Debug)]
pub(super) struct Exchange {
    activity: Arc<Activity>,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Unanswered,
    WithBackend,
    WithClient,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Arc<Self> {
        let state = State { has_begun: false, unanswered: 0, answers: 0, with_client: 0, moved: now };
        Arc::new(Self { state: Mutex::new(state) })
    }

    /// A request came.
    pub(super) fn begin(self: &Arc<Self>, now: Instant) -> Exchange {
        let mut state = self.lock();
        state.has_begun = true;
        state.unanswered += 1;
        state.moved = now;
        drop(state);
        Exchange { activity: Arc::clone(self), stage: Stage::Unanswered }
    }

    pub(super) fn verdict(&self, now: Instant, patience: &Patience) -> Verdict {
        let state = self.lock();
        let within = |limit: Duration, verdict: Verdict| {
            let end = state.moved + limit;
            if now < end { Verdict::Fine(end) } else { verdict }
        };
        if !state.has_begun {
            return within(patience.first_request, Verdict::Silent);
        }
        if state.unanswered == 0 && state.answers == 0 {
            return within(patience.idle, Verdict::Idle);
        }
        // As long as one answer waits for us or the backend, the connection has its reason.
        if state.unanswered == 0 && state.with_client == state.answers {
            return within(patience.stall, Verdict::Stalled);
        }
        Verdict::Fine(now + patience.stall)
    }

    // Numbers that are whole after every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exchange {
    fn advance(&mut self, stage: Stage) {
        if self.stage == stage && stage != Stage::WithClient {
            return;
        }
        let mut state = self.activity.lock();
        state.leave(self.stage);
        state.answers += 1;
        state.with_client += usize::from(stage == Stage::WithClient);
        state.moved = Instant::now();
        self.stage = stage;
    }
}

impl State {
    fn leave(&mut self, stage: Stage) {
        match stage {
            Stage::Unanswered => self.unanswered -= 1,
            Stage::WithBackend => self.answers -= 1,
            Stage::WithClient => {
                self.answers -= 1;
                self.with_client -= 1;
            }
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let mut state = self.activity.lock();
        state.leave(self.stage);
        state.moved = Instant::now();
    }
}

/// An answer's body that tells how far it is sent.
#[derive(Debug)]
pub(super) struct Watched<B> {
    body: B,
    exchange: Exchange,
}

impl<B> Watched<B> {
    pub(super) fn new(body: B, mut exchange: Exchange) -> Self {
        exchange.advance(Stage::WithBackend);
        Self { body, exchange }
    }
}

impl<B: Body + Unpin> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending() {
            self.exchange.advance(Stage::WithBackend);
        }
        let frame = ready!(polled);
        self.exchange.advance(Stage::WithClient);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_the_first_request_and_then_for_the_next() {
        let start = Instant::now();
        let activity = Activity::new(start);

        assert_eq!(activity.verdict(start, &PATIENCE), Verdict::Fine(start + SECOND));
        assert_eq!(activity.verdict(start + SECOND, &PATIENCE), Verdict::Silent);
        drop(activity.begin(start));
        assert_eq!(activity.verdict(start + SECOND, &PATIENCE), Verdict::Fine(start + SECOND * 3));
        assert_eq!(activity.verdict(start + SECOND * 3, &PATIENCE), Verdict::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn has_patience_with_backends_and_none_with_clients_that_do_not_read() {
        let start = Instant::now();
        let later = start + SECOND * 60;
        let activity = Activity::new(start);

        let exchange = activity.begin(start);
        assert!(matches!(activity.verdict(later, &PATIENCE), Verdict::Fine(_)), "no answer yet");
        let mut answer = Watched::new(Full::new(&b"answer"[..]), exchange);
        assert!(matches!(activity.verdict(later, &PATIENCE), Verdict::Fine(_)), "the backend's turn");
        let _ = answer.frame().await;
        assert_eq!(activity.verdict(start + SECOND, &PATIENCE), Verdict::Fine(start + SECOND * 2));
        assert_eq!(activity.verdict(later, &PATIENCE), Verdict::Stalled);

        let _second = activity.begin(start);
        assert!(
            matches!(activity.verdict(later, &PATIENCE), Verdict::Fine(_)),
            "another request is answered"
        );
        drop(answer);
        assert!(matches!(activity.verdict(later, &PATIENCE), Verdict::Fine(_)));
    }

    const SECOND: Duration = Duration::from_secs(1);
    const PATIENCE: Patience =
        Patience { first_request: SECOND, idle: Duration::from_secs(3), stall: Duration::from_secs(2) };
}
