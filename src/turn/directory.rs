//! `Directory`: the credentials made ready for requests, with every key that can be known beforehand.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::quality::RandomState;

use super::access_token::TokenKeys;
use super::auth_failure::AuthFailure;
use super::credential::{expiry, rest_password};
use super::grant::Grant;
use super::grant_seal::GrantSeal;
use super::hook::{HookAnswer, HookUser};
use super::settings::Settings;
use crate::secret::Secret;
use crate::wire::attribute::ACCESS_TOKEN;
use crate::wire::integrity::user_hash;
use crate::wire::{LongTermKey, Message, PasswordAlgorithm};

/// Who a request may come from, as one realm and one choice of algorithms have it.
#[derive(Debug)]
pub(super) struct Directory {
    realm: String,
    by_name: HashMap<Arc<[u8]>, Arc<User>, RandomState>,
    /// RFC 8489 §14.4: the same users by USERHASH, so that finding one is one step, however many there are.
    by_hash: HashMap<[u8; 32], Arc<User>, RandomState>,
    /// Each with the seal of the names that the gateway hands out.
    secrets: Vec<(Secret, GrantSeal)>,
    algorithms: Vec<PasswordAlgorithm>,
    sessions_end: bool,
    token_keys: TokenKeys,
    token_server_name: String,
    /// What a request is checked with that can come from nobody, so that it takes as long as one with a wrong password.
    nobody: [LongTermKey; 2],
}

/// A static user.
#[derive(Debug)]
struct User {
    name: Arc<[u8]>,
    /// One for each algorithm; missing where it is not offered or the user has none.
    keys: [Option<Arc<LongTermKey>>; 2],
}

/// A user whose request was signed with this key.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The name; a USERHASH is replaced by what it stands for.
    pub(super) username: Arc<[u8]>,
    pub(super) key: Arc<LongTermKey>,
    /// Whether an access token brought the key.
    pub(super) has_token: bool,
    /// The Unix second at which the session ends with its credential, if it does.
    pub(super) expires: Option<u64>,
    /// What the gateway granted, if the name came from there.
    pub(super) grant: Option<Arc<Grant>>,
}

impl Directory {
    pub(super) fn new(settings: &Settings) -> Self {
        let realm = settings.realm.clone();
        let credentials = &settings.credentials;
        let mut by_name = HashMap::default();
        let mut by_hash = HashMap::default();
        for (name, secret) in &credentials.users {
            let key = |algorithm: PasswordAlgorithm| {
                let is_accepted = settings.password_algorithms.contains(&algorithm);
                is_accepted.then(|| secret.key(algorithm, name, &realm)).flatten().map(Arc::new)
            };
            let keys = ALGORITHMS.map(key);
            let user = Arc::new(User { name: name.as_bytes().into(), keys });
            by_name.insert(user.name.clone(), user.clone());
            by_hash.insert(user_hash(name, &realm), user);
        }
        Self {
            by_name,
            by_hash,
            secrets: credentials
                .secrets
                .iter()
                .map(|secret| (secret.clone(), GrantSeal::new(secret)))
                .collect(),
            algorithms: settings.password_algorithms.clone(),
            sessions_end: settings.credentials_end_sessions,
            token_keys: credentials.token_keys.clone(),
            token_server_name: settings.token_server_name.clone().unwrap_or_else(|| realm.clone()),
            nobody: ALGORITHMS.map(|algorithm| LongTermKey::derive(algorithm, b"", &realm, "")),
            realm,
        }
    }

    /// What THIRD-PARTY-AUTHORIZATION tells clients, if there are keys to open tokens with (RFC 7635 §6.1).
    pub(super) fn third_party(&self) -> Option<&str> {
        (!self.token_keys.is_empty()).then_some(&*self.token_server_name)
    }

    /// The name behind a USERHASH. Names that expire cannot be found: nobody knows them all.
    pub(super) fn name_of_hash(&self, hash: &[u8]) -> Option<&Arc<[u8]>> {
        self.by_hash.get(hash).map(|user| &user.name)
    }

    /// Finds the user who signed the message; `username` is `None` when a USERHASH stands for nobody.
    pub(super) fn find(
        &self,
        username: Option<&[u8]>,
        algorithm: PasswordAlgorithm,
        message: &Message<'_>,
        unix_seconds: u64,
    ) -> Option<Entry> {
        if let Some(user) = username.and_then(|name| self.by_name.get(name))
            && let Some(key) = &user.keys[index(algorithm)]
        {
            return message.is_protected_by(key).then(|| Entry {
                username: user.name.clone(),
                key: key.clone(),
                has_token: false,
                expires: None,
                grant: None,
            });
        }
        if let Some(username) = username
            && self.algorithms.contains(&algorithm)
            && let Some(expiring) = self.expiring(username, unix_seconds)
        {
            let Expiring { expires, secrets, grant } = expiring;
            let mut keys = secrets.iter().map(|(secret, _)| {
                let password = rest_password(secret, username);
                LongTermKey::derive(algorithm, username, &self.realm, password.expose())
            });
            let key = Arc::new(keys.find(|key| message.is_protected_by(key))?);
            let expires = self.sessions_end.then_some(expires);
            return Some(Entry { username: username.into(), key, has_token: false, expires, grant });
        }
        // The work of a wrong password, so that the time of a refusal does not tell who exists.
        message.is_protected_by(&self.nobody[index(algorithm)]);
        None
    }

