//! Connections that came in elsewhere.

use std::net::{SocketAddr, TcpListener, TcpStream};

use tokio::io::AsyncWriteExt;

use super::harness::{TestBackend, read_to_close, url_of, within};
use crate::gateway::Door;
use crate::gateway::{BackendsSettings, Gateway, Handed, Settings};
use crate::telemetry::Metrics;
use crate::tls::Protection;

#[tokio::test]
async fn a_gateway_without_an_address_serves_what_is_handed_over() {
    let backend = TestBackend::agreeable().await;
    let settings = Settings {
        listen: None,
        backends: BackendsSettings::of_one(url_of(backend.address)),
        ..Settings::default()
    };
    let gateway = Gateway::bind(&settings, &Metrics::new()).await.unwrap();
    assert_eq!(gateway.local_addr().unwrap(), None);
    let door = gateway.door();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(gateway.serve(async {
        let _ = stopped.await;
    }));
    let (mut client, socket) = pair();

    // The rest of the request comes after the connection was handed over.
    assert!(door.hand_over(handed(socket, b"GET /skin/webrtc/health HT")));
    client.write_all(b"TP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let answer = read_to_close(&mut client).await;

    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(backend.seen()[0].headers["x-forwarded-for"], "192.0.2.1");
    drop(stop);
    within(task).await.unwrap();
    let (_client, socket) = pair();
    assert!(!door.hand_over(handed(socket, b"GET")), "nobody serves any more");
}

#[tokio::test]
async fn a_door_takes_no_more_than_may_wait() {
    let (door, mut waiting) = Door::new(1);
    let (_first, socket) = pair();
    assert!(door.hand_over(handed(socket, b"GET")));
    let (mut refused, socket) = pair();
    assert!(!door.hand_over(handed(socket, b"GET")));
    assert_eq!(read_to_close(&mut refused).await, "");

    waiting.recv().await.unwrap();

    let (_third, socket) = pair();
    assert!(door.hand_over(handed(socket, b"GET")));
}

fn handed(socket: TcpStream, received: &[u8]) -> Handed {
    let client = SocketAddr::from(([192, 0, 2, 1], 5000));
    Handed { socket, client, protection: Protection::None, received: received.to_vec() }
}

/// A client, and its connection as the relay has it.
fn pair() -> (tokio::net::TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    client.set_nonblocking(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    (tokio::net::TcpStream::from_std(client).unwrap(), socket)
}
