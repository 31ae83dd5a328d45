//! `Grants`: which session has which grant, and which grants are over; one for the whole relay.
//!
//! Touched when allocations with a grant begin and when sessions claim or end, never for data.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;

use super::session_events::SessionTag;
use crate::turn::{Grant, GrantId};

/// The grants that sessions have, and those that are blocked.
#[derive(Debug, Default)]
pub(super) struct Grants(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// Those of sessions that live.
    bound: HashMap<GrantId, Bound, RandomState>,
    of_sessions: HashMap<SessionTag, Vec<GrantId>, RandomState>,
    /// Those that are over, until they would have expired anyway.
    blocked: HashMap<GrantId, u64, RandomState>,
    by_expiry: BTreeSet<(u64, GrantId)>,
    /// Keys that were revoked, and when.
    revoked: HashMap<Arc<str>, u64, RandomState>,
}

#[derive(Debug)]
struct Bound {
    session: SessionTag,
    expires: u64,
}

/// Whether an allocation may begin with a grant, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// No session has claimed it yet.
    Free,
    /// It is of this session.
    Of(SessionTag),
    /// Its session has ended.
    Blocked,
}

impl Grants {
    /// What is known of a grant.
    pub(super) fn standing(&self, grant: &Grant) -> Standing {
        let table = self.lock();
        if table.blocked.contains_key(&grant.id) || table.has_revoked_key(grant) {
            return Standing::Blocked;
        }
        table.bound.get(&grant.id).map_or(Standing::Free, |bound| Standing::Of(bound.session.clone()))
    }

    /// Gives a grant to a session; false if it is over, or if another session has it than the one that it may be taken from.
    pub(super) fn bind(&self, grant: &Grant, session: &SessionTag, from: Option<&SessionTag>) -> bool {
        let mut table = self.lock();
        if table.blocked.contains_key(&grant.id) || table.has_revoked_key(grant) {
            return false;
        }
        if let Some(bound) = table.bound.get(&grant.id) {
            let before = bound.session.clone();
            if before == *session {
                return true;
            }
            if from != Some(&before) {
                return false;
            }
            if let Some(grants) = table.of_sessions.get_mut(&before) {
                grants.retain(|id| *id != grant.id);
            }
        }
        let bound = Bound { session: session.clone(), expires: grant.expires };
        table.bound.insert(grant.id, bound);
        table.of_sessions.entry(session.clone()).or_default().push(grant.id);
        true
    }

    /// A session has ended: nothing begins with its grants any more. False if it has none.
    pub(super) fn block(&self, session: &SessionTag, unix_seconds: u64) -> bool {
        let mut table = self.lock();
        table.forget_expired(unix_seconds);
        let grants = table.of_sessions.remove(session).unwrap_or_default();
        for id in &grants {
            let Some(bound) = table.bound.remove(id) else { continue };
            if bound.expires > unix_seconds {
                table.blocked.insert(*id, bound.expires);
                table.by_expiry.insert((bound.expires, *id));
            }
        }
        // What would expire first is the least harm.
        while table.blocked.len() > MOST_BLOCKED
            && let Some((_, id)) = table.by_expiry.pop_first()
        {
            table.blocked.remove(&id);
        }
        !grants.is_empty()
    }

    /// A session has failed: its client may try again with its grants.
    pub(super) fn release(&self, session: &SessionTag) {
        let mut table = self.lock();
        for id in table.of_sessions.remove(session).unwrap_or_default() {
            table.bound.remove(&id);
        }
    }

    /// A key was revoked: what it was granted until now is good for nothing any more.
    pub(super) fn revoke(&self, key: &Arc<str>, unix_seconds: u64) {
        let mut table = self.lock();
        table.revoked.insert(Arc::clone(key), unix_seconds);
        if table.revoked.len() > MOST_REVOKED
            && let Some(first) =
                table.revoked.iter().min_by_key(|(_, at)| **at).map(|(key, _)| Arc::clone(key))
        {
            table.revoked.remove(&first);
        }
    }

    /// Whether a grant's key was revoked after it was made.
    pub(super) fn is_revoked(&self, grant: &Grant) -> bool {
        self.lock().has_revoked_key(grant)
    }

    /// How many are blocked.
    pub(super) fn blocked(&self) -> usize {
        self.lock().blocked.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // A poisoned table may know a grant less, which then expires by itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn has_revoked_key(&self, grant: &Grant) -> bool {
        self.revoked.get(&grant.key).is_some_and(|&at| grant.issued <= at)
    }

