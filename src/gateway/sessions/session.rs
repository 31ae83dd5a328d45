//! `Session`: one client's stream, from its offer to its end.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use tokio::time::Instant;

use super::progress::{Progress, QualityView};
use super::session_span::SessionSpan;
use super::usage::Usage;
use crate::gateway::backends::MediaSlot;
use crate::gateway::http::ids::SessionId;
use crate::telemetry::{SessionEnd, SessionState};

/// What is known of a session when its offer comes.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Opening {
    pub(in crate::gateway) id: SessionId,
    /// Whose keys opened it.
    pub(in crate::gateway) client: Arc<str>,
    /// Which of them.
    pub(in crate::gateway) key: Arc<str>,
    pub(in crate::gateway) user_id: Option<Arc<str>>,
    /// Where the offer came from.
    pub(in crate::gateway) address: IpAddr,
}

/// One session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) opening: Opening,
    pub(super) began: Instant,
    /// The same by the clock on the wall, for people.
    pub(super) began_at: SystemTime,
    pub(super) state: SessionState,
    /// Who answered.
    pub(super) backend: Option<Arc<str>>,
    /// Whether it has named allocations of the relay as its own.
    pub(super) has_claims: bool,
    /// Claims that the relay has not judged yet.
    pub(super) claims_under_way: u32,
    /// Whether it lost its last allocation meanwhile, so that it ends unless one of them is proven.
    pub(super) ends_unless_proven: bool,
    /// Counts it there for as long as it lives.
    pub(super) slot: Option<MediaSlot>,
    /// The user names of the checks by which its allocations would be known, if it has named none.
    pub(super) expected_checks: Vec<Arc<str>>,
    /// Allocations of the relay that belong to it.
    pub(super) allocations: u32,
    /// What they carried, as far as it was told.
    pub(super) usage: Usage,
    /// What was seen of its media.
    pub(super) progress: Progress,
    /// Whether that is more than the records know.
    pub(super) has_news: bool,
    /// The session in its trace.
    pub(super) span: SessionSpan,
    /// Why it has ended, and how long it lived, once it has.
    pub(super) ended: Option<(SessionEnd, Duration)>,
}

/// A session as operators see it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct SessionView {
    /// The session's id.
    pub id: String,
    /// Whose keys opened it.
    pub client: String,
    /// Which of them.
    pub key: String,
    /// The `user_id` of the offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The address that the offer came from.
    pub address: String,
    /// How far it has come: `offered`, `answered`, `claimed`, `connected`, `media` or `stalled`.
    pub state: &'static str,
    /// The backend that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
    /// Allocations of the relay that belong to it now.
    pub allocations: u32,
    /// What the relay carried for it, until about a second ago.
    pub usage: Usage,
    /// How its media goes, once the relay has seen some of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualityView>,
    /// When the offer came, in Unix seconds.
    pub began_at: u64,
    /// Seconds since then.
    pub age_seconds: u64,
}

impl Session {
    pub(super) fn view(&self, now: Instant) -> SessionView {
        let Opening { id, client, key, user_id, address } = &self.opening;
        SessionView {
            id: id.to_string(),
            client: client.to_string(),
            key: key.to_string(),
            user_id: user_id.as_deref().map(str::to_owned),
            address: address.to_string(),
            state: self.state.label(),
            backend: self.backend.as_deref().map(str::to_owned),
            allocations: self.allocations,
            usage: self.usage,
            quality: self.progress.quality().map(QualityView::from),
            began_at: self.began_at.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            age_seconds: self.age(now).as_secs(),
        }
    }

    /// How far it has come, from what is known of it.
    pub(super) fn present_state(&self) -> SessionState {
        match (&self.backend, self.allocations) {
            (None, _) => SessionState::Offered,
            (Some(_), 0) => SessionState::Answered,
            (Some(_), _) => self.progress.state(),
        }
    }

    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }
}
