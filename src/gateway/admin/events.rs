//! `GET /admin/v1/events`: the state of the process each second, as server-sent events (WHATWG HTML §9.2), for the live page.
//!
//! One task writes the state down for all who watch, and rests while nobody does.

#![allow(unused_qualifications, reason = "utoipa's macros write them")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};
use utoipa::ToSchema;

use super::backends::BackendState;
use super::{PartReadiness, Shared};
use crate::gateway::http::problem::ProblemSchema;
use crate::gateway::{BiggestUsers, SessionView};
use crate::telemetry::LiveCounts;

/// Where the state is told; clones lead to the same watchers.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    /// The newest state as JSON; `None` once the process ends, and from then on.
    states: Arc<watch::Sender<Option<Arc<str>>>>,
}

/// The process at one moment. Counts begin with the process and only grow, but for those of what there is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LiveState {
    /// Now, in Unix seconds.
    time: f64,
    process: LiveProcess,
    /// Whether each part can serve.
    parts: Vec<PartReadiness>,
    relay: LiveRelay,
    /// Offers by what became of them.
    gateway: LiveOffers,
    /// The backends, in the order of the configuration.
    backends: Vec<BackendState>,
    sessions: LiveSessions,
    /// The users for whom the most was relayed of late, 5 at the most.
    users: BiggestUsers,
}

#[derive(Debug, Serialize, ToSchema)]
struct LiveProcess {
    version: &'static str,
    /// When it started, in Unix seconds.
    started_at: u64,
    /// Whether offers are refused.
    draining: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct LiveRelay {
    /// Allocations that there are.
    allocations: u64,
    /// The share of relay ports that are taken, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity_used: Option<f64>,
    packets_to_peer: u64,
    packets_to_client: u64,
    /// Bytes of payloads.
    bytes_to_peer: u64,
    bytes_to_client: u64,
    packets_dropped: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct LiveOffers {
    answered: u64,
    /// For a reason that lies with the client: 4xx.
    refused: u64,
    /// For one that lies with us or the backend: 5xx.
    failed: u64,
}

#[derive(Debug, Serialize, ToSchema)]
struct LiveSessions {
    total: usize,
    /// How many are in each state.
    states: BTreeMap<&'static str, usize>,
    /// The newest ones first, 200 at the most.
    shown: Vec<SessionView>,
}

/// Tells the state of the process at once, and then each second, until the process ends.
#[utoipa::path(
    get,
    path = "/events",
    responses(
        (status = 200, body = LiveState, content_type = "text/event-stream", description = "events `state` with this as data"),
        (status = "4XX", description = "refused", body = ProblemSchema, content_type = "application/json"),
    ),
    security(("token" = []))
)]
pub(super) async fn watch_state(
    State(shared): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let now = shared.live_state();
    let later = WatchStream::from_changes(shared.feed.states.subscribe());
    let states = tokio_stream::once(Some(now)).chain(later).map_while(|state| state);
    let events = states.map(|state| Ok(Event::default().event("state").retry(RETRY).data(&*state)));
    Sse::new(events).keep_alive(KeepAlive::new())
}

impl Feed {
    pub(super) fn new() -> Self {
        Self { states: Arc::new(watch::Sender::new(Some("".into()))) }
    }

    /// Ends every stream.
    pub(super) fn close(&self) {
        self.states.send_replace(None);
    }
}

impl Shared {
    /// Tells whoever watches, for as long as it is polled.
    pub(super) async fn tell_watchers(self) -> Infallible {
        let mut tick = interval(INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if self.feed.states.receiver_count() > 0 {
                let now = self.live_state();
                self.feed.states.send_if_modified(|state| state.as_mut().map(|state| *state = now).is_some());
            }
        }
    }

    fn live_state(&self) -> Arc<str> {
        let controls = &self.controls;
        let unix = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let LiveCounts {
            allocations,
            ports,
            ports_free,
            packets_to_peer,
            packets_to_client,
            bytes_to_peer,
            bytes_to_client,
            packets_dropped,
            offers_answered,
            offers_refused,
            offers_failed,
        } = self.metrics.live();
        let (shown, states) = controls.sessions.newest(MOST_SHOWN);
        #[expect(clippy::disallowed_methods, reason = "this room owns a clock: what time is it for people?")]
        let now = SystemTime::now();
        let state = LiveState {
            time: unix(now).as_secs_f64(),
            process: LiveProcess {
                version: env!("CARGO_PKG_VERSION"),
                started_at: unix(self.started_at).as_secs(),
                draining: controls.drain.is_on(),
            },
            parts: (self.readiness)(),
            relay: LiveRelay {
                allocations,
                capacity_used: (ports > 0).then(|| 1.0 - ports_free as f64 / ports as f64),
                packets_to_peer,
                packets_to_client,
                bytes_to_peer,
                bytes_to_client,
                packets_dropped,
            },
            gateway: LiveOffers { answered: offers_answered, refused: offers_refused, failed: offers_failed },
            backends: controls.backends.views().into_iter().map(BackendState::from).collect(),
            sessions: LiveSessions { total: states.values().sum(), states, shown },
            users: controls.sessions.biggest_users(MOST_USERS),
        };
        serde_json::to_string(&state).expect("maps have names and numbers are finite").into()
    }
}

const INTERVAL: Duration = Duration::from_secs(1);
/// What a browser is told to wait before it comes again.
const RETRY: Duration = Duration::from_secs(1);
/// Some 60 KiB of JSON.
const MOST_SHOWN: usize = 200;
/// What can be seen at a glance.
const MOST_USERS: usize = 5;
