//! `Idempotency`: keeps the answers to offers that name an `Idempotency-Key`, for when they are sent again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, interval};

use super::settings::IdempotencySettings;
use crate::telemetry::{IdempotencyMetrics, IdempotencyResult};

/// The answers of one process. Only clients whose keys were checked may have some kept.
///
/// Only answers with 2xx are kept: whatever failed opened no session, and sent again it may succeed.
#[derive(Debug)]
pub(in crate::gateway) struct Idempotency {
    store: Mutex<Store>,
    metrics: IdempotencyMetrics,
}

/// What becomes of a request.
#[derive(Debug)]
pub(in crate::gateway) enum Claimed {
    /// It names no key, or there is no room to remember it: it is forwarded like any other.
    Unasked,
    /// It is the first of its key: it is forwarded, and the answer kept.
    First(Claim),
    /// It was answered before, like this.
    Replay(Response<Bytes>),
}

/// Why a request is refused for its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum IdempotencyRefusal {
    /// The field has no value, several, or one that is no key.
    Malformed,
    /// The key was used for another request.
    Mismatch,
    /// The first request with the key is not answered yet.
    InFlight,
}

/// The right to answer for a key. Dropped without an answer, it leaves the key free.
#[derive(Debug)]
pub(in crate::gateway) struct Claim {
    idempotency: Arc<Idempotency>,
    name: Hash,
}

/// SHA-256, so that neither keys nor offers stay in memory.
type Hash = [u8; 32];

#[derive(Debug)]
struct Store {
    settings: IdempotencySettings,
    entries: HashMap<Hash, Entry>,
    /// Those that are answered, the oldest first.
    answered: VecDeque<(Instant, Hash)>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    content: Hash,
    answer: Option<Response<Bytes>>,
    bytes: usize,
}

impl Idempotency {
    /// Begins to forget what is old; needs a runtime.
    pub(super) fn new(settings: IdempotencySettings, metrics: IdempotencyMetrics) -> Arc<Self> {
        metrics.set_limit(settings.memory_bytes);
        let store = Store { settings, entries: HashMap::new(), answered: VecDeque::new(), bytes: 0 };
        let idempotency = Arc::new(Self { store: Mutex::new(store), metrics });
        tokio::spawn(sweep(Arc::downgrade(&idempotency)));
        idempotency
    }

    pub(super) fn update(&self, settings: IdempotencySettings) {
        let mut store = self.store();
        store.settings = settings;
        store.forget_old(Instant::now());
        store.make_room(0);
        self.metrics.bytes(store.bytes);
        self.metrics.set_limit(settings.memory_bytes);
    }

    /// Looks at the key of a client's request; `content` is what has to be the same when it is sent again.
    pub(in crate::gateway) fn claim(
        self: &Arc<Self>,
        client: &str,
        headers: &HeaderMap,
        content: &[&[u8]],
        now: Instant,
    ) -> Result<Claimed, IdempotencyRefusal> {
        if !headers.contains_key(IDEMPOTENCY_KEY) {
            return Ok(Claimed::Unasked);
        }
        let result = self.look_up(client, headers, content, now);
        self.metrics.seen(match &result {
            Ok(Claimed::Unasked) => IdempotencyResult::Forgotten,
            Ok(Claimed::First(_)) => IdempotencyResult::First,
            Ok(Claimed::Replay(_)) => IdempotencyResult::Replayed,
            Err(IdempotencyRefusal::Malformed) => IdempotencyResult::Malformed,
            Err(IdempotencyRefusal::Mismatch) => IdempotencyResult::Mismatch,
            Err(IdempotencyRefusal::InFlight) => IdempotencyResult::InFlight,
        });
        result
    }

