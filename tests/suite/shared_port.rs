//! TURN and HTTP on one port, told apart by what clients say first.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ALL_VERSIONS;
use rustls::version::{TLS12, TLS13};
use serde_json::json;
use tokio_rustls::TlsConnector;
use turnpike::app::App;
use turnpike::relay::{HttpTaker, Partners, Relay};
use turnpike::telemetry::Metrics;

use crate::stream_client::*;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn one_port_serves_turn_and_http_in_the_clear_and_with_tls() {
    let certificate = Certificate::new();
    let app = start_shared(&certificate.config(), echo()).await;
    let server = app.gateway_addr();
    assert_eq!(app.turn_tcp_addrs(), [server]);

    let (mut plain, mut secure) = (over_tcp(server), certificate.over_tls(server));
    plain.allocated();
    secure.allocated();
    let named = certificate.client(connect(server), ALL_VERSIONS, &[b"stun.turn"]);
    Client::on(Frames::new(named), server).allocated();
    let mut http = connect(server);
    let mut https = certificate.client(connect(server), ALL_VERSIONS, &[b"http/1.1"]);
    for _ in 0..2 {
        assert_forwarded(&get_health(&mut http), "http", "127.0.0.1");
        assert_forwarded(&get_health(&mut https), "https", "127.0.0.1");
    }
    assert_eq!(closed(&app, "http"), 2.0);
    assert_eq!(plain.delete(), 0);
    assert_eq!(secure.delete(), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_tls_that_names_no_protocol_is_known_by_its_first_bytes() {
    let certificate = Certificate::new();
    let app = start_shared(&certificate.config(), echo()).await;
    for version in [&TLS12, &TLS13] {
        let mut https = certificate.client(connect(app.gateway_addr()), &[version], &[]);
        assert_forwarded(&get_health(&mut https), "https", "127.0.0.1");
        // More than sockets and TLS hold, both ways.
        let offer = offer(200_000);
        let answer = ask(&mut https, &post_offer(&offer));
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(&offer), "{:.200}", answer);
        https.conn.send_close_notify();
        https.flush().unwrap();
        assert_eq!(https.read(&mut [0]).unwrap(), 0, "it says goodbye as well");
    }
    assert_eq!(closed(&app, "http"), 2.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_agreed_upon() {
    let certificate = Certificate::new();
    let app = start_shared(&certificate.config(), echo()).await;
    let stream = tokio::net::TcpStream::connect(app.gateway_addr()).await.unwrap();
    let config = certificate.client_config(ALL_VERSIONS, &[b"h2", b"http/1.1"]);
    let name = "127.0.0.1".try_into().unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("https://127.0.0.1/skin/webrtc/health");
    let answer = sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen = answer.into_body().collect().await.unwrap().to_bytes();
    assert_forwarded(std::str::from_utf8(&seen).unwrap(), "https", "127.0.0.1");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_hello_may_come_in_single_bytes() {
    let certificate = Certificate::new();
    let app = start_shared(&certificate.config(), echo()).await;
    for protocols in [&[b"http/1.1" as &[u8]][..], &[]] {
        let mut https = certificate.client(connect(app.gateway_addr()), ALL_VERSIONS, protocols);
        let mut hello = Vec::new();
        https.conn.write_tls(&mut hello).unwrap();
        for byte in hello {
            https.sock.write_all(&[byte]).unwrap();
        }
        assert_forwarded(&get_health(&mut https), "https", "127.0.0.1");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_brings_clients_of_both() {
    let certificate = Certificate::new();
    let config =
        certificate.config().replace("listen_tcp", "proxy_protocol_from = [\"127.0.0.1\"]\nlisten_tcp");
    let app = start_shared(&config, echo()).await;
    let server = app.gateway_addr();
    let brought = || {
        let mut stream = connect(server);
        // Version 2: PROXY, TCP over IPv4, from 192.0.2.1:5000 to 192.0.2.2:443.
        stream
            .write_all(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x02\x13\x88\x01\xbb")
            .unwrap();
        stream
    };
    for protocols in [&[b"http/1.1" as &[u8]][..], &[]] {
        let mut https = certificate.client(brought(), ALL_VERSIONS, protocols);
        assert_forwarded(&get_health(&mut https), "https", "192.0.2.1");
    }
    assert_forwarded(&get_health(&mut brought()), "http", "192.0.2.1");
    // The relay has forgotten them: the same client may come again.
    let mut turn = Client::on(Frames::new(certificate.client(brought(), ALL_VERSIONS, &[])), server);
    turn.allocated();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_has_counts_for_no_limit_of_the_relay() {
    let certificate = Certificate::new();
    let config = certificate.config().replace("[turn.tls]", "limits = { connections = 1 }\n[turn.tls]");
    let app = start_shared(&config, echo()).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        kept.push(certificate.client(connect(app.gateway_addr()), ALL_VERSIONS, &[]));
        for https in &mut kept {
            assert_forwarded(&get_health(https), "https", "127.0.0.1");
        }
    }
    over_tcp(app.gateway_addr()).allocated();
    assert_eq!(closed(&app, "limit"), 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_a_request_in_flight_finish() {
    let certificate = Certificate::new();
    for protocols in [&[b"http/1.1" as &[u8]][..], &[]] {
        let (backend, reached, release) = held();
        let app = start_shared(&certificate.config(), backend).await;
        let server = app.gateway_addr();
        let mut https = certificate.client(connect(server), ALL_VERSIONS, protocols);
        let offer = post_offer(&offer(0));
        https.write_all(offer.as_bytes()).unwrap();
        reached.recv_timeout(DEADLINE).unwrap();

        let stopped = tokio::spawn(app.stop());
        // New clients are turned away while the old one is served.
        eventually(|| {
            let mut late = connect(server);
            let _ = late.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
            !matches!(late.read(&mut [0]), Ok(1))
        });
        assert!(!stopped.is_finished());
        release.send(()).unwrap();
        assert!(read_message(&mut https).unwrap().starts_with("HTTP/1.1 200 "));
        stopped.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_gateways_own_keeps_http_in_the_clear_out() {
    let certificate = Certificate::new();
    let config = certificate.config() + &certificate.section("gateway");
    let app = start_shared(&config, echo()).await;
    let mut http = connect(app.gateway_addr());
    http.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    assert_eq!(read_message(&mut http), None);
    assert_eq!(metric(&app, "turnpike_gateway_connection_failures_total{cause=\"handshake\"}"), 1.0);
    over_tcp(app.gateway_addr()).allocated();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_for_turn_whoever_names_no_protocol_gets_http() {
    let certificate = Certificate::new();
    let config = CONFIG.replace("[turn.peers]", "listen_tcp = [\"127.0.0.1:0\"]\n[turn.peers]");
    let app = start_shared(&(config + &certificate.section("gateway")), echo()).await;
    for protocols in [&[b"http/1.1" as &[u8]][..], &[]] {
        let mut https = certificate.client(connect(app.gateway_addr()), ALL_VERSIONS, protocols);
        assert_forwarded(&get_health(&mut https), "https", "127.0.0.1");
    }
    let mut turn = certificate.client(connect(app.gateway_addr()), ALL_VERSIONS, &[b"stun.turn"]);
    assert!(turn.flush().is_err());
    assert_eq!(closed(&app, "garbage"), 1.0);
    app.stop().await;
}

#[test]
fn a_client_that_speaks_http_is_closed_when_nobody_takes_it() {
    let mut settings = settings(CONFIG);
    settings.relay.http = Some(settings.relay.listen_tcp[0]);
    let metrics = Metrics::new();
    let refuse = HttpTaker::new(|client| {
        assert_eq!(client.received, b"GET /");
        false
    });
    let partners = Partners { http: Some(refuse), ..Partners::default() };
    let relay = Relay::start(&settings.relay, &settings.turn, &metrics, partners, || ()).unwrap();
    let mut client = connect(relay.http_addr().unwrap());
    client.write_all(b"GET /").unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    eventually(|| {
        let text = metrics.exposition().unwrap();
        text.contains("turnpike_relay_connections_closed_total{reason=\"http_overload\"} 1\n")
    });
    relay.stop();
}

/// A server whose gateway shares the TCP port of its relay.
async fn start_shared(config: &str, backend: SocketAddr) -> App {
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config =
            config.replace("listen_tcp = [\"127.0.0.1:0\"]", &format!("listen_tcp = [\"{free}\"]")).replace(
                "listen = \"127.0.0.1:0\"\n[[",
                &format!("listen = \"{free}\"\nbackend = \"http://{backend}\"\n[["),
            );
        assert_eq!(config.matches(&free.to_string()).count(), 2);
        // Somebody else may have taken the port since.
        if let Ok(app) = App::start(&settings(&config)).await {
            return app;
        }
    }
    panic!("no port stays free");
}

/// A backend that answers with what it was asked, headers and all.
fn echo() -> SocketAddr {
    serve_backend(|_| ())
}

/// A backend that tells when a request has come, and answers when told to.
fn held() -> (SocketAddr, Receiver<()>, Sender<()>) {
    let (reach, reached) = channel();
    let (release, released) = channel();
    let released = std::sync::Mutex::new(released);
    let backend = serve_backend(move |_| {
        reach.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
    });
    (backend, reached, release)
}

fn serve_backend(before: impl Fn(&str) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let before = Arc::new(before);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, before) = (stream.unwrap(), Arc::clone(&before));
            std::thread::spawn(move || {
                while let Some(request) = read_message(&mut stream) {
                    before(&request);
                    let len = request.len();
                    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n{request}").unwrap();
                }
            });
        }
    });
    address
}

fn get_health(stream: &mut (impl Read + Write)) -> String {
    ask(stream, "GET /skin/webrtc/health HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// A client's offer, with a member that nobody reads to make it larger.
fn offer(padding: usize) -> String {
    let sdp = include_str!("../offers/aiortc.sdp");
    json!({"type": "offer", "sdp": sdp, "padding": "x".repeat(padding)}).to_string()
}

fn post_offer(offer: &str) -> String {
    format!(
        "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: 0123456789abcdef\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{offer}",
        offer.len()
    )
}

fn ask(stream: &mut (impl Read + Write), request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    read_message(stream).expect("an answer")
}

/// A request or an answer, as it came; `None` if the stream ends before it.
fn read_message(stream: &mut impl Read) -> Option<String> {
    let mut message = Vec::new();
    while !message.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        message.extend_from_slice(&byte);
    }
    let head = String::from_utf8(message).unwrap();
    let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; len.map_or(0, |len| len.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    Some(head + &String::from_utf8(body).unwrap())
}

/// Checks what the backend was told of a client.
fn assert_forwarded(answer: &str, scheme: &str, client: &str) {
    for header in [format!("x-forwarded-proto: {scheme}\r\n"), format!("x-forwarded-for: {client}\r\n")] {
        assert!(answer.contains(&header), "no {header:?} in {answer}");
    }
}

fn closed(app: &App, reason: &str) -> f64 {
    metric(app, &format!("turnpike_relay_connections_closed_total{{reason=\"{reason}\"}}"))
}
