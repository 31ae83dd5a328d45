//! Certificates that change while clients are served.

use std::io::{Read, Write};

use turnpike::app::App;

use crate::stream_client::*;
use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn new_clients_see_the_new_certificate_and_old_ones_go_on() {
    let mut certificate = Certificate::new();
    let app = start(&config(&certificate)).await;
    let server = app.turn_tcp_addrs()[0];
    let mut old = certificate.over_tls(server);
    let relayed = old.allocated();
    let mut old_http = certificate.client(connect(app.gateway_addr()), rustls::ALL_VERSIONS, &[b"http/1.1"]);
    assert!(answer(&mut old_http).starts_with("HTTP/1.1 404"));

    certificate.renew();
    app.reload().unwrap();
    for part in ["relay", "gateway"] {
        eventually(|| reloads(&app, part, "succeeded") == 1.0);
    }

    certificate.over_tls(server).allocated();
    let mut http = certificate.client(connect(app.gateway_addr()), rustls::ALL_VERSIONS, &[b"http/1.1"]);
    assert!(answer(&mut http).starts_with("HTTP/1.1 404"));
    let peer = socket();
    assert_eq!(old.bind(0x4000, peer.local_addr().unwrap()), 0);
    old.send_on_channel(0x4000, b"still here");
    assert_eq!(receive(&peer), (b"still here".to_vec(), relayed));
    assert!(answer(&mut old_http).starts_with("HTTP/1.1 404"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_certificate_leave_the_one_before() {
    let mut certificate = Certificate::new();
    let app = start(&config(&certificate)).await;

    certificate.spoil();
    app.reload().unwrap();
    eventually(|| reloads(&app, "relay", "failed") == 1.0);

    certificate.over_tls(app.turn_tcp_addrs()[0]).allocated();
    assert_eq!(reloads(&app, "relay", "succeeded"), 0.0);
    assert!(metric(&app, "turnpike_tls_certificate_expiry_timestamp_seconds{part=\"relay\"}") > 4e9);
    app.stop().await;
}

/// The relay and the gateway have a certificate.
fn config(certificate: &Certificate) -> String {
    certificate.config() + &certificate.section("gateway")
}

fn reloads(app: &App, part: &str, result: &str) -> f64 {
    metric(app, &format!("turnpike_tls_certificate_reloads_total{{part=\"{part}\",result=\"{result}\"}}"))
}

/// The head of the answer to a request for nothing, on a connection that stays.
fn answer(stream: &mut TlsStream) -> String {
    stream.write_all(b"HEAD /nothing HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).unwrap()
}