    fn forget_expired(&mut self, unix_seconds: u64) {
        while let Some(&(expires, id)) = self.by_expiry.first()
            && expires <= unix_seconds
        {
            self.by_expiry.pop_first();
            self.blocked.remove(&id);
        }
    }
}

/// Some 20 MiB; at ten sessions that end each second, and an hour that grants are good for, it is a third full.
const MOST_BLOCKED: usize = 100_000;

/// More keys than any configuration has; operators revoke them one by one.
const MOST_REVOKED: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(id: u32, expires: u64) -> Grant {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&id.to_be_bytes());
        Grant { id: GrantId(bytes), issued: 0, expires, key: "key".into(), client: "app".into(), user: None }
    }

    #[test]
    fn nothing_begins_with_what_a_revoked_key_was_granted() {
        let grants = Grants::default();
        let old = Grant { issued: 10, ..grant(1, 100) };
        let new = Grant { issued: 11, ..grant(2, 100) };
        grants.revoke(&"key".into(), 10);
        assert_eq!(grants.standing(&old), Standing::Blocked);
        assert!(!grants.bind(&old, &tag("s"), None));
        assert_eq!(grants.standing(&new), Standing::Free, "there is another key of that name");
        let other = Grant { key: "other".into(), ..old };
        assert_eq!(grants.standing(&other), Standing::Free);
    }

    #[test]
    fn the_keys_that_it_remembers_are_bounded() {
        let grants = Grants::default();
        for number in 0..=MOST_REVOKED {
            grants.revoke(&number.to_string().into(), number as u64);
        }
        assert_eq!(grants.lock().revoked.len(), MOST_REVOKED);
        assert!(!grants.lock().revoked.contains_key("0"), "the first one is forgotten");
    }

    fn tag(session: &str) -> SessionTag {
        SessionTag(session.into())
    }

    #[test]
    fn a_grant_serves_one_session_and_is_over_with_it() {
        let grants = Grants::default();
        let (first, second) = (grant(1, 100), grant(2, 100));
        assert_eq!(grants.standing(&first), Standing::Free);
        assert!(grants.bind(&first, &tag("one"), None) && grants.bind(&first, &tag("one"), None));
        assert!(grants.bind(&second, &tag("one"), None) && !grants.bind(&first, &tag("two"), None));
        assert_eq!(grants.standing(&first), Standing::Of(tag("one")));

        grants.block(&tag("one"), 50);

        assert_eq!(
            (grants.standing(&first), grants.standing(&second)),
            (Standing::Blocked, Standing::Blocked)
        );
        assert!(!grants.bind(&first, &tag("two"), None));
        grants.block(&tag("other"), 100);
        assert_eq!(grants.blocked(), 0, "they have expired");
    }

    #[test]
    fn a_grant_goes_on_to_the_next_session_of_its_user() {
        let grants = Grants::default();
        let grant = grant(1, 100);
        assert!(grants.bind(&grant, &tag("one"), None));
        assert!(!grants.bind(&grant, &tag("two"), Some(&tag("other"))));
        assert!(grants.bind(&grant, &tag("two"), Some(&tag("one"))));
        grants.block(&tag("one"), 50);
        assert_eq!(grants.standing(&grant), Standing::Of(tag("two")));
        grants.block(&tag("two"), 50);
        assert_eq!(grants.standing(&grant), Standing::Blocked);
    }

    #[test]
    fn a_session_that_failed_leaves_its_grants() {
        let grants = Grants::default();
        assert!(grants.bind(&grant(1, 100), &tag("one"), None));
        grants.release(&tag("one"));
        assert!(grants.bind(&grant(1, 100), &tag("two"), None));
    }

    #[test]
    fn bounds_what_is_blocked_and_gives_up_what_expires_first() {
        let grants = Grants::default();
        for id in 0..=MOST_BLOCKED as u32 {
            assert!(grants.bind(&grant(id, 100 + u64::from(id)), &tag("one"), None));
        }
        grants.block(&tag("one"), 50);

        assert_eq!(grants.blocked(), MOST_BLOCKED);
        assert_eq!(grants.standing(&grant(0, 100)), Standing::Free);
        assert_eq!(grants.standing(&grant(1, 101)), Standing::Blocked);
    }
}
