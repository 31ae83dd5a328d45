//! Bodies that count their bytes: a request's as it is read, an answer's until its line is written.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

use super::record::{AccessRecord, Ending};

/// A request's body that counts what is read of it.
pub(super) struct Received {
    body: Body,
    bytes: Arc<AtomicU64>,
}

impl Received {
    pub(super) fn new(body: Body, bytes: Arc<AtomicU64>) -> Self {
        Self { body, bytes }
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            self.bytes.fetch_add(length(frame), Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body at whose end the line is written: before the client can know of the end.
pub(super) struct Answered {
    body: Body,
    /// Until then. Dropped with it, it says that the client took no more.
    record: Option<Box<AccessRecord>>,
}

impl Answered {
    pub(super) fn new(body: Body, record: Box<AccessRecord>) -> Self {
        Self { body, record: Some(record) }
    }
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let (Some(Ok(frame)), Some(record)) = (&polled, &mut self.record) {
            record.sent(length(frame));
        }
        let ending = match &polled {
            Some(Ok(_)) if !self.body.is_end_stream() => None,
            Some(Ok(_)) | None => Some(Ending::Whole),
            Some(Err(_)) => Some(Ending::Broken),
        };
        if let Some(ending) = ending
            && let Some(record) = self.record.take()
        {
            record.ended(ending);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, Bytes::len) as u64
}
