//! `ExpectedChecks`: tells by the user name in a connectivity check whose it is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use crate::gateway::http::ids::SessionId;
use crate::secret::Secret;
use crate::wire::{Class, Integrity, Key, Message, Method, attribute};

/// What the checks bear that a session's client sends to its backend (RFC 8445 §7.2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct ExpectedCheck {
    /// The fragment of the answer, a colon, and the fragment of the offer.
    pub(in crate::gateway) username: Arc<str>,
    /// The password of the answer: who signs with it has seen the answer.
    pub(in crate::gateway) password: Secret,
}

/// The checks of sessions that have named no allocation of ours.
#[derive(Debug, Default)]
pub(super) struct ExpectedChecks(HashMap<Arc<str>, (SessionId, Secret)>);

impl ExpectedChecks {
    /// Expects a check of a session; the first one to expect it stays.
    pub(super) fn insert(&mut self, session: &SessionId, check: ExpectedCheck) {
        self.0.entry(check.username).or_insert_with(|| (session.clone(), check.password));
    }

    /// Forgets what a session expected.
    pub(super) fn remove(&mut self, session: &SessionId, username: &Arc<str>) {
        if let Entry::Occupied(expected) = self.0.entry(Arc::clone(username))
            && expected.get().0 == *session
        {
            expected.remove();
        }
    }

    /// Whose a check is, and what it must be signed with.
    pub(super) fn find(&self, username: &str) -> Option<&(SessionId, Secret)> {
        self.0.get(username)
    }
}

/// The Binding request in a payload, and the user name in it.
pub(super) fn read(payload: &[u8]) -> Option<(Message<'_>, &str)> {
    let message = Message::parse(payload).ok()?;
    let is_check = message.method() == Method::Binding && message.class() == Class::Request;
    let username = std::str::from_utf8(message.find(attribute::USERNAME)?).ok()?;
    is_check.then_some((message, username))
}

/// Whether whoever sent a check knows the password. ICE signs with SHA-1 (RFC 8445 §7.1.1).
pub(super) fn is_signed_with(message: &Message<'_>, password: &Secret) -> bool {
    message.is_signed_with(&Key::new(Integrity::Sha1, password.expose().as_bytes()))
}