    fn look_up(
        self: &Arc<Self>,
        client: &str,
        headers: &HeaderMap,
        content: &[&[u8]],
        now: Instant,
    ) -> Result<Claimed, IdempotencyRefusal> {
        let mut store = self.store();
        if store.settings.memory_bytes == 0 {
            return Ok(Claimed::Unasked);
        }
        let key = key(headers).ok_or(IdempotencyRefusal::Malformed)?;
        let (name, content) = (hash(&[client.as_bytes(), key]), hash(content));
        store.forget_old(now);
        if let Some(entry) = store.entries.get(&name) {
            return match &entry.answer {
                _ if entry.content != content => Err(IdempotencyRefusal::Mismatch),
                None => Err(IdempotencyRefusal::InFlight),
                Some(answer) => Ok(Claimed::Replay(replayed(answer))),
            };
        }
        if !store.make_room(ENTRY_BYTES) {
            return Ok(Claimed::Unasked);
        }
        store.bytes += ENTRY_BYTES;
        store.entries.insert(name, Entry { content, answer: None, bytes: ENTRY_BYTES });
        self.metrics.bytes(store.bytes);
        Ok(Claimed::First(Claim { idempotency: Arc::clone(self), name }))
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Poisoned or not, at worst an answer is forgotten too early.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Keeps the answer, if it is one that a client would want again.
    pub(in crate::gateway) fn keep(self, answer: &Response<Bytes>, now: Instant) {
        if !answer.status().is_success() {
            return;
        }
        let mut store = self.idempotency.store();
        let bytes = bytes_of(answer);
        if !store.entries.contains_key(&self.name) || !store.make_room(bytes) {
            return;
        }
        let Some(entry) = store.entries.get_mut(&self.name) else {
            return;
        };
        let mut kept = answer.clone();
        // What came from the network may be a small part of a large buffer.
        *kept.body_mut() = Bytes::copy_from_slice(answer.body());
        entry.answer = Some(kept);
        entry.bytes += bytes;
        store.bytes += bytes;
        store.answered.push_back((now, self.name));
        self.idempotency.metrics.bytes(store.bytes);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut store = self.idempotency.store();
        if store.entries.get(&self.name).is_some_and(|entry| entry.answer.is_none()) {
            store.remove(&self.name);
            self.idempotency.metrics.bytes(store.bytes);
        }
    }
}

impl Store {
    fn forget_old(&mut self, now: Instant) {
        while let Some(&(at, name)) = self.answered.front()
            && now.saturating_duration_since(at) >= self.settings.keep
        {
            self.answered.pop_front();
            self.remove(&name);
        }
    }

    /// Forgets the oldest answers until there is room. False if what is in flight alone leaves none.
    fn make_room(&mut self, bytes: usize) -> bool {
        while self.bytes + bytes > self.settings.memory_bytes {
            let Some((_, name)) = self.answered.pop_front() else {
                return false;
            };
            self.remove(&name);
        }
        true
    }

    fn remove(&mut self, name: &Hash) {
        if let Some(entry) = self.entries.remove(name) {
            self.bytes -= entry.bytes;
        }
    }
}

/// An answer holds addresses: it goes when its time is over, not when the next request comes.
async fn sweep(idempotency: Weak<Idempotency>) {
    let mut ticks = interval(SWEEP_INTERVAL);
    loop {
        ticks.tick().await;
        let Some(idempotency) = idempotency.upgrade() else { return };
        let mut store = idempotency.store();
        store.forget_old(Instant::now());
        idempotency.metrics.bytes(store.bytes);
    }
}

/// The key: a string of RFC 8941 as the draft wants it, or without its quotes as most clients send it.
fn key(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let text = value.as_bytes().trim_ascii();
    let text = text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text);
    let is_plain = text.iter().all(|byte| byte.is_ascii_graphic() && !b"\",\\".contains(byte));
    (is_plain && (1..=MOST_KEY_BYTES).contains(&text.len())).then_some(text)
}

