//! What the log says of an offer, and what it never says.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, Once, PoisonError};

use http::Method;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;

use super::harness::{KEY, SDP_IN_JSON, TestBackend, json_response, nobody, request, start};
use crate::gateway::{Admin, AdminSettings};

/// The admin API is for this machine where it has no token.
const HERE: [(&str, &str); 1] = [("host", "127.0.0.1")];
const SECRET_LINE: &str = "a=candidate:1 1 udp 1 203.0.113.77 5000 typ host";

#[tokio::test]
async fn tells_of_an_answered_offer_in_one_line() {
    let (log, _guard) = Log::capture();
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let answer = gateway.offer(&[("x-request-id", "req-7")], offer(r#""user_id":"Zoë\n\"x\"","#)).await;

    let record = log.only("offer answered");
    assert_eq!(record["level"], "INFO");
    assert_eq!(record["session"], answer.header("x-session-id"));
    assert_eq!(record["user_id"], "Zoë\\n\"x\"");
    assert_eq!(record["key"], "app");
    assert_eq!(record["status"], 200);
    assert!(record["duration_ms"].is_u64());
    assert_eq!(record["request_id"], "req-7");
    log.assert_discreet();
}

#[tokio::test]
async fn leaves_a_line_of_what_operators_change() {
    let (log, _guard) = Log::capture();
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let admin = AdminSettings { listen: ([127, 0, 0, 1], 0).into(), token: None };
    let admin = Admin::bind(&admin, &gateway.metrics, Arc::new(Vec::new), gateway.controls()).await.unwrap();
    let address = admin.local_addr().unwrap();
    tokio::spawn(admin.serve(std::future::pending()));

    request(address, Method::GET, "/admin/v1/keys", &HERE, "").await;
    let answer = request(address, Method::POST, "/admin/v1/keys/none/revoke", &HERE, "").await;
    assert_eq!(answer.status, 404);

    let record = log.only("admin request");
    assert_eq!((&record["method"], &record["path"]), (&"POST".into(), &"/admin/v1/keys/none/revoke".into()));
    assert_eq!((&record["client"], &record["status"]), (&"127.0.0.1:0".into(), &404.into()));
}

#[tokio::test]
async fn leaves_the_user_out_of_an_anonymous_offer() {
    let (log, _guard) = Log::capture();
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    gateway.offer(&[], offer("")).await;

    assert_eq!(log.only("offer answered").get("user_id"), None);
}

#[tokio::test]
async fn tells_why_an_offer_failed() {
    let (log, _guard) = Log::capture();
    let gateway = start(nobody().await, |_| {}).await;

    gateway.offer(&[], offer(r#""user_id":"user-42","#)).await;

    let record = log.only("offer failed");
    assert_eq!((&record["level"], &record["cause"]), (&"WARN".into(), &"backend_unreachable".into()));
    assert_eq!((&record["user_id"], &record["status"]), (&"user-42".into(), &502.into()));
    assert!(record["error"].as_str().unwrap().contains("Connection refused"), "{record}");
    log.assert_discreet();
}

#[tokio::test]
async fn tells_of_a_backends_refusal_and_of_a_wrong_body() {
    let (log, _guard) = Log::capture();
    let backend = TestBackend::start(async |_| json_response(500, "{}")).await;
    let gateway = start(backend.address, |_| {}).await;

    gateway.offer(&[], offer("")).await;
    gateway.offer(&[], format!(r#"{{"sdp":"{SECRET_LINE}"}}"#)).await;

    let records = log.records("offer failed");
    assert_eq!(records.len(), 2, "{records:?}");
    assert_eq!((&records[0]["cause"], &records[0]["status"]), (&"backend_status".into(), &500.into()));
    assert_eq!((&records[1]["cause"], &records[1]["status"]), (&"body_invalid".into(), &422.into()));
    log.assert_discreet();
}

#[tokio::test]
async fn keeps_refused_keys_out_of_the_log() {
    let (log, _guard) = Log::capture();
    let gateway = start(nobody().await, |_| {}).await;

    gateway.request(Method::POST, "/skin/webrtc/offer", &[("api-key", "guess-guess")], offer("")).await;

    assert!(!log.text().contains("guess-guess"), "{}", log.text());
    assert!(log.records("offer failed").is_empty());
    log.assert_discreet();
}

fn offer(user_field: &str) -> String {
    format!(r#"{{{user_field}"sdp":"{SDP_IN_JSON}{SECRET_LINE}","type":"offer"}}"#)
}

static EVERYWHERE: Once = Once::new();

#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes the events of this thread, on which a test's whole runtime runs.
    pub(super) fn capture() -> (Self, DefaultGuard) {
        // Without anybody who listens everywhere, an event that another test comes upon first would be switched off.
        EVERYWHERE.call_once(|| {
            let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
            tracing::subscriber::set_global_default(everything.with_writer(io::sink).finish()).unwrap();
        });
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(super) fn records(&self, message: &str) -> Vec<Value> {
        let records =
            self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        records.into_iter().filter(|record| record["message"] == message).collect()
    }

    pub(super) fn only(&self, message: &str) -> Value {
        let mut records = self.records(message);
        assert_eq!(records.len(), 1, "{}", self.text());
        records.remove(0)
    }

    /// Not even TRACE of a library shows the key or the SDP.
    pub(super) fn assert_discreet(&self) {
        let text = self.text();
        assert!(!text.contains(KEY) && !text.contains("203.0.113.77"), "{text}");
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
