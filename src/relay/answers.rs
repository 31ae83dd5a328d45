//! `Answers`: what the auth hook said of users, for as long as it may be used.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;

use crate::turn::{HookAnswer, HookUser};

/// Users that the hook knows, and names that it does not, apart from each other: whoever makes names up pushes no user
/// out.
#[derive(Debug, Default)]
pub(super) struct Answers {
    granted: Kept<HookUser>,
    denied: Kept<Denial>,
}

/// Why a name is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// The hook does not know it.
    Refused,
    /// The hook failed when it was asked.
    Failed,
}

/// Values by name that end after a while; no more than [`MOST`].
#[derive(Debug)]
struct Kept<T> {
    by_name: HashMap<Arc<str>, (Instant, T), RandomState>,
    /// One entry for each of them.
    by_end: BTreeSet<(Instant, Arc<str>)>,
}

impl Answers {
    /// What is known of a name.
    pub(super) fn find(&self, now: Instant, username: &str) -> Option<HookAnswer> {
        if let Some(user) = self.granted.find(now, username) {
            return Some(HookAnswer::Granted(user.clone()));
        }
        Some(match self.denied.find(now, username)? {
            Denial::Refused => HookAnswer::Refused,
            Denial::Failed => HookAnswer::Failed,
        })
    }

    pub(super) fn keep(&mut self, now: Instant, username: &Arc<str>, answer: HookAnswer, lasts: Duration) {
        let until = now + lasts;
        // What was said before does not count any more.
        match answer {
            HookAnswer::Granted(user) => {
                self.denied.remove(username);
                self.granted.insert(now, username, until, user);
            }
            HookAnswer::Refused => {
                self.granted.remove(username);
                self.denied.insert(now, username, until, Denial::Refused);
            }
            HookAnswer::Failed => self.denied.insert(now, username, until, Denial::Failed),
        }
    }

    /// How many users and how many other names are known now.
    pub(super) fn count(&mut self, now: Instant) -> (u64, u64) {
        self.granted.remove_ended(now);
        self.denied.remove_ended(now);
        (self.granted.by_name.len() as u64, self.denied.by_name.len() as u64)
    }
}

impl<T> Kept<T> {
    fn find(&self, now: Instant, name: &str) -> Option<&T> {
        self.by_name.get(name).filter(|(until, _)| now < *until).map(|(_, value)| value)
    }

    /// Keeps a value; if there is no room, what would end first makes some.
    fn insert(&mut self, now: Instant, name: &Arc<str>, until: Instant, value: T) {
        self.remove_ended(now);
        self.remove(name);
        if self.by_name.len() >= MOST
            && let Some((_, first)) = self.by_end.pop_first()
        {
            self.by_name.remove(&first);
        }
        self.by_end.insert((until, Arc::clone(name)));
        self.by_name.insert(Arc::clone(name), (until, value));
    }

    fn remove(&mut self, name: &Arc<str>) {
        if let Some((until, _)) = self.by_name.remove(name) {
            self.by_end.remove(&(until, Arc::clone(name)));
        }
    }

    fn remove_ended(&mut self, now: Instant) {
        while self.by_end.first().is_some_and(|(until, _)| *until <= now)
            && let Some((_, name)) = self.by_end.pop_first()
        {
            self.by_name.remove(&name);
        }
    }
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { by_name: HashMap::default(), by_end: BTreeSet::new() }
    }
}

/// With the longest names and both keys of each user some 15 MB.
const MOST: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::turn::credential::UserKey;

    const MINUTE: Duration = Duration::from_secs(60);

    fn granted(username: &str) -> HookAnswer {
        let key = UserKey::Password(Secret::new("password"));
        HookAnswer::Granted(HookUser::new(username, "example.org", &key, None))
    }

    fn keep(answers: &mut Answers, now: Instant, name: &str, answer: HookAnswer) {
        answers.keep(now, &name.into(), answer, MINUTE);
    }

    #[test]
    fn an_answer_is_good_for_its_time_and_a_later_one_replaces_it() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        keep(&mut answers, now, "alice", granted("alice"));
        let just_before = now + MINUTE - Duration::from_millis(1);
        assert!(matches!(answers.find(just_before, "alice"), Some(HookAnswer::Granted(_))));
        assert!(answers.find(now + MINUTE, "alice").is_none());
        assert!(answers.find(now, "bob").is_none());

        keep(&mut answers, now, "alice", HookAnswer::Refused);
        assert!(matches!(answers.find(now, "alice"), Some(HookAnswer::Refused)));
        keep(&mut answers, now, "alice", granted("alice"));
        assert!(matches!(answers.find(now, "alice"), Some(HookAnswer::Granted(_))));
        assert_eq!(answers.count(now), (1, 0));
        assert_eq!(answers.count(now + MINUTE), (0, 0));
        assert!(answers.granted.by_end.is_empty() && answers.denied.by_end.is_empty());
    }

    #[test]
    fn a_failure_does_not_forget_a_user() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        keep(&mut answers, now, "alice", granted("alice"));
        keep(&mut answers, now, "alice", HookAnswer::Failed);
        assert!(matches!(answers.find(now, "alice"), Some(HookAnswer::Granted(_))));
    }

    #[test]
    fn made_up_names_push_out_one_another_and_no_user() {
        let (mut answers, now) = (Answers::default(), Instant::now());
        keep(&mut answers, now, "alice", granted("alice"));
        for number in 0..MOST + 10 {
            let later = now + Duration::from_millis(number as u64);
            keep(&mut answers, later, &format!("made up {number}"), HookAnswer::Refused);
        }
        assert_eq!(answers.count(now), (1, MOST as u64));
        assert_eq!(answers.denied.by_end.len(), MOST);
        assert!(answers.find(now, "made up 9").is_none(), "the oldest went");
        assert!(answers.find(now, "made up 10").is_some());
        assert!(answers.find(now, "alice").is_some());
    }
}
