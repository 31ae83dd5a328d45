//! Records on a real database, and a real webhook.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use rusqlite::Connection;
use tokio::net::TcpListener;

use super::database::{Database, Owed};
use super::writer::Entry;
use super::*;
use crate::secret::Secret;
use crate::telemetry::{Metrics, Taker};

const WEBHOOK: &[Taker] = &[Taker::Webhook];

#[test]
fn each_record_is_there_once_and_its_session_lives_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut database = Database::open(&path).unwrap();

    database.write(&[Entry::Began(opening("one"))], WEBHOOK, 1_000).unwrap();
    database.write(&[ended("one"), ended("one"), ended("two")], WEBHOOK, 2_000).unwrap();
    database.write(&[ended("one")], WEBHOOK, 3_000).unwrap();

    assert_eq!(count(&path, "records"), 2);
    assert_eq!((count(&path, "live"), database.owed(Taker::Webhook).unwrap()), (0, 2));
    let owed = Owed::open(&path).unwrap().next(Taker::Webhook, 10).unwrap();
    assert_eq!(owed, [record("one"), record("two")]);
}

#[test]
fn a_process_that_was_killed_leaves_records_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut database = Database::open(&path).unwrap();
    let traffic = Traffic { packets_to_peer: 7, ..Traffic::default() };
    let entries =
        [Entry::Began(opening("one")), Entry::Began(opening("two")), Entry::GoesOn("one".into(), traffic)];
    database.write(&entries, WEBHOOK, 61_000).unwrap();
    drop(database);

    let mut database = Database::open(&path).unwrap();

    assert_eq!((database.recover(WEBHOOK).unwrap(), database.recover(WEBHOOK).unwrap()), (2, 0));
    let mut owed = Owed::open(&path).unwrap().next(Taker::Webhook, 10).unwrap();
    owed.sort_by(|a, b| a.opening.session.cmp(&b.opening.session));
    assert_eq!(owed[0].traffic, traffic);
    assert_eq!((owed[0].reason.as_str(), owed[0].state.as_str()), ("crash", "claimed"));
    assert_eq!((owed[0].ended_at_ms, owed[0].duration_ms), (61_000, 60_000));
    assert_eq!(owed[1].state, "answered");
    // What the process still knew arrives too late.
    database.write(&[ended("one")], WEBHOOK, 62_000).unwrap();
    let query = "SELECT reason FROM records WHERE session = 'one'";
    let reason: String = Connection::open(&path).unwrap().query_row(query, [], |row| row.get(0)).unwrap();
    assert_eq!(reason, "crash");
}

#[test]
fn no_two_processes_have_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let _first = Database::open(&path).unwrap();

    assert!(matches!(Database::open(&path), Err(RecordsError::Taken(_))));
    let nowhere = folder.path().join("nowhere").join("records.db");
    assert!(matches!(Database::open(&nowhere), Err(RecordsError::Lock { .. })));
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();

    assert!(matches!(Database::open(&path), Err(RecordsError::Version { version: 9, .. })));
}

#[test]
fn a_database_of_the_version_before_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    Database::open(&path).unwrap().write(&[ended("one")], &[], 0).unwrap();
    let version_1 = "DROP TABLE owed;
        CREATE TABLE owed (number INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL UNIQUE);
        INSERT INTO owed (session) VALUES ('one');
        PRAGMA user_version = 1;";
    Connection::open(&path).unwrap().execute_batch(version_1).unwrap();

    let mut database = Database::open(&path).unwrap();

    database.write(&[ended("two")], &[Taker::Webhook, Taker::File], 0).unwrap();
    let owed = Owed::open(&path).unwrap();
    assert_eq!(owed.next(Taker::Webhook, 10).unwrap(), [record("one"), record("two")]);
    assert_eq!(owed.next(Taker::File, 10).unwrap(), [record("two")]);
}

