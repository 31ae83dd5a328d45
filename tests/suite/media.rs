//! What the relay sees of the media of sessions, with real sockets.

use std::net::SocketAddr;
use std::net::UdpSocket;

use serde_json::Value;
use turnpike::app::App;
use turnpike::wire::Method;

use crate::sessions::{ask, offer, start_with_answer};
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_shows_how_far_its_media_has_come_and_what_was_lost() {
    let config = CONFIG.replace("[turn.peers]", "[turn.lifetimes]\nmedia_silence = \"1s\"\n[turn.peers]");
    let app = start_with_answer(&config, 200, "v=0\r\n".to_owned()).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let (relayed, peer) = (client.allocated(), socket());
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    assert_eq!(offer(&app, &[relayed]).await, 200);
    eventually(|| is_in(&app, "claimed"));

    client.send_on_channel(0x4000, &check(0x0001));
    receive(&peer);
    peer.send_to(&check(0x0101), relayed).unwrap();
    receive(&client.socket);
    eventually(|| is_in(&app, "connected"));

    // Nine of ten arrive; what the kernel would lose is excluded, as each one is awaited.
    for sequence in (0..100).filter(|sequence| sequence % 10 != 5) {
        client.send_on_channel(0x4000, &rtp(7, sequence));
        receive(&peer);
    }
    eventually(|| is_in(&app, "media"));
    send_from_peer(&peer, relayed, &client.socket);
    eventually(|| is_in(&app, "stalled"));
    shown(&app, |client| client["bits_per_second"] == 0.0).await;
    client.send_on_channel(0x4000, &rtp(7, 100));
    receive(&peer);
    eventually(|| is_in(&app, "media"));
    let shown = shown(&app, |client| client["packets"] == 91).await;
    assert_eq!(shown["quality"]["client"]["lost"], 10);
    assert_eq!(
        (&shown["quality"]["peer"]["packets"], &shown["quality"]["peer"]["lost"]),
        (&20.into(), &0.into())
    );
    assert!(shown["quality"]["peer"]["round_trip_ms"].as_f64().unwrap() < 5000.0, "{shown}");

    assert_eq!(client.delete(), 0);
    eventually(|| metric(&app, "turnpike_session_loss_ratio_count{leg=\"client\"}") == 1.0);
    let loss = metric(&app, "turnpike_session_loss_ratio_sum{leg=\"client\"}");
    assert!((loss - 10.0 / 101.0).abs() < 1e-9, "{loss}");
    assert_eq!(metric(&app, "turnpike_session_loss_ratio_sum{leg=\"peer\"}"), 0.0);
    for milestone in ["connected", "media"] {
        let sample = format!("turnpike_session_setup_seconds_count{{milestone=\"{milestone}\"}}");
        assert_eq!(metric(&app, &sample), 1.0);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_is_seen_in_indications_too_and_only_for_sessions() {
    let app = start_with_answer(CONFIG, 200, "v=0\r\n".to_owned()).await;
    let (mut client, mut stranger) = (Client::new(app.turn_addrs()[0]), Client::new(app.turn_addrs()[0]));
    let (relayed, peer) = (client.allocated(), socket());
    let peer_addr = peer.local_addr().unwrap();
    stranger.allocated();
    for client in [&mut client, &mut stranger] {
        assert_eq!(client.permit(peer_addr), 0);
    }
    assert_eq!(offer(&app, &[relayed]).await, 200);
    eventually(|| is_in(&app, "claimed"));

    stranger.send_indication(peer_addr, &rtp(1, 0));
    receive(&peer);
    peer.send_to(&rtp(2, 0), relayed).unwrap();
    receive(&client.socket);
    eventually(|| is_in(&app, "media"));
    client.send_indication(peer_addr, &rtp(3, 0));
    receive(&peer);
    assert_eq!(code(&client.request(Method::Refresh, |writer| writer)), 0);

    assert_eq!(client.delete(), 0);
    eventually(|| metric(&app, "turnpike_session_loss_ratio_count{leg=\"client\"}") == 1.0);
    assert_eq!(metric(&app, "turnpike_session_loss_ratio_count{leg=\"peer\"}"), 1.0);
    app.stop().await;
}

/// Twenty packets, each awaited.
fn send_from_peer(peer: &UdpSocket, relayed: SocketAddr, client: &UdpSocket) {
    for sequence in 0..20 {
        peer.send_to(&rtp(9, sequence), relayed).unwrap();
        receive(client);
    }
}

/// The session, once its client's quality is so.
async fn shown(app: &App, is_so: impl Fn(&Value) -> bool) -> Value {
    let look = async {
        loop {
            let list: Value = serde_json::from_str(&ask(app, "GET", "/admin/v1/sessions").await.1).unwrap();
            let session = &list["sessions"][0];
            if is_so(&session["quality"]["client"]) {
                return session.clone();
            }
        }
    };
    tokio::time::timeout(DEADLINE, look).await.expect("within five seconds")
}

fn is_in(app: &App, state: &str) -> bool {
    metric(app, &format!("turnpike_sessions{{state=\"{state}\"}}")) == 1.0
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&(u32::from(sequence) * 3000).to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0; 100]);
    packet
}

fn check(kind: u16) -> Vec<u8> {
    let mut message = kind.to_be_bytes().to_vec();
    message.extend_from_slice(&[0, 0, 0x21, 0x12, 0xa4, 0x42]);
    message.extend_from_slice(&[7; 12]);
    message
}
