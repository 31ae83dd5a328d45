//! Who sent a request: the long-term credential mechanism (RFC 8489 §9.2.4).

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::account::account;
use super::allocation::Allocation;
use super::anonymous::AnonymousListeners;
use super::auth_failure::AuthFailure;
use super::directory::{Directory, Entry};
use super::five_tuple::{FiveTuple, Now};
use super::grant::Grant;
use super::hook::HookAnswer;
use super::nonce::{BadNonce, Nonces};
use super::reject::Reject;
use super::security_features::{Offer, SecurityFeatures};
use super::settings::Settings;
use crate::wire::attribute::{
    ACCESS_TOKEN, MOBILITY_TICKET, NONCE, PASSWORD_ALGORITHM, PASSWORD_ALGORITHMS, REALM,
    THIRD_PARTY_AUTHORIZATION, USERHASH, USERNAME,
};
use crate::wire::{
    ErrorCode, Integrity, LongTermKey, Message, MessageWriter, Method as StunMethod, PasswordAlgorithm,
};

/// Decides who a request comes from.
#[derive(Debug)]
pub(super) struct Authenticator {
    realm: String,
    directory: Directory,
    nonces: Nonces,
    offer: Offer,
    anonymous_listeners: AnonymousListeners,
    asks_hook: bool,
}

/// Who a request comes from.
#[derive(Debug, Clone)]
pub(super) struct User {
    /// The user name; a USERHASH is replaced by what it stands for.
    pub(super) username: Arc<[u8]>,
    /// What the request was signed with; nothing where no credentials were asked for and none were shown.
    proof: Option<Proof>,
    /// The Unix second at which the session ends with its credential, if it does.
    expires: Option<u64>,
    /// What the gateway granted, if the name came from there.
    pub(super) grant: Option<Arc<Grant>>,
}

/// The right key, and how it was used.
#[derive(Debug, Clone)]
struct Proof {
    key: Arc<LongTermKey>,
    algorithm: PasswordAlgorithm,
    signature: Signature,
    has_token: bool,
}

/// Why a request is not carried out.
#[derive(Debug)]
pub(super) enum Denial {
    /// It is refused.
    Reject(Reject),
    /// First somebody else must say who this user is.
    Ask(Arc<str>),
}

impl From<AuthFailure> for Denial {
    fn from(failure: AuthFailure) -> Self {
        Self::Reject(failure.into())
    }
}

impl From<Reject> for Denial {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

/// Which attributes protect the answers to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signature {
    Sha1,
    Sha256,
    Both,
}

/// How a request says that it is signed.
#[derive(Debug, Clone, Copy)]
struct Method {
    algorithm: PasswordAlgorithm,
    signature: Signature,
}

impl Authenticator {
    pub(super) fn new(settings: &Settings) -> Self {
        let offer = Offer::new(&settings.password_algorithms);
        let features = SecurityFeatures {
            password_algorithms: offer.is_choice(),
            username_anonymity: settings.hide_usernames,
        };
        Self {
            realm: settings.realm.clone(),
            directory: Directory::new(settings),
            nonces: Nonces::new(&settings.nonce_keys, features.cookie(), settings.nonce_lifetime),
            offer,
            anonymous_listeners: settings.anonymous_listeners.clone(),
            asks_hook: settings.asks_hook,
        }
    }

