//! Connections: deadlines, kept ones, HTTP/2, TLS.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::harness::{KEY, OFFER, TestBackend, json_response, nobody, read_to_close, start, within, write};
use crate::gateway::Settings;
use crate::tls::CertificateFiles;

#[tokio::test]
async fn cuts_off_a_client_whose_headers_do_not_end() {
    for text in ["", "P", "PRI * HTTP/2.0\r\n", "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\n"] {
        let gateway = start(nobody().await, impatient).await;
        let mut client = gateway.connect().await;

        write(&mut client, text).await;

        assert_eq!(read_to_close(&mut client).await, "", "{text:?}");
        assert!(
            gateway.shows("turnpike_gateway_connection_failures_total{cause=\"headers_timed_out\"} 1"),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn cuts_off_a_client_whose_second_headers_do_not_end() {
    let gateway = start(nobody().await, impatient).await;
    let mut client = gateway.connect().await;

    write(&mut client, "GET /a HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\n").await;
    let answers = read_to_close(&mut client).await;

    assert_eq!(answers.matches("HTTP/1.1 404 ").count(), 1, "{answers}");
}

#[tokio::test]
async fn gives_a_request_that_takes_long_to_answer_its_time() {
    let backend = TestBackend::start(async |_| {
        tokio::time::sleep(HEADERS * 3).await;
        json_response(200, "{}")
    })
    .await;
    let gateway = start(backend.address, impatient).await;

    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
}

#[tokio::test]
async fn answers_pipelined_requests_in_their_order() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let mut client = gateway.connect().await;

    let length = OFFER.len();
    write(
        &mut client,
        &format!(
            "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\nx-request-id: first\r\napi-key: {KEY}\r\n\
             content-length: {length}\r\n\r\n{OFFER}\
             GET /skin/webrtc/health HTTP/1.1\r\nhost: a\r\nx-request-id: second\r\n\r\n\
             GET /nowhere HTTP/1.1\r\nhost: a\r\nx-request-id: third\r\nconnection: close\r\n\r\n"
        ),
    )
    .await;
    let answers = read_to_close(&mut client).await;

    let ids: Vec<&str> = answers.lines().filter_map(|line| line.strip_prefix("x-request-id: ")).collect();
    assert_eq!(ids, ["first", "second", "third"], "{answers}");
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "200", "404"], "{answers}");
}

#[tokio::test]
async fn lets_no_second_request_hide_behind_two_lengths() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let mut client = gateway.connect().await;

    let size = OFFER.len();
    write(
        &mut client,
        &format!(
            "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ncontent-length: 4\r\n\
             transfer-encoding: chunked\r\nconnection: close\r\n\r\n{size:x}\r\n{OFFER}\r\n0\r\n\r\n\
             GET /skin/webrtc/health HTTP/1.1\r\nhost: a\r\n\r\n"
        ),
    )
    .await;
    let answers = read_to_close(&mut client).await;

    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    for seen in backend.seen() {
        assert_eq!(seen.body, OFFER);
        assert_eq!(seen.headers["content-length"], size.to_string());
        assert!(!seen.headers.contains_key("transfer-encoding"));
    }
}

#[tokio::test]
async fn speaks_http2_in_the_clear() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let status = offer_over_http2(gateway.connect().await, "http").await;

    assert_eq!(status, 200);
    assert_eq!(backend.seen()[0].headers["x-forwarded-host"], "turn.example");
}

#[tokio::test]
async fn speaks_both_http_versions_over_tls() {
    let backend = TestBackend::agreeable().await;
    let certificate = Certificate::new();
    let gateway = start(backend.address, |settings| settings.tls = Some(certificate.files.clone())).await;

    let modern = certificate.connect(gateway.connect().await, b"h2").await;
    assert_eq!(modern.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(offer_over_http2(modern, "https").await, 200);

    let mut classic = certificate.connect(gateway.connect().await, b"http/1.1").await;
    assert_eq!(classic.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let health = "GET /skin/webrtc/health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    classic.write_all(health.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(classic.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    for seen in backend.seen() {
        assert_eq!(seen.headers["x-forwarded-proto"], "https");
    }
}

#[tokio::test]
async fn cuts_off_a_client_whose_handshake_does_not_end() {
    let certificate = Certificate::new();
    let gateway = start(nobody().await, |settings| {
        settings.tls = Some(certificate.files.clone());
        settings.timeouts.handshake = Duration::from_millis(100);
    })
    .await;
    let mut client = gateway.connect().await;

    assert_eq!(read_to_close(&mut client).await, "");
    assert!(gateway.shows("turnpike_gateway_connection_failures_total{cause=\"handshake_timed_out\"} 1"));
}

#[tokio::test]
async fn counts_a_handshake_that_fails() {
    let certificate = Certificate::new();
    let gateway = start(nobody().await, |settings| settings.tls = Some(certificate.files.clone())).await;
    let mut client = gateway.connect().await;

    write(&mut client, "GET / HTTP/1.1\r\n\r\n").await;
    let mut alert = Vec::new();
    let _ = within(client.read_to_end(&mut alert)).await;

    assert!(gateway.shows("turnpike_gateway_connection_failures_total{cause=\"handshake\"} 1"));
}

fn impatient(settings: &mut Settings) {
    settings.timeouts.request_headers = HEADERS;
}

async fn offer_over_http2<I>(stream: I, scheme: &str) -> u16
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let offer = Request::post(format!("{scheme}://turn.example/skin/webrtc/offer"))
        .header("api-key", KEY)
        .body(Full::new(Bytes::from(OFFER)))
        .unwrap();
    within(sender.send_request(offer)).await.unwrap().status().as_u16()
}

struct Certificate {
    files: CertificateFiles,
    roots: RootCertStore,
    _folder: TempDir,
}

impl Certificate {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let files = CertificateFiles {
            certificate: folder.path().join("server.crt"),
            private_key: folder.path().join("server.key"),
        };
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["turn.example".to_owned()]).unwrap();
        std::fs::write(&files.certificate, cert.pem()).unwrap();
        std::fs::write(&files.private_key, signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        Self { files, roots, _folder: folder }
    }

    async fn connect<S>(&self, stream: S, protocol: &[u8]) -> tokio_rustls::client::TlsStream<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from("turn.example").unwrap();
        within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await.unwrap()
    }
}

const HEADERS: Duration = Duration::from_millis(150);
