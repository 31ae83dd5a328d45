//! webrtc-rs's own client as a judge.

use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::time::{Duration, timeout};
use webrtc_turn::client::{Client, ClientConfig};
use webrtc_util::Conn;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn webrtc_rs_allocates_and_relays_both_ways() {
    let app = start(CONFIG).await;
    let server = app.turn_addrs()[0].to_string();
    let client = client(&server, "wonderland").await;
    let relay = client.allocate().await.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let peer_addr = peer.local_addr().unwrap();

    // Its first packets are Send indications; once its channel is bound, ChannelData follows.
    let mut buffer = vec![0; 1500];
    for number in 0..50_u8 {
        let payload = [number; 200];
        relay.send_to(&payload, peer_addr).await.unwrap();
        let (len, from) = timeout(DEADLINE, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!((&buffer[..len], from), (&payload[..], relay.local_addr().unwrap()));
        peer.send_to(&payload, from).await.unwrap();
        let (len, from) = timeout(DEADLINE, relay.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!((&buffer[..len], from), (&payload[..], peer_addr));
    }
    relay.close().await.unwrap();
    client.close().await.unwrap();
    let metrics = app.metrics().clone();
    app.stop().await;
    let text = metrics.exposition().unwrap();
    assert!(text.contains("turnpike_relay_packets_total{direction=\"to_peer\"} 50\n"), "{text}");
    assert!(text.contains("turnpike_relay_packets_total{direction=\"to_client\"} 50\n"), "{text}");
    assert!(text.contains("turnpike_turn_allocations_ended_total{reason=\"deleted\"} 1\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webrtc_rs_learns_its_address_by_binding() {
    let app = start(CONFIG).await;
    let server = app.turn_addrs()[0].to_string();
    let client = client(&server, "wonderland").await;
    let mapped = client.send_binding_request().await.unwrap();
    assert!(mapped.ip().is_loopback());
    client.close().await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webrtc_rs_is_refused_with_a_wrong_password() {
    let app = start(CONFIG).await;
    let server = app.turn_addrs()[0].to_string();
    let client = client(&server, "looking-glass").await;
    let error = client.allocate().await.err().expect("a refusal");
    assert!(error.to_string().contains("401") || error.to_string().contains("Unauth"), "{error}");
    assert_eq!(metric(&app, "turnpike_turn_allocations_created_total"), 0.0);
    client.close().await.unwrap();
    app.stop().await;
}

async fn client(server: &str, password: &str) -> Client {
    let conn = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(ClientConfig {
        stun_serv_addr: server.to_owned(),
        turn_serv_addr: server.to_owned(),
        username: "alice".to_owned(),
        password: password.to_owned(),
        realm: "example.org".to_owned(),
        software: String::new(),
        rto_in_ms: 0,
        conn: Arc::new(conn),
        vnet: None,
    })
    .await
    .unwrap();
    client.listen().await.unwrap();
    client
}

const DEADLINE: Duration = Duration::from_secs(5);
