//! What sessions are told of their allocations while these live, and at their end.

use std::time::{Duration, Instant};

use super::fast_path::{Flow, Traffic};
use super::session_events::{AllocationReport, SessionEvent};
use super::worker::Worker;
use crate::media::Stage;

impl Worker {
    /// Tells sessions what was relayed for them and how it goes, if that is due.
    pub(super) fn tell_sessions(&mut self) {
        if self.claims.next_telling.is_none_or(|due| due > self.now.instant) {
            return;
        }
        for (session, of_session) in &self.claims.of_sessions {
            for allocation in &of_session.allocations {
                let Some(flow) = self.fast_path.flow_mut(allocation.index) else { continue };
                let untold = flow.tell();
                if untold != Traffic::default() {
                    self.claims.tell(SessionEvent::Relayed(session.clone(), untold));
                }
                let Some(watch) = &mut flow.watch else { continue };
                if let Some(stage) = watch.look(self.now.instant, self.claims.media_silence) {
                    self.claims.tell(SessionEvent::Reached(session.clone(), stage));
                }
                let goes_on = match watch.stage() {
                    Stage::Waiting => false,
                    Stage::Connected => untold != Traffic::default(),
                    // That nothing comes any more is news too.
                    Stage::Media | Stage::Stalled => true,
                };
                if goes_on {
                    let quality = Box::new(watch.quality(self.now.instant));
                    self.claims.tell(SessionEvent::Measured(session.clone(), quality));
                }
            }
        }
        // Without sessions nobody needs to be woken.
        let has_sessions = !self.claims.of_sessions.is_empty();
        self.claims.next_telling = has_sessions.then(|| self.now.instant + TELLING_INTERVAL);
    }
}

impl Flow {
    /// What its session is told at its end.
    pub(super) fn report(&mut self, now: Instant) -> AllocationReport {
        AllocationReport {
            allocation: self.tag,
            client: self.client,
            lived: now.saturating_duration_since(self.began),
            untold: self.tell(),
            traffic: self.traffic,
            stage: self.watch.as_ref().map_or(Stage::Waiting, |watch| watch.stage()),
            quality: self.watch.as_ref().map(|watch| watch.whole_quality()).unwrap_or_default(),
        }
    }
}

/// How often sessions are told what was relayed for them. It only serves to be looked at.
pub(super) const TELLING_INTERVAL: Duration = Duration::from_secs(1);
