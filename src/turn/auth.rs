//! Who sent a request: the long-term credential mechanism (RFC 8489 §9.2.4).

use std::net::SocketAddr;

use super::allocation::Allocation;
use super::five_tuple::Now;
use super::nonce::Nonces;
use super::reject::Reject;
use super::settings::Settings;
use crate::wire::attribute::{NONCE, REALM, USERNAME};
use crate::wire::{Key, Message};

/// A user whose request was signed with the right key.
#[derive(Debug, Clone)]
pub(super) struct Authenticated {
    /// The name as it was sent.
    pub(super) username: Box<[u8]>,
    /// What answers are signed with.
    pub(super) key: Key,
}

/// Checks the credentials of a request; the allocation is that of its 5-tuple, if there is one.
pub(super) fn authenticate(
    settings: &Settings,
    nonces: &Nonces,
    now: Now,
    client: SocketAddr,
    message: &Message<'_>,
    allocation: Option<&Allocation>,
) -> Result<Authenticated, Reject> {
    // First bullet: without integrity the client is told how to authenticate.
    if message.integrity().is_none() {
        return Err(Reject::Unauthenticated);
    }
    // Second bullet: integrity without what it needs is an error of the client's.
    let (Some(username), Some(realm), Some(nonce)) =
        (message.find(USERNAME), message.find(REALM), message.find(NONCE))
    else {
        return Err(Reject::Malformed);
    };
    // An unknown user, another realm and a wrong password get the same answer.
    let key = find_key(settings, now, username, message, allocation).ok_or(Reject::Unauthenticated)?;
    if realm != settings.realm.as_bytes() {
        return Err(Reject::Unauthenticated);
    }
    // Last bullet: only who knows the password learns that the nonce is merely old.
    if !nonces.is_fresh(nonce, now.unix_seconds, client) {
        return Err(Reject::StaleNonce);
    }
    Ok(Authenticated { username: username.into(), key })
}

/// The key that the message was signed with, if it is one of the user's.
fn find_key(
    settings: &Settings,
    now: Now,
    username: &[u8],
    message: &Message<'_>,
    allocation: Option<&Allocation>,
) -> Option<Key> {
    // The allocation's own user keeps the key that it came with, also when an expiring name has expired since:
    // the expiry limits when a session may begin, not how long it lasts.
    if let Some(user) =
        allocation.map(|allocation| &allocation.user).filter(|user| *user.username == *username)
    {
        return message.is_signed_with(&user.key).then(|| user.key.clone());
    }
    settings
        .credentials
        .find_key(username, &settings.realm, now.unix_seconds, |key| message.is_signed_with(key))
}
