//! `Questions`: what the auth hook is asked about users whom nobody here knows, one for the whole relay.
//!
//! ```text
//! worker ── Undecided ─▶ answered already? ─ yes ─▶ the worker goes on at once
//!                           └─ no ─▶ asked already? ─ no, and within the bounds ─▶ Question ─▶ whoever asks (`app`)
//! workers that wait ◀── Command::Decided ── kept in Answers ◀─────────── answer ────┘
//! ```

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;

use super::answers::Answers;
use super::command::Command;
use super::handshakes::Mailbox;
use super::settings::HookSettings;
use crate::telemetry::{HookBound, HookMetrics, HookResult};
use crate::turn::credential::UserKey;
use crate::turn::{FiveTuple, HookAnswer, HookUser, SourcePrefix, Transport, Undecided};

/// Asks, and has each question answered some time later; called by the workers, so it must not block.
pub type AskHook = dyn Fn(Question) + Send + Sync;

/// What may be asked, and how.
pub struct AuthHook {
    /// The bounds.
    pub settings: HookSettings,
    /// Who asks.
    pub ask: Box<AskHook>,
}

/// A question about a user. Dropped without an answer it has failed.
pub struct Question {
    username: Arc<str>,
    client: SocketAddr,
    transport: Transport,
    questions: Arc<Questions>,
    is_answered: bool,
}

/// What comes of a question.
#[derive(Debug)]
pub enum Answer {
    /// This is the user.
    Granted {
        /// What to check its requests with.
        key: UserKey,
        /// How long the answer may be used, if the hook says so.
        keep_for: Option<Duration>,
        /// The Unix second at which the user's session ends, if it does.
        expires: Option<u64>,
    },
    /// There is nobody of that name, or not for us.
    Refused {
        /// How long the answer may be used, if the hook says so.
        keep_for: Option<Duration>,
    },
    /// The hook could not be asked, or said nothing that could be used.
    Failed,
    /// The hook took too long.
    TimedOut,
}

/// The questions that are open, and the answers of late.
pub(super) struct Questions {
    realm: String,
    hook: AuthHook,
    metrics: HookMetrics,
    mailboxes: Arc<OnceLock<Vec<Mailbox>>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    answers: Answers,
    open: HashMap<Arc<str>, Open, RandomState>,
    /// How many open questions came from each source; one without has no entry.
    by_source: HashMap<SourcePrefix, usize, RandomState>,
}

#[derive(Debug)]
struct Open {
    source: SourcePrefix,
    since: Instant,
    /// The workers that wait for the answer.
    workers: Vec<u16>,
}

/// What a worker is told about a request of a user whom nobody here knows.
#[derive(Debug)]
pub(super) enum Asked {
    /// The answer is known.
    Answered(HookAnswer),
    /// It comes as [`Command::Decided`].
    Pending,
    /// Too much is asked already.
    TooMany(HookBound),
}

impl Questions {
    pub(super) fn new(
        hook: AuthHook,
        realm: String,
        metrics: HookMetrics,
        mailboxes: Arc<OnceLock<Vec<Mailbox>>>,
    ) -> Self {
        Self { realm, hook, metrics, mailboxes, state: Mutex::default() }
    }

    pub(super) fn metrics(&self) -> &HookMetrics {
        &self.metrics
    }

    /// How many users and how many other names are known of late.
    pub(super) fn count_answers(&self) -> (u64, u64) {
        self.state().answers.count(Instant::now())
    }

    /// Asks who sent a request, unless that is known or asked already.
    pub(super) fn ask(self: &Arc<Self>, now: Instant, undecided: &Undecided, worker: u16) -> Asked {
        let HookSettings { max_questions, max_questions_per_source, .. } = self.hook.settings;
        let source = undecided.source();
        let mut state = self.state();
        if let Some(answer) = state.answers.find(now, &undecided.username) {
            return Asked::Answered(answer);
        }
        if let Some(open) = state.open.get_mut(&undecided.username) {
            if !open.workers.contains(&worker) {
                open.workers.push(worker);
            }
            return Asked::Pending;
        }
        if state.open.len() >= max_questions {
            return Asked::TooMany(HookBound::Questions);
        }
        if state.by_source.get(&source).is_some_and(|&count| count >= max_questions_per_source) {
            return Asked::TooMany(HookBound::QuestionsOfSource);
        }
        *state.by_source.entry(source).or_default() += 1;
        let username = Arc::clone(&undecided.username);
        state.open.insert(Arc::clone(&username), Open { source, since: now, workers: vec![worker] });
        // Whoever asks may answer at once.
        drop(state);
        let FiveTuple { client, transport, .. } = undecided.path;
        let questions = Arc::clone(self);
        (self.hook.ask)(Question { username, client, transport, questions, is_answered: false });
        Asked::Pending
    }

    fn close(&self, username: &Arc<str>, answer: Answer) {
        let HookSettings { cache, negative_cache, .. } = self.hook.settings;
        let (result, answer, lasts) = match answer {
            Answer::Granted { key, keep_for, expires } => {
                let user = HookUser::new(username, &self.realm, &key, expires);
                (HookResult::Granted, HookAnswer::Granted(user), keep_for.unwrap_or(cache))
            }
            Answer::Refused { keep_for } => {
                (HookResult::Refused, HookAnswer::Refused, keep_for.unwrap_or(negative_cache))
            }
            Answer::Failed => (HookResult::Failed, HookAnswer::Failed, BACK_OFF),
            Answer::TimedOut => (HookResult::TimedOut, HookAnswer::Failed, BACK_OFF),
        };
        let now = Instant::now();
        let mut state = self.state();
        let Some(open) = state.open.remove(username) else { return };
        if let Some(count) = state.by_source.get_mut(&open.source) {
            *count -= 1;
            if *count == 0 {
                state.by_source.remove(&open.source);
            }
        }
        state.answers.keep(now, username, answer.clone(), lasts.min(LONGEST));
        drop(state);
        self.metrics.answered(result, now.saturating_duration_since(open.since));
        let mailboxes = self.mailboxes.get().map(Vec::as_slice).unwrap_or_default();
        for mailbox in open.workers.iter().filter_map(|&worker| mailboxes.get(usize::from(worker))) {
            // A worker that is gone has no requests either.
            let _ = mailbox.commands.send(Command::Decided(Arc::clone(username), answer.clone()));
            mailbox.waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is whole before the next can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Question {
    /// Who the client says to be.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The realm that keys are made with, prepared for it.
    pub fn realm(&self) -> &str {
        &self.questions.realm
    }

    /// Where the client is; the first one, where several ask for the same name.
    pub fn client(&self) -> SocketAddr {
        self.client
    }

    /// How the client's packets travel.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Lets the requests that wait go on.
    pub fn answer(mut self, answer: Answer) {
        self.is_answered = true;
        self.questions.close(&self.username, answer);
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if !self.is_answered {
            self.questions.close(&self.username, Answer::Failed);
        }
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("username", &self.username).finish_non_exhaustive()
    }
}

impl fmt::Debug for AuthHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthHook").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl fmt::Debug for Questions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Questions").field("hook", &self.hook).finish_non_exhaustive()
    }
}

/// So long a name whose question failed is not asked again; its client's next retransmission may be.
const BACK_OFF: Duration = Duration::from_secs(1);
/// No answer is used for longer, whatever the hook says.
const LONGEST: Duration = Duration::from_secs(3600);
