//! What a stop does to requests in flight.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use super::harness::{
    Answer, KEY, OFFER, Running, TestBackend, json_response, read_status, read_to_close, request, start,
    within, write,
};

#[tokio::test]
async fn lets_a_request_in_flight_finish() {
    let (backend, mut reached, release) = held_backend().await;
    let gateway = start(backend.address, |_| {}).await;
    let Running { address, stop, task, .. } = gateway;
    let offer = tokio::spawn(offer(address));
    within(reached.recv()).await.unwrap();

    stop.send(()).unwrap();
    until_refused(address).await;
    assert!(!task.is_finished());
    release.notify_one();

    assert_eq!(within(offer).await.unwrap().status, 200);
    within(task).await.unwrap();
}

#[tokio::test]
async fn closes_kept_connections_at_once() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.timeouts.request_headers = Duration::from_hours(1);
        settings.timeouts.drain = Duration::from_hours(1);
    })
    .await;
    let mut kept = gateway.connect().await;
    write(&mut kept, "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(read_status(&mut kept).await, "HTTP/1.1 404");

    gateway.stop.send(()).unwrap();

    read_to_close(&mut kept).await;
    within(gateway.task).await.unwrap();
}

#[tokio::test]
async fn cuts_off_a_request_that_outlasts_the_drain() {
    let (backend, mut reached, _release) = held_backend().await;
    let gateway =
        start(backend.address, |settings| settings.timeouts.drain = Duration::from_millis(100)).await;
    let Running { address, stop, task, .. } = gateway;
    let offer = tokio::spawn(offer(address));
    within(reached.recv()).await.unwrap();

    stop.send(()).unwrap();

    within(task).await.unwrap();
    assert!(within(offer).await.is_err(), "the connection is gone");
}

/// A backend that tells when a request came and answers it once released.
async fn held_backend() -> (TestBackend, mpsc::Receiver<()>, Arc<Notify>) {
    let (reached, reaches) = mpsc::channel(1);
    let release = Arc::new(Notify::new());
    let released = Arc::clone(&release);
    let backend = TestBackend::start(move |_| {
        let (reached, released) = (reached.clone(), Arc::clone(&released));
        async move {
            reached.send(()).await.unwrap();
            released.notified().await;
            json_response(200, "{}")
        }
    })
    .await;
    (backend, reaches, release)
}

async fn offer(address: SocketAddr) -> Answer {
    let headers = [("api-key", KEY)];
    request(address, http::Method::POST, "/skin/webrtc/offer", &headers, OFFER).await
}

async fn until_refused(address: SocketAddr) {
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}