/// Of all parts and their lengths, so that nothing can move from one into the next.
fn hash(parts: &[&[u8]]) -> Hash {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

fn replayed(answer: &Response<Bytes>) -> Response<Bytes> {
    let mut answer = answer.clone();
    answer.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    answer
}

fn bytes_of(answer: &Response<Bytes>) -> usize {
    let fields = answer.headers().iter();
    let headers: usize = fields.map(|(name, value)| FIELD_BYTES + name.as_str().len() + value.len()).sum();
    answer.body().len() + headers
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A UUID has 36; this leaves room for what names an order or a try.
const MOST_KEY_BYTES: usize = 128;

/// What an entry takes besides its answer: two hashes twice, the tables around them, and a head of a response.
const ENTRY_BYTES: usize = 512;

/// What a field of a header takes besides its name and value.
const FIELD_BYTES: usize = 96;

/// Well below the shortest time that answers are kept.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    const SETTINGS: IdempotencySettings =
        IdempotencySettings { keep: Duration::from_secs(60), memory_bytes: 16 << 10 };

    #[tokio::test(start_paused = true)]
    async fn gives_the_same_answer_again_until_its_time_is_over() {
        let idempotency = idempotency(SETTINGS);
        first(&idempotency, "app", "k", b"offer").keep(&answer(200, 10), Instant::now());

        let again = claim(&idempotency, "app", "\"k\"", b"offer");
        let Ok(Claimed::Replay(again)) = again else { panic!("{again:?}") };
        assert_eq!(again.body().len(), 10);
        assert_eq!(again.headers()["idempotency-replayed"], "true");
        assert_eq!(claim(&idempotency, "app", "k", b"other").unwrap_err(), IdempotencyRefusal::Mismatch);
        assert!(matches!(claim(&idempotency, "web", "k", b"offer"), Ok(Claimed::First(_))));

        tokio::time::sleep(SETTINGS.keep + SWEEP_INTERVAL).await;
        assert_eq!(idempotency.store().bytes, 0);
        assert!(idempotency.store().entries.is_empty());
        assert!(matches!(claim(&idempotency, "app", "k", b"offer"), Ok(Claimed::First(_))));
    }

    #[tokio::test]
    async fn refuses_a_key_in_flight_and_frees_it_where_nothing_is_to_be_kept() {
        let idempotency = idempotency(SETTINGS);
        let claimed = first(&idempotency, "app", "k", b"offer");
        assert_eq!(claim(&idempotency, "app", "k", b"offer").unwrap_err(), IdempotencyRefusal::InFlight);
        assert_eq!(claim(&idempotency, "app", "k", b"other").unwrap_err(), IdempotencyRefusal::Mismatch);
        drop(claimed);

        first(&idempotency, "app", "k", b"other").keep(&answer(503, 10), Instant::now());

        drop(first(&idempotency, "app", "k", b"offer"));
        assert_eq!(idempotency.store().bytes, 0);
    }

    #[tokio::test]
    async fn forgets_the_oldest_answers_at_its_bound_and_never_what_is_in_flight() {
        let idempotency = idempotency(SETTINGS);
        for key in ["1", "2", "3"] {
            first(&idempotency, "app", key, b"offer").keep(&answer(200, 5 << 10), Instant::now());
        }
        assert!(idempotency.store().bytes <= SETTINGS.memory_bytes);
        assert!(matches!(claim(&idempotency, "app", "3", b"offer"), Ok(Claimed::Replay(_))));
        assert!(matches!(claim(&idempotency, "app", "1", b"offer"), Ok(Claimed::First(_))));

        let held: Vec<Claim> =
            (0..32).map(|key| first(&idempotency, "app", &format!("held-{key}"), b"offer")).collect();
        assert!(matches!(claim(&idempotency, "app", "more", b"offer"), Ok(Claimed::Unasked)));
        assert_eq!(idempotency.store().bytes, SETTINGS.memory_bytes);
        drop(held);
        first(&idempotency, "app", "large", b"offer").keep(&answer(200, 1 << 20), Instant::now());
        assert_eq!(idempotency.store().bytes, 0);
    }

    #[tokio::test]
    async fn keeps_nothing_where_there_is_no_memory_for_it() {
        let idempotency = idempotency(SETTINGS);
        first(&idempotency, "app", "k", b"offer").keep(&answer(200, 10), Instant::now());

        idempotency.update(IdempotencySettings { memory_bytes: 0, ..SETTINGS });

        assert_eq!(idempotency.store().bytes, 0);
        assert!(matches!(claim(&idempotency, "app", "k", b"offer"), Ok(Claimed::Unasked)));
    }

    #[tokio::test]
    async fn refuses_what_is_no_key() {
        let idempotency = idempotency(SETTINGS);
        let long = "k".repeat(129);
        for key in ["", "\"\"", "a b", "a\"b", "a,b", &long] {
            let refused = claim(&idempotency, "app", key, b"offer").unwrap_err();
            assert_eq!(refused, IdempotencyRefusal::Malformed, "{key:?}");
        }
        let two = ["a", "b"].map(|key| (IDEMPOTENCY_KEY, HeaderValue::from_static(key)));
        let refused = idempotency.claim("app", &two.into_iter().collect(), &[], Instant::now()).unwrap_err();
        assert_eq!(refused, IdempotencyRefusal::Malformed);
        let none = idempotency.claim("app", &HeaderMap::new(), &[], Instant::now());
        assert!(matches!(none, Ok(Claimed::Unasked)));
    }

    fn idempotency(settings: IdempotencySettings) -> Arc<Idempotency> {
        Idempotency::new(settings, Metrics::new().idempotency().clone())
    }

    fn first(idempotency: &Arc<Idempotency>, client: &str, key: &str, content: &[u8]) -> Claim {
        match claim(idempotency, client, key, content) {
            Ok(Claimed::First(claim)) => claim,
            other => panic!("{other:?}"),
        }
    }

    fn naming(key: &str) -> HeaderMap {
        HeaderMap::from_iter([(IDEMPOTENCY_KEY, HeaderValue::from_str(key).unwrap())])
    }

    fn claim(
        idempotency: &Arc<Idempotency>,
        client: &str,
        key: &str,
        content: &[u8],
    ) -> Result<Claimed, IdempotencyRefusal> {
        let headers = naming(key);
        idempotency.claim(client, &headers, &[content], Instant::now())
    }

    fn answer(status: u16, length: usize) -> Response<Bytes> {
        Response::builder().status(status).body(vec![b' '; length].into()).unwrap()
    }
}
