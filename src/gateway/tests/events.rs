//! The stream of states that the live page shows.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::harness::{self, OFFER, TestBackend};
use crate::gateway::{Admin, AdminSettings, Controls, PartReadiness};
use crate::secret::Secret;
use crate::telemetry::{ClientTransport, Direction, DropReason, Metrics};

const TOKEN: &str = "0123456789abcdef";

#[tokio::test]
async fn tells_the_state_as_it_changes() {
    let backend = TestBackend::agreeable().await;
    let running = harness::start(backend.address, |_| {}).await;
    let controls = running.controls();
    let (admin, _end) = serve(controls, &running.metrics).await;
    let mut events = watch(admin, TOKEN).await;

    let before = next_state(&mut events).await;
    let id = running.offer(&[], OFFER).await.header("x-session-id").to_owned();
    let worker = running.metrics.register_worker();
    worker.relayed(ClientTransport::Udp, Direction::ToPeer, 3, 300);
    worker.relayed(ClientTransport::Udp, Direction::ToClient, 2, 100);
    worker.dropped(DropReason::Malformed, 1);
    let after = loop {
        let state = next_state(&mut events).await;
        if state["relay"]["bytes_to_peer"] == 300 {
            break state;
        }
    };

    assert_eq!(before["sessions"], json!({"total": 0, "states": before["sessions"]["states"], "shown": []}));
    assert_eq!(before["parts"], json!([{"part": "relay", "ready": false, "reason": "it drains"}]));
    assert_eq!(before["process"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(after["sessions"]["total"], 1);
    assert_eq!(after["sessions"]["states"]["answered"], 1);
    assert_eq!(after["sessions"]["shown"][0]["id"], json!(id));
    assert_eq!(after["gateway"], json!({"answered": 1, "refused": 0, "failed": 0}));
    assert_eq!(after["backends"][0]["sessions"], 1);
    assert_eq!((&after["users"]["total_bytes"], &after["users"]["users"]), (&json!(0), &json!([])));
    let relay = &after["relay"];
    assert_eq!((&relay["packets_to_peer"], &relay["packets_to_client"]), (&json!(3), &json!(2)));
    assert_eq!((&relay["bytes_to_client"], &relay["packets_dropped"]), (&json!(100), &json!(1)));
}

#[tokio::test]
async fn asks_for_the_token() {
    let backend = TestBackend::agreeable().await;
    let running = harness::start(backend.address, |_| {}).await;
    let controls = running.controls();
    let (admin, _end) = serve(controls, &running.metrics).await;

    let mut lines = watch(admin, "0123456789abcdeF").await;

    assert_eq!(lines.next_line().await.unwrap().unwrap(), "HTTP/1.1 401 Unauthorized");
}

/// Else the process would wait for whoever looks on until the end of the drain.
#[tokio::test]
async fn ends_with_the_process() {
    let backend = TestBackend::agreeable().await;
    let running = harness::start(backend.address, |_| {}).await;
    let controls = running.controls();
    let (admin, end) = serve(controls, &running.metrics).await;
    let mut events = watch(admin, TOKEN).await;
    next_state(&mut events).await;

    end.send(()).unwrap();

    while events.next_line().await.unwrap().is_some() {}
}

type Events = Lines<BufReader<TcpStream>>;

async fn serve(controls: Controls, metrics: &Metrics) -> (SocketAddr, oneshot::Sender<()>) {
    let settings =
        AdminSettings { listen: SocketAddr::from(([127, 0, 0, 1], 0)), token: Some(Secret::new(TOKEN)) };
    let reason = Some("it drains".to_owned());
    let parts = vec![PartReadiness { part: "relay", ready: false, reason }];
    let readiness = Arc::new(move || parts.clone());
    let admin = Admin::bind(&settings, metrics, readiness, controls).await.unwrap();
    let address = admin.local_addr().unwrap();
    let (end, ended) = oneshot::channel();
    tokio::spawn(admin.serve(async {
        let _ = ended.await;
    }));
    (address, end)
}

async fn watch(admin: SocketAddr, token: &str) -> Events {
    let mut stream = TcpStream::connect(admin).await.unwrap();
    let request =
        format!("GET /admin/v1/events HTTP/1.1\r\nhost: {admin}\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    BufReader::new(stream).lines()
}

/// The next event's state; lines of HTTP's chunks are between.
async fn next_state(events: &mut Events) -> Value {
    loop {
        let line = events.next_line().await.unwrap().expect("the stream goes on");
        if let Some(data) = line.strip_prefix("data: ") {
            return serde_json::from_str(data).unwrap();
        }
    }
}
