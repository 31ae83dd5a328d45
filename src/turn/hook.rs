//! Users whom only a service outside knows: what it is asked about, and what is made of its answer.

use std::sync::Arc;

use super::credential::UserKey;
use super::five_tuple::FiveTuple;
use super::opaque_string::opaque_string;
use super::source::SourcePrefix;
use crate::wire::{LongTermKey, Message, PasswordAlgorithm, TransactionId};

/// A request of a user who is unknown here; it waits for the answer, with which
/// [`Server::decided`](super::Server::decided) carries it out.
#[derive(Debug)]
pub struct Undecided {
    /// Where it came from.
    pub path: FiveTuple,
    /// Who its client says to be.
    pub username: Arc<str>,
    transaction: TransactionId,
    /// All of it.
    pub(super) request: Box<[u8]>,
}

/// What the service says of a user.
#[derive(Debug, Clone)]
pub enum HookAnswer {
    /// It knows the user.
    Granted(HookUser),
    /// There is nobody of that name, or not for us.
    Refused,
    /// It said nothing that could be used.
    Failed,
}

/// A user whom the service knows, for one realm; clones share the keys.
#[derive(Debug, Clone)]
pub struct HookUser {
    md5: Option<Arc<LongTermKey>>,
    sha256: Option<Arc<LongTermKey>>,
    expires: Option<u64>,
}

impl Undecided {
    pub(super) fn new(path: FiveTuple, username: Arc<str>, message: &Message<'_>) -> Self {
        Self { path, username, transaction: message.transaction(), request: message.as_bytes().into() }
    }

    /// Where the client is.
    pub fn source(&self) -> SourcePrefix {
        SourcePrefix::of(self.path.client.ip())
    }

    /// How many bytes its request has.
    pub fn len_bytes(&self) -> usize {
        self.request.len()
    }

    /// Whether the other one is a retransmission of the same request.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.path == other.path && self.transaction == other.transaction
    }
}

impl HookUser {
    /// A user with this password or these keys, whose session ends in the Unix second `expires` if that is given.
    pub fn new(username: &str, realm: &str, key: &UserKey, expires: Option<u64>) -> Self {
        let realm = opaque_string(realm);
        let key = |algorithm| key.key(algorithm, username, &realm).map(Arc::new);
        Self { md5: key(PasswordAlgorithm::Md5), sha256: key(PasswordAlgorithm::Sha256), expires }
    }

    pub(super) fn key(&self, algorithm: PasswordAlgorithm) -> Option<&Arc<LongTermKey>> {
        match algorithm {
            PasswordAlgorithm::Md5 => self.md5.as_ref(),
            PasswordAlgorithm::Sha256 => self.sha256.as_ref(),
        }
    }

    /// The Unix second at which the session ends, if it does.
    pub fn expires(&self) -> Option<u64> {
        self.expires
    }
}
