//! What a worker does about users whom only the auth hook knows: their requests wait here for its answer.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::connections::ConnectionId;
use super::outbox::Via;
use super::outputs::{Input, Place};
use super::questions::{Asked, Questions};
use super::shared::Shared;
use super::worker::Worker;
use crate::telemetry::HookBound;
use crate::turn::{HookAnswer, SourcePrefix, Undecided};

/// The requests of one worker that wait, by the names of their users.
#[derive(Debug)]
pub(super) struct WaitingRequests {
    worker: u16,
    /// `None` where there is no hook.
    questions: Option<Arc<Questions>>,
    by_name: HashMap<Arc<str>, Vec<WaitingRequest>, RandomState>,
    /// How many come from each source; one without has no entry.
    by_source: HashMap<SourcePrefix, usize, RandomState>,
    count: usize,
    bytes: usize,
}

/// A request, and the way back to its client.
#[derive(Debug)]
struct WaitingRequest {
    undecided: Undecided,
    via: Via,
    /// The client's connection, if it has one.
    connection: Option<ConnectionId>,
}

impl WaitingRequests {
    pub(super) fn new(worker: u16, shared: &Shared) -> Self {
        let questions = shared.questions.clone();
        Self {
            worker,
            questions,
            by_name: HashMap::default(),
            by_source: HashMap::default(),
            count: 0,
            bytes: 0,
        }
    }

    /// Whether a retransmission of this request waits already.
    fn has(&self, undecided: &Undecided) -> bool {
        let same_name = self.by_name.get(&undecided.username);
        same_name.is_some_and(|all| all.iter().any(|request| request.undecided.is_same_as(undecided)))
    }

    /// What there would be too much of with this request.
    fn exceeded_by(&self, undecided: &Undecided) -> Option<HookBound> {
        if self.by_source.get(&undecided.source()).is_some_and(|&count| count >= MOST_OF_SOURCE) {
            return Some(HookBound::WaitingRequestsOfSource);
        }
        let has_room = self.count < MOST_REQUESTS && self.bytes + undecided.len_bytes() <= MOST_BYTES;
        (!has_room).then_some(HookBound::WaitingRequests)
    }

    fn push(&mut self, request: WaitingRequest) {
        self.count += 1;
        self.bytes += request.undecided.len_bytes();
        *self.by_source.entry(request.undecided.source()).or_default() += 1;
        self.count_in_metrics(1);
        self.by_name.entry(Arc::clone(&request.undecided.username)).or_default().push(request);
    }

    /// Takes the requests of a user out.
    fn take(&mut self, username: &str) -> Vec<WaitingRequest> {
        let requests = self.by_name.remove(username).unwrap_or_default();
        self.count_in_metrics(-(requests.len() as i64));
        for WaitingRequest { undecided, .. } in &requests {
            self.count -= 1;
            self.bytes -= undecided.len_bytes();
            if let Some(count) = self.by_source.get_mut(&undecided.source()) {
                *count -= 1;
                if *count == 0 {
                    self.by_source.remove(&undecided.source());
                }
            }
        }
        if self.by_name.is_empty() {
            // A flood must not leave its room behind.
            self.by_name.shrink_to_fit();
            self.by_source.shrink_to_fit();
        }
        requests
    }

    fn count_in_metrics(&self, more: i64) {
        if let Some(questions) = &self.questions {
            questions.metrics().requests_wait(more);
        }
    }
}

impl Worker {
    /// Finds out who sent a request, at once or later.
    pub(super) fn ask(&mut self, undecided: Undecided, via: Via) {
        let Some(questions) = &self.waiting.questions else { return };
        match questions.ask(self.now.instant, &undecided, self.waiting.worker) {
            Asked::Answered(answer) => self.server.decided(self.now, &undecided, &answer),
            Asked::Pending if self.waiting.has(&undecided) => {}
            Asked::Pending => {
                if let Some(bound) = self.waiting.exceeded_by(&undecided) {
                    return self.turn_away(&undecided, bound);
                }
                let connection = match via {
                    Via::Stream(index) => self.streams.connections.name(index),
                    Via::Listener(_) | Via::Relay(..) | Via::Nowhere => None,
                };
                self.waiting.push(WaitingRequest { undecided, via, connection });
            }
            Asked::TooMany(bound) => self.turn_away(&undecided, bound),
        }
    }

    /// Goes on with the requests of a user, now that it is known who that is.
    pub(super) fn decided(&mut self, username: &str, answer: &HookAnswer) {
        for WaitingRequest { undecided, via, connection } in self.waiting.take(username) {
            // The client may have left meanwhile.
            if connection.is_some_and(|name| self.streams.connections.get_named(name).is_none()) {
                continue;
            }
            self.server.decided(self.now, &undecided, answer);
            self.carry_out(Some(Input { via, place: Place::Nowhere }));
        }
    }

    /// Does without an answer: a client that sends again may do so, one that waits is told.
    fn turn_away(&mut self, undecided: &Undecided, bound: HookBound) {
        if let Some(questions) = &self.waiting.questions {
            questions.metrics().turned_away(bound);
        }
        if undecided.path.transport.is_stream() {
            self.server.decided(self.now, undecided, &HookAnswer::Failed);
        }
    }
}

/// For two seconds' worth of clients in a rush; each takes a kilobyte at most, mostly a quarter of it.
const MOST_REQUESTS: usize = 1024;
/// A whole office may come at once; the rest of it sends again.
const MOST_OF_SOURCE: usize = 64;
/// In all, so that long ones are fewer.
const MOST_BYTES: usize = 1 << 20;