    /// Checks the credentials of a request; the allocation is that of its 5-tuple, if there is one, and the answer what
    /// somebody else said of its user, if that was asked.
    pub(super) fn authenticate(
        &self,
        now: Now,
        path: FiveTuple,
        message: &Message<'_>,
        allocation: Option<&Allocation>,
        answer: Option<&HookAnswer>,
    ) -> Result<User, Denial> {
        let Some(integrity) = message.integrity() else {
            // Deviation from RFC 8656 §5: listeners that an operator opens to clients without credentials demand none.
            // Some clients have none to show; what they may reach and how much they may take is bounded instead.
            if self.anonymous_listeners.serve(&path) {
                return Ok(User::anonymous());
            }
            // First bullet: without integrity the client is told how to authenticate.
            return Err(AuthFailure::NoCredentials.into());
        };
        // Second bullet: integrity without what it needs is an error of the client's.
        let (Some(realm), Some(nonce)) = (message.find(REALM), message.find(NONCE)) else {
            return Err(Reject::Malformed.into());
        };
        let username = match (message.find(USERNAME), message.find(USERHASH)) {
            (Some(name), None) => Some(name),
            (None, Some(hash)) => self.directory.name_of_hash(hash).map(|name| &**name),
            // RFC 8489 §14.4: each stands in the place of the other.
            (None, None) | (Some(_), Some(_)) => return Err(Reject::Malformed.into()),
        };
        // Third bullet: what was offered must not have been tampered with.
        let method = self.method(integrity, nonce, message)?;
        // Fourth and fifth: an unknown user, another realm and a wrong password get the same answer.
        let Method { algorithm, signature } = method;
        let mut user = self.find(now, username, algorithm, message, allocation);
        match (&user, username, answer) {
            (None, Some(name), Some(HookAnswer::Granted(known))) => {
                user = self.directory.find_in_answer(name, known, algorithm, message, now.unix_seconds);
            }
            (None, _, Some(HookAnswer::Failed)) => return Err(Reject::Undecided.into()),
            (..) => {}
        }
        if realm != self.realm.as_bytes() {
            return Err(AuthFailure::WrongRealm.into());
        }
        let nonce = self.nonces.check(nonce, now.unix_seconds, path.client).map_err(|bad| match bad {
            BadNonce::Old => AuthFailure::OldNonce,
            BadNonce::Foreign => AuthFailure::ForeignNonce,
        });
        let Some(Entry { username, key, has_token, expires, grant }) = user else {
            let failure = || self.directory.failure(username, message, answer, now.unix_seconds);
            return Err(match username.and_then(|name| self.name_to_ask(name, message)) {
                Some(_) if answer.is_some() => failure().into(),
                // Whoever forges its source has no nonce and cannot make us ask.
                Some(name) => nonce.map_or_else(Denial::from, |()| Denial::Ask(name.into())),
                None => failure().into(),
            });
        };
        // Last bullet: only who knows the password learns that the nonce is merely old.
        nonce?;
        Ok(User { username, proof: Some(Proof { key, algorithm, signature, has_token }), expires, grant })
    }

    /// Tells a client how to authenticate, where it gets an error for which that must be said (RFC 8489 §9.2.4); and where
    /// tokens for us come from, if any do (RFC 7635 §6.1).
    pub(super) fn challenge<'b>(
        &self,
        now: Now,
        client: SocketAddr,
        error: ErrorCode,
        mut writer: MessageWriter<'b>,
    ) -> MessageWriter<'b> {
        if !matches!(error, ErrorCode::UNAUTHENTICATED | ErrorCode::STALE_NONCE) {
            return writer;
        }
        writer = writer
            .bytes(REALM, self.realm.as_bytes())
            .bytes(NONCE, &self.nonces.issue(now.unix_seconds, client));
        if self.offer.is_choice() {
            writer = writer.bytes(PASSWORD_ALGORITHMS, self.offer.attribute());
        }
        match self.directory.third_party() {
            Some(name) if error == ErrorCode::UNAUTHENTICATED => {
                writer.bytes(THIRD_PARTY_AUTHORIZATION, name.as_bytes())
            }
            Some(_) | None => writer,
        }
    }

    /// With what the request is signed, and its answers are to be.
    fn method(&self, integrity: Integrity, nonce: &[u8], message: &Message<'_>) -> Result<Method, Reject> {
        let (chosen, repeated) = (message.find(PASSWORD_ALGORITHM), message.find(PASSWORD_ALGORITHMS));
        // Who sends neither does not know them, and is served as ever.
        if chosen.is_none() && repeated.is_none() {
            return Ok(Method { algorithm: PasswordAlgorithm::Md5, signature: Signature::Sha1 });
        }
        if SecurityFeatures::of_nonce(nonce).is_some_and(|features| features.password_algorithms) {
            // RFC 8489 §9.2.4: every request has both, also a later one, for which §9.2.3.2 forgets the second.
            let is_sound =
                repeated == Some(self.offer.attribute()) && chosen.is_some_and(|it| self.offer.has(it));
            if !is_sound {
                return Err(Reject::Malformed);
            }
        }
        let algorithm = match chosen {
            Some(chosen) => Offer::algorithm(chosen).ok_or(Reject::Malformed)?,
            None => PasswordAlgorithm::Md5,
        };
        // Answers carry MESSAGE-INTEGRITY-SHA256. A client that signs with MESSAGE-INTEGRITY alone may understand only
        // that one, so it finds both.
        let signature = match integrity {
            Integrity::Sha1 => Signature::Both,
            Integrity::Sha256 => Signature::Sha256,
        };
        Ok(Method { algorithm, signature })
    }

    /// The name that somebody else is to be asked about: of who begins a session, or takes one along, and is unknown here.
    fn name_to_ask<'m>(&self, username: &'m [u8], message: &Message<'_>) -> Option<&'m str> {
        let begins = match message.method() {
            StunMethod::Allocate => true,
            StunMethod::Refresh => message.find(MOBILITY_TICKET).is_some(),
            StunMethod::Binding
            | StunMethod::Send
            | StunMethod::Data
            | StunMethod::CreatePermission
            | StunMethod::ChannelBind
            | StunMethod::Connect
            | StunMethod::ConnectionBind
            | StunMethod::ConnectionAttempt
            | StunMethod::Unknown(_) => false,
        };
        let is_foreign = message.find(ACCESS_TOKEN).is_none() && !self.directory.knows(username);
        let name = std::str::from_utf8(username).ok().filter(|name| name.len() < MOST_NAME_BYTES)?;
        (self.asks_hook && begins && is_foreign).then_some(name)
    }

    /// The user who signed the message.
    fn find(
        &self,
        now: Now,
        username: Option<&[u8]>,
        algorithm: PasswordAlgorithm,
        message: &Message<'_>,
        allocation: Option<&Allocation>,
    ) -> Option<Entry> {
        if let (Some(token), Some(kid)) = (message.find(ACCESS_TOKEN), message.find(USERNAME)) {
            return self.directory.find_token(kid, token, message, now.unix_seconds);
        }
        // The allocation's own user keeps the key that it came with, also when an expiring name has expired since:
        // unless credentials end sessions, the expiry limits when one may begin, not how long it lasts. Only
        // Allocate and Refresh carry an access token (RFC 7635 §9).
        let owner = allocation.map(|allocation| &allocation.user);
        if let Some(owner) = owner
            && let Some(proof) = &owner.proof
            && proof.algorithm == algorithm
            && username == Some(&*owner.username)
        {
            let is_open = owner.expires.is_none_or(|expires| now.unix_seconds < expires);
            return (message.is_protected_by(&proof.key) && is_open).then(|| Entry {
                username: owner.username.clone(),
                key: proof.key.clone(),
                has_token: proof.has_token,
                expires: owner.expires,
                grant: owner.grant.clone(),
            });
        }
        self.directory.find(username, algorithm, message, now.unix_seconds)
    }
}