#[test]
fn what_is_owed_to_nobody_any_more_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut database = Database::open(&path).unwrap();
    database.write(&[ended("one")], &[Taker::Webhook, Taker::Postgres], 0).unwrap();

    assert_eq!(database.keep_takers(&[Taker::Webhook]).unwrap(), 1);

    assert_eq!(database.owed(Taker::Webhook).unwrap(), 1);
    assert_eq!(database.owed(Taker::Postgres).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_taker_is_brought_each_record() {
    let service = Service::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let file = FileSettings { path: path.clone(), max_bytes: 1 << 20, files: 1 };
    let settings =
        RecordSettings { webhook: Some(service.settings()), file: Some(file), ..settings(folder.path()) };
    let records = Records::open(&settings, Metrics::new().records().clone()).unwrap();

    records.ended(record("one"));
    records.ended(record("two"));

    service.wait_for(2).await;
    let lines = || std::fs::read_to_string(&path).unwrap();
    let written = async {
        while lines().lines().count() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written).await.expect("two lines within 20 seconds");
    records.close();
    let sessions: Vec<serde_json::Value> = lines()
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["session"].take())
        .collect();
    assert_eq!(sessions, ["one", "two"]);
}

#[test]
fn old_records_are_forgotten_unless_somebody_waits_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut database = Database::open(&path).unwrap();
    database.write(&[ended("told"), ended("owed")], WEBHOOK, 0).unwrap();
    Owed::open(&path).unwrap().paid(Taker::Webhook, &["told".to_owned()]).unwrap();

    assert_eq!(database.forget(5_000).unwrap(), 0, "they ended in this millisecond");
    assert_eq!(database.forget(5_001).unwrap(), 1);
    assert_eq!(count(&path, "records"), 1);
}

#[test]
fn what_is_owed_is_bounded_and_the_newest_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let mut database = Database::open(&path).unwrap();
    let many: Vec<Entry> = (0..10).map(|number| ended(&format!("session {number}"))).collect();
    database.write(&many, WEBHOOK, 0).unwrap();

    assert_eq!(
        (database.bound_owed(Taker::Webhook, 3).unwrap(), database.bound_owed(Taker::Webhook, 3).unwrap()),
        (7, 0)
    );

    let owed = Owed::open(&path).unwrap().next(Taker::Webhook, 10).unwrap();
    assert_eq!(owed.iter().map(|record| &record.opening.session[8..]).collect::<Vec<_>>(), ["7", "8", "9"]);
    assert_eq!(count(&path, "records"), 10);
}

#[tokio::test]
async fn usage_is_summed_up_by_group() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let records = Records::open(&settings, Metrics::new().records().clone()).unwrap();
    for (session, user_id) in [("1", Some("ann")), ("2", Some("ann")), ("3", Some("bob")), ("4", None)] {
        let mut record = record(session);
        record.opening.user_id = user_id.map(str::to_owned);
        records.ended(record);
    }
    records.close();

    let all = Period { from_ms: 0, to_ms: 1 << 40 };
    let users = records.usage(GroupBy::UserId, all).await.unwrap();
    let groups: Vec<_> = users.iter().map(|usage| (usage.group.as_deref(), usage.sessions)).collect();
    assert_eq!(groups, [(Some("ann"), 2), (None, 1), (Some("bob"), 1)]);
    assert_eq!((users[0].duration_ms, users[0].traffic.bytes_to_peer), (8_000, 200));
    let keys = records.usage(GroupBy::Key, all).await.unwrap();
    assert_eq!((keys.len(), keys[0].sessions), (1, 4));
    let before = Period { from_ms: 0, to_ms: 5_000 };
    assert_eq!(records.usage(GroupBy::Client, before).await.unwrap(), []);
}

