//! Bodies on their way: a request's within a bound and a deadline, an answer's with no pause that is too long.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::gateway::http::reject::Reject;

/// A request's body, at most so long and until a deadline.
pub(super) struct Metered {
    body: Body,
    limit_bytes: usize,
    left_bytes: usize,
    deadline: Pin<Box<Sleep>>,
    failure: Failure,
}

/// Why a body broke off, once it has.
pub(super) type Failure = Arc<OnceLock<Reject>>;

/// A body ended before its end; to whom it is sent learns no more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the body is cut off")]
    Refused,
    #[error("no further piece of the body came in time")]
    Paused,
    #[error("the body broke off")]
    Lost(#[source] hyper::Error),
}

impl Metered {
    pub(super) fn new(body: Body, limit_bytes: usize, time: Duration) -> (Self, Failure) {
        let failure = Failure::default();
        let deadline = Box::pin(sleep(time));
        let told = Arc::clone(&failure);
        (Self { body, limit_bytes, left_bytes: limit_bytes, deadline, failure }, told)
    }

    fn fail(&self, reject: Reject) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let _ = self.failure.set(reject);
        Poll::Ready(Some(Err(Broken::Refused)))
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending if self.deadline.as_mut().poll(cx).is_ready() => self.fail(Reject::BodyTimedOut),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                // Trailers end here: what is written behind a body was checked by nobody.
                let Ok(piece) = frame.into_data() else { return Poll::Ready(None) };
                let Some(left) = self.left_bytes.checked_sub(piece.len()) else {
                    return self.fail(Reject::BodyTooLarge { limit_bytes: self.limit_bytes });
                };
                self.left_bytes = left;
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready(Some(Err(_))) => self.fail(Reject::BodyBroken),
            Poll::Ready(None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body, of which the next piece must come in time.
pub(super) struct Paced {
    body: Incoming,
    pause: Duration,
    deadline: Pin<Box<Sleep>>,
}

impl Paced {
    pub(super) fn new(body: Incoming, pause: Duration) -> Self {
        Self { body, pause, deadline: Box::pin(sleep(pause)) }
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Pending if self.deadline.as_mut().poll(cx).is_ready() => {
                Poll::Ready(Some(Err(Broken::Paused)))
            }
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                let next = Instant::now() + self.pause;
                self.deadline.as_mut().reset(next);
                Poll::Ready(frame.into_data().ok().map(|piece| Ok(Frame::data(piece))))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(Broken::Lost(error)))),
            Poll::Ready(None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
