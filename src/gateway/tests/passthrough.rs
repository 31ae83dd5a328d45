//! Other paths, passed on as they are, and WebSockets.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::harness::{KEY, TestBackend, nobody, start};
use crate::gateway::{PassthroughSettings, Settings};

fn rule(prefix: &str) -> PassthroughSettings {
    PassthroughSettings {
        prefix: prefix.to_owned(),
        is_public: false,
        allows_web_sockets: false,
        body_limit_bytes: PassthroughSettings::DEFAULT_BODY_LIMIT_BYTES,
    }
}

fn skin(settings: &mut Settings) {
    settings.passthrough.push(rule("/skin/"));
}

#[tokio::test]
async fn passes_on_what_is_below_a_prefix_and_nothing_else() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, skin).await;

    let with_key = [("api-key", KEY), ("x-forwarded-for", "203.0.113.9")];
    let answer = gateway.request(Method::PUT, "/skin/models/a%20b?full=1", &with_key, "text").await;
    assert_eq!(answer.status, 200);
    let seen = &backend.seen()[0];
    assert_eq!((seen.method.as_str(), seen.uri.to_string().as_str()), ("PUT", "/skin/models/a%20b?full=1"));
    assert_eq!(&seen.body[..], b"text");
    assert!(!seen.headers.contains_key("api-key"));
    assert_eq!(seen.headers["x-turnpike-key-id"], "app");
    assert_eq!(seen.headers["x-forwarded-for"], "127.0.0.1");

    for (path, status) in [
        ("/other", 404),
        ("/skinny", 404),
        ("/skin/../admin", 400),
        ("/skin/%2e%2e/admin", 400),
        ("/skin//x", 400),
        // An offer in disguise would not be checked.
        ("/skin/webrtc/%6fffer", 404),
        ("/skin/webrtc/offer;v=1", 404),
    ] {
        assert_eq!(gateway.request(Method::POST, path, &with_key, "").await.status, status, "{path}");
    }
    assert_eq!(gateway.request(Method::GET, "/skin/models", &[], "").await.status, 401);
    assert_eq!(backend.seen().len(), 1);
    assert!(gateway.shows("turnpike_gateway_requests_total{route=\"passthrough\",status=\"200\"} 1"));
}

#[tokio::test]
async fn the_longest_prefix_counts_and_may_be_public() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        skin(settings);
        let public = PassthroughSettings { is_public: true, body_limit_bytes: 4, ..rule("/skin/public/") };
        settings.passthrough.push(public);
    })
    .await;

    assert_eq!(gateway.request(Method::POST, "/skin/public/x", &[], "1234").await.status, 200);
    let too_large = gateway.request(Method::POST, "/skin/public/x", &[], "12345").await;
    too_large.assert_problem(413, "body_too_large");
    assert_eq!(gateway.request(Method::POST, "/skin/private", &[], "").await.status, 401);
}

#[tokio::test]
async fn an_answer_comes_piece_by_piece() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = listener.local_addr().unwrap();
    let gateway = start(backend, skin).await;
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    let request = format!("GET /skin/events HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let (mut backend, _) = listener.accept().await.unwrap();
    read_until(&mut backend, "\r\n\r\n").await;
    backend.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();

    for piece in ["first", "later"] {
        backend.write_all(format!("5\r\n{piece}\r\n").as_bytes()).await.unwrap();
        read_until(&mut client, piece).await;
    }
}

#[tokio::test]
async fn backends_that_are_gone_are_502_and_count() {
    let gateway = start(nobody().await, skin).await;

    let answer = gateway.request(Method::GET, "/skin/x", &[("api-key", KEY)], "").await;

    assert_eq!(answer.status, 502);
    assert!(gateway.shows("turnpike_gateway_backend_failures_total{cause=\"unreachable\"} 1"));
}

#[tokio::test]
async fn a_web_socket_goes_both_ways_where_it_may() {
    let backend = echoing_web_socket().await;
    let gateway = start(backend, |settings| {
        settings.passthrough.push(PassthroughSettings { allows_web_sockets: true, ..rule("/live/") });
        skin(settings);
        settings.cors.origins = Vec::new();
    })
    .await;

    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(handshake("/live/x", "").as_bytes()).await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101") && head.contains("sec-websocket-accept: yes"), "{head}");
    stream.write_all(b"any bytes").await.unwrap();
    read_until(&mut stream, "any bytes").await;
    assert!(gateway.shows("turnpike_gateway_websockets 1"));
    drop(stream);
    gateway.eventually_shows("turnpike_gateway_websockets_ended_total{reason=\"closed\"} 1").await;

    for (path, more, status) in [
        ("/skin/x", "", "403"),
        ("/live/x", "origin: https://elsewhere.example\r\n", "403"),
        ("/live/x", "origin: http://a\r\n", "101"),
    ] {
        let mut stream = TcpStream::connect(gateway.address).await.unwrap();
        stream.write_all(handshake(path, more).as_bytes()).await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        assert_eq!(&head[9..12], status, "{path} {more}");
    }
}

#[tokio::test]
async fn a_web_socket_without_a_word_ends() {
    let backend = echoing_web_socket().await;
    let gateway = start(backend, |settings| {
        settings.passthrough.push(PassthroughSettings { allows_web_sockets: true, ..rule("/live/") });
        settings.timeouts.client_idle = Duration::from_millis(200);
    })
    .await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(handshake("/live/x", "").as_bytes()).await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;

    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0, "it is closed");

    gateway.eventually_shows("turnpike_gateway_websockets_ended_total{reason=\"idle\"} 1").await;
}

fn handshake(path: &str, more: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\nconnection: keep-alive, Upgrade\r\n\
         upgrade: WebSocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: abc\r\n{more}\r\n"
    )
}

/// A backend that agrees to every handshake and then sends back what it gets.
async fn echoing_web_socket() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let head = read_until(&mut stream, "\r\n\r\n").await.to_ascii_lowercase();
                assert!(
                    head.contains("\r\nupgrade: websocket\r\n") && head.contains("sec-websocket-key: abc")
                );
                let answer = "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                              sec-websocket-accept: yes\r\n\r\n";
                stream.write_all(answer.as_bytes()).await.unwrap();
                let (mut read, mut write) = stream.split();
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
        }
    });
    address
}

/// What came until a text was there.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut came = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&came).contains(text) {
            let mut buffer = [0; 1024];
            let count = stream.read(&mut buffer).await.unwrap();
            assert!(count > 0, "closed before {text:?}: {}", String::from_utf8_lossy(&came));
            came.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(Duration::from_secs(5), read).await.expect("it comes within five seconds");
    String::from_utf8(came).unwrap()
}
