//! Reads a request's body within a bound and a deadline.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use tokio::time::timeout;

use super::reject::Reject;

/// The whole body, at most `limit_bytes` of it.
pub(in crate::gateway) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limit_bytes: usize,
    deadline: Duration,
) -> Result<Bytes, Reject> {
    if body.size_hint().lower() > limit_bytes as u64 {
        discard_unread(headers, body);
        return Err(Reject::BodyTooLarge { limit_bytes });
    }
    match timeout(deadline, Limited::new(&mut body, limit_bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            discard(body);
            Err(Reject::BodyTooLarge { limit_bytes })
        }
        Ok(Err(_)) => Err(Reject::BodyBroken),
        Err(_) => Err(Reject::BodyTimedOut),
    }
}

/// Gives up a body of which nothing was read.
pub(in crate::gateway) fn discard_unread(headers: &HeaderMap, body: Body) {
    // RFC 9110 §10.1.1: a client that waits for `100 Continue` sends nothing when it gets a final answer instead; reading
    // would make hyper ask for the body.
    if !headers.contains_key(header::EXPECT) {
        discard(body);
    }
}

/// Reads on for a while without keeping anything.
///
/// Many clients read an answer only after they have sent all; and a socket that is closed with bytes unread resets the
/// connection, which can destroy the answer on its way.
fn discard(mut body: Body) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(timeout(DISCARD_TIME, async move {
        let mut left = DISCARD_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            let Some(rest) = left.checked_sub(length) else {
                return;
            };
            left = rest;
        }
    }));
}

/// Twice the 8 MiB of a careless client's picture; whoever sends more is told by a reset.
const DISCARD_BYTES: usize = 16 << 20;

/// The time that nginx, too, gives a client that falls silent.
const DISCARD_TIME: Duration = Duration::from_secs(5);