#[tokio::test]
async fn user_ids_stand_there_as_they_are_wanted() {
    for (user_ids, expected) in
        [(UserIds::Plain, Some("ann")), (UserIds::Left, None), (UserIds::Hashed, Some("86f546ad"))]
    {
        let folder = tempfile::tempdir().unwrap();
        let settings = RecordSettings { user_ids, ..settings(folder.path()) };
        let records = Records::open(&settings, Metrics::new().records().clone()).unwrap();
        records.began(opening("live"));
        records.ended(record("one"));
        records.close();
        let connection = Connection::open(&settings.database).unwrap();
        for table in ["records", "live"] {
            let query = format!("SELECT user_id FROM {table}");
            let stands: Option<String> = connection.query_row(&query, [], |row| row.get(0)).unwrap();
            let stands = stands.map(|stands| stands[..stands.len().min(8)].to_owned());
            assert_eq!(stands.as_deref(), expected, "{user_ids:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_webhook_gets_each_record_until_it_takes_it() {
    let service = Service::start().await;
    service.answer_with(503);
    let folder = tempfile::tempdir().unwrap();
    let settings = RecordSettings { webhook: Some(service.settings()), ..settings(folder.path()) };
    let metrics = Metrics::new();
    let records = Records::open(&settings, metrics.records().clone()).unwrap();

    records.ended(record("one"));
    service.wait_for(2).await;
    // What is owed outlives the process, and is delivered with the same id.
    records.close();
    drop(records);
    let before = service.seen().len();
    service.answer_with(204);
    let records = Records::open(&settings, metrics.records().clone()).unwrap();
    service.wait_for(before + 1).await;
    records.ended(record("two"));
    service.wait_for(before + 2).await;
    records.close();

    let seen = service.seen();
    let ids: Vec<&str> = seen.iter().map(|(id, _)| id.as_str()).collect();
    assert!(ids[..=before].iter().all(|&id| id == "one") && ids[before + 1..] == ["two"], "{ids:?}");
    let message: serde_json::Value = serde_json::from_str(&seen[0].1).unwrap();
    assert_eq!(message["type"], "session.ended");
    assert_eq!(
        (&message["data"]["session"], &message["data"]["bytes_to_peer"]),
        (&"one".into(), &100.into())
    );
    assert_eq!(message["data"]["user_id"], "ann");
}

#[tokio::test]
async fn who_waits_too_long_is_counted_as_lost() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = Metrics::new();
    let records = Records::open(&settings(folder.path()), metrics.records().clone()).unwrap();
    records.close();

    records.ended(record("late"));

    let text = metrics.exposition().unwrap();
    assert!(text.contains("turnpike_records_lost_total{cause=\"queue_full\"} 1\n"), "{text}");
}

/// A service that takes records, or not.
#[derive(Clone)]
struct Service {
    address: SocketAddr,
    state: Arc<Mutex<ServiceState>>,
}

struct ServiceState {
    status: u16,
    seen: Vec<(String, String)>,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let state = Arc::new(Mutex::new(ServiceState { status: 200, seen: Vec::new() }));
        let service = Self { address: listener.local_addr().unwrap(), state };
        let router = Router::new().route("/hook", post(take)).with_state(service.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        service
    }

    fn settings(&self) -> WebhookSettings {
        WebhookSettings {
            url: format!("http://{}/hook", self.address).parse().unwrap(),
            secret: Secret::new("0123456789abcdef"),
            ca_file: None,
            timeout: Duration::from_secs(5),
        }
    }

    fn answer_with(&self, status: u16) {
        self.state.lock().unwrap().status = status;
    }

    fn seen(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().seen.clone()
    }

    async fn wait_for(&self, messages: usize) {
        let wait = async {
            while self.state.lock().unwrap().seen.len() < messages {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("messages within 20 seconds");
    }
}

async fn take(State(service): State<Service>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert!(text("webhook-signature").starts_with("v1,") && text("webhook-timestamp").parse::<u64>().is_ok());
    let mut state = service.state.lock().unwrap();
    state.seen.push((text("webhook-id"), String::from_utf8(body.to_vec()).unwrap()));
    StatusCode::from_u16(state.status).unwrap()
}

fn settings(folder: &Path) -> RecordSettings {
    RecordSettings {
        database: folder.join("records.db"),
        // The records of these tests ended in 1970.
        keep: Duration::from_secs(100 * 366 * 24 * 3600),
        user_ids: UserIds::Plain,
        queue: 1000,
        webhook: None,
        file: None,
        postgres: None,
    }
}

fn opening(session: &str) -> SessionOpening {
    SessionOpening {
        session: session.to_owned(),
        client: "app".to_owned(),
        key: "app-2".to_owned(),
        user_id: Some("ann".to_owned()),
        backend: Some("default".to_owned()),
        began_at_ms: 1_000,
    }
}

pub(super) fn record(session: &str) -> SessionRecord {
    SessionRecord {
        opening: opening(session),
        ended_at_ms: 5_000,
        duration_ms: 4_000,
        reason: "relay".to_owned(),
        state: "media".to_owned(),
        traffic: Traffic {
            packets_to_peer: 1,
            bytes_to_peer: 100,
            packets_to_client: 2,
            bytes_to_client: 20,
        },
        quality: RecordQuality {
            client_loss: Some(0.25),
            peer_round_trip_ms: Some(12.5),
            ..RecordQuality::default()
        },
    }
}

fn ended(session: &str) -> Entry {
    Entry::Ended(Box::new(record(session)))
}

fn count(path: &Path, table: &str) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}