    /// Finds the key of an access token that the message was signed with; `kid` is its user name (RFC 7635 §5).
    pub(super) fn find_token(
        &self,
        kid: &[u8],
        token: &[u8],
        message: &Message<'_>,
        unix_seconds: u64,
    ) -> Option<Entry> {
        let token = self.token_keys.open(kid, &self.token_server_name, token, unix_seconds)?;
        message.is_protected_by(&token.key).then(|| Entry {
            username: kid.into(),
            key: Arc::new(token.key),
            has_token: true,
            expires: Some(token.expires),
            grant: None,
        })
    }

    /// Whether the name is one that somebody here would know: that of a user, or one that expires.
    pub(super) fn knows(&self, username: &[u8]) -> bool {
        let expires = || !self.secrets.is_empty() && expiry(username).is_some();
        self.by_name.contains_key(username) || expires() || self.open(username).is_some()
    }

    /// The entry of a user whom a service outside knows, if the message was signed with the key that it told.
    pub(super) fn find_in_answer(
        &self,
        username: &[u8],
        user: &HookUser,
        algorithm: PasswordAlgorithm,
        message: &Message<'_>,
        unix_seconds: u64,
    ) -> Option<Entry> {
        let key = user.key(algorithm).filter(|_| self.algorithms.contains(&algorithm))?;
        let is_open = user.expires().is_none_or(|expires| unix_seconds < expires);
        (message.is_protected_by(key) && is_open).then(|| Entry {
            username: username.into(),
            key: key.clone(),
            has_token: false,
            expires: user.expires(),
            grant: None,
        })
    }

    /// Why a message is not that of the user whom it names, after it was found not to be.
    pub(super) fn failure(
        &self,
        username: Option<&[u8]>,
        message: &Message<'_>,
        answer: Option<&HookAnswer>,
        unix_seconds: u64,
    ) -> AuthFailure {
        let Some(username) = username else { return AuthFailure::UnknownUser };
        if message.find(ACCESS_TOKEN).is_some() {
            return AuthFailure::InvalidToken;
        }
        let is_over = if self.by_name.contains_key(username) {
            false
        } else if let Some(HookAnswer::Granted(user)) = answer {
            user.expires().is_some_and(|expires| expires <= unix_seconds)
        } else if let Some(Expiring { expires, .. }) = self.ever_expiring(username) {
            !self.may_begin(expires, unix_seconds)
        } else {
            return AuthFailure::UnknownUser;
        };
        if is_over { AuthFailure::Expired } else { AuthFailure::WrongPassword }
    }

    /// What is known of a user name that expires, if it is one and has not done so.
    fn expiring(&self, username: &[u8], unix_seconds: u64) -> Option<Expiring<'_>> {
        self.ever_expiring(username).filter(|expiring| self.may_begin(expiring.expires, unix_seconds))
    }

    /// The same, whenever it expires.
    fn ever_expiring(&self, username: &[u8]) -> Option<Expiring<'_>> {
        match expiry(username) {
            Some(_) if self.secrets.is_empty() => None,
            Some(expires) => Some(Expiring { expires, secrets: &self.secrets, grant: None }),
            None => self.open(username),
        }
    }

    /// Whether sessions may begin with a name that expires then. One that ends with its name must not begin in the second
    /// in which it would end.
    fn may_begin(&self, expires: u64, unix_seconds: u64) -> bool {
        unix_seconds < expires || (unix_seconds == expires && !self.sessions_end)
    }

    /// What a sealed user name says.
    fn open(&self, username: &[u8]) -> Option<Expiring<'_>> {
        self.secrets.iter().find_map(|secret| {
            let grant = Arc::new(secret.1.open(username)?);
            let secrets = std::slice::from_ref(secret);
            Some(Expiring { expires: grant.expires, secrets, grant: Some(grant) })
        })
    }
}

/// A user name that expires.
struct Expiring<'a> {
    expires: u64,
    /// Those that its password may be computed from.
    secrets: &'a [(Secret, GrantSeal)],
    grant: Option<Arc<Grant>>,
}

/// The order of keys in arrays.
const ALGORITHMS: [PasswordAlgorithm; 2] = [PasswordAlgorithm::Md5, PasswordAlgorithm::Sha256];

fn index(algorithm: PasswordAlgorithm) -> usize {
    match algorithm {
        PasswordAlgorithm::Md5 => 0,
        PasswordAlgorithm::Sha256 => 1,
    }
}
