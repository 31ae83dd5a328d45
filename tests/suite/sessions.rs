//! Sessions of the gateway and the allocations of their clients: the whole program, by HTTP and TURN.

use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use turnpike::app::App;
use turnpike::wire::Method;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_as_long_as_its_allocations() {
    let app = start_in_front_of(200).await;
    let (mut first, mut second) = (Client::new(app.turn_addrs()[0]), Client::new(app.turn_addrs()[0]));
    let relayed = [first.allocated(), second.allocated()];

    assert_eq!(offer(&app, &relayed).await, 200);
    eventually(|| metric(&app, "turnpike_sessions{state=\"claimed\"}") == 1.0);
    let list = ask(&app, "GET", "/admin/v1/sessions").await;
    let listed: Value = serde_json::from_str(&list.1).unwrap();
    assert_eq!(listed["sessions"][0]["state"], "claimed");
    // Clients with two allocations drop one when they bundle.
    eventually(|| metric(&app, "turnpike_turn_allocation_claims_total{result=\"claimed\"}") == 2.0);
    assert_eq!(first.delete(), 0);
    assert_eq!(second.delete(), 0);

    eventually(|| metric(&app, "turnpike_sessions_ended_total{reason=\"relay\"}") == 1.0);
    assert_eq!(metric(&app, "turnpike_sessions{state=\"claimed\"}"), 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ends_a_session_ends_its_allocations() {
    let app = start_in_front_of(200).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    assert_eq!(offer(&app, &[relayed]).await, 200);
    eventually(|| metric(&app, "turnpike_sessions{state=\"claimed\"}") == 1.0);

    let (_, list) = ask(&app, "GET", "/admin/v1/sessions").await;
    let listed: Value = serde_json::from_str(&list).unwrap();
    let id = listed["sessions"][0]["id"].as_str().unwrap();
    assert_eq!(ask(&app, "DELETE", &format!("/admin/v1/sessions/{id}")).await.0, 204);

    eventually(|| metric(&app, "turnpike_turn_allocations_ended_total{reason=\"session_ended\"}") == 1.0);
    assert_eq!(code(&client.request(Method::Refresh, |writer| writer)), 437);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_takes_sessions_and_allocations_along() {
    let app = start_in_front_of(200).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    assert_eq!(offer(&app, &[relayed]).await, 200);
    eventually(|| metric(&app, "turnpike_sessions{state=\"claimed\"}") == 1.0);

    assert_eq!(ask(&app, "POST", "/admin/v1/keys/app/revoke").await.0, 200);

    eventually(|| metric(&app, "turnpike_turn_allocations_ended_total{reason=\"session_ended\"}") == 1.0);
    assert_eq!(offer(&app, &[relayed]).await, 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_fails_leaves_the_client_its_allocation() {
    let app = start_in_front_of(500).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();

    for _ in 0..3 {
        assert_eq!(offer(&app, &[relayed]).await, 500);
    }

    eventually(|| metric(&app, "turnpike_turn_allocation_claims_total{result=\"claimed\"}") == 3.0);
    assert_eq!(metric(&app, "turnpike_sessions_ended_total{reason=\"failed\"}"), 3.0);
    assert_eq!(code(&client.request(Method::Refresh, |writer| writer)), 0);
    app.stop().await;
}

/// Everything in front of a backend that answers with this status.
async fn start_in_front_of(status: u16) -> App {
    start_with_answer(CONFIG, status, "v=0\r\n".to_owned()).await
}

/// The same with a configuration and an SDP of its own.
pub(crate) async fn start_with_answer(config: &str, status: u16, sdp: String) -> App {
    let answer = move |_: Json<Value>| async move {
        let body = Json(json!({"sdp": sdp, "type": "answer"}));
        (StatusCode::from_u16(status).unwrap(), body)
    };
    let router = Router::new().route("/skin/webrtc/offer", post(answer));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, router).await });
    start(&config.replace("[gateway]", &format!("[gateway]\nbackend = \"http://{backend}\""))).await
}

/// Posts an offer whose client has these relayed addresses; returns the status.
pub(crate) async fn offer(app: &App, relayed: &[SocketAddr]) -> u16 {
    offer_of(app, relayed, None).await
}

/// The same for a user.
pub(crate) async fn offer_of(app: &App, relayed: &[SocketAddr], user_id: Option<&str>) -> u16 {
    let candidates: String = relayed
        .iter()
        .map(|relayed| {
            let (ip, port) = (relayed.ip(), relayed.port());
            format!("a=candidate:1 1 udp 1 {ip} {port} typ relay raddr 0.0.0.0 rport 0\r\n")
        })
        .collect();
    let sdp = include_str!("../offers/aiortc-without-turn.sdp").trim_end().to_owned() + "\r\n" + &candidates;
    let body = json!({"sdp": sdp, "type": "offer", "user_id": user_id}).to_string();
    let head = format!(
        "api-key: 0123456789abcdef\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
        body.len()
    );
    request(app.gateway_addr(), "POST", "/skin/webrtc/offer", &head, &body).await.0
}

/// Asks the admin API.
pub(crate) async fn ask(app: &App, method: &str, path: &str) -> (u16, String) {
    request(app.admin_addr(), method, path, "", "").await
}

pub(crate) async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    head: &str,
    body: &str,
) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head["HTTP/1.1 ".len()..][..3].parse().unwrap(), body.to_owned())
}