impl User {
    /// Whoever shows no credentials where none are asked for.
    fn anonymous() -> Self {
        Self { username: Arc::from(*b"anonymous"), proof: None, expires: None, grant: None }
    }

    /// Whether nothing is known of the client but its address.
    pub(super) fn is_anonymous(&self) -> bool {
        self.proof.is_none()
    }

    /// Whose allocations count together.
    pub(super) fn account(&self) -> Cow<'_, [u8]> {
        match &self.grant {
            Some(grant) => Cow::Owned(grant.account()),
            None => Cow::Borrowed(account(&self.username)),
        }
    }

    /// Whether both have one name. Whoever shows no credentials has none, and is apart from a user who is called so.
    pub(super) fn has_name_of(&self, other: &Self) -> bool {
        self.username == other.username && self.is_anonymous() == other.is_anonymous()
    }

    /// Whether both are one user. Holders of access tokens are, on one 5-tuple: the new token that must prolong an
    /// allocation may be sealed with a new key, which then is its user name (RFC 7635 §9).
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        let has_token = |user: &Self| user.proof.as_ref().is_some_and(|proof| proof.has_token);
        self.has_name_of(other) || (has_token(self) && has_token(other))
    }

    /// Whether this is the one who made an allocation, on another connection. Names of access tokens are shared, so
    /// there the key tells; and without credentials nothing does.
    pub(super) fn is_holder_of(&self, allocation: &Allocation) -> bool {
        let (Some(proof), Some(owners)) = (&self.proof, &allocation.user.proof) else {
            return false;
        };
        self.username == allocation.user.username
            && (!owners.has_token || Arc::ptr_eq(&proof.key, &owners.key))
    }

    /// Cuts a lifetime where the credential ends.
    pub(super) fn limit(&self, lifetime: Duration, now: Now) -> Duration {
        match self.expires {
            Some(expires) => lifetime.min(Duration::from_secs(expires.saturating_sub(now.unix_seconds))),
            None => lifetime,
        }
    }

    /// Protects an answer as its request asked for (RFC 8489 §9.2.4).
    pub(super) fn protect<'b>(&self, writer: MessageWriter<'b>) -> MessageWriter<'b> {
        let Some(Proof { key, signature, .. }) = &self.proof else {
            return writer;
        };
        match signature {
            Signature::Sha1 => writer.protect(key, Integrity::Sha1),
            Signature::Sha256 => writer.protect(key, Integrity::Sha256),
            // RFC 8489 §14.5: MESSAGE-INTEGRITY-SHA256 follows MESSAGE-INTEGRITY.
            Signature::Both => writer.protect(key, Integrity::Sha1).protect(key, Integrity::Sha256),
        }
    }
}

/// RFC 8489 §14.3: a user name is UTF-8 of fewer bytes than this.
const MOST_NAME_BYTES: usize = 509;
