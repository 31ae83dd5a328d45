//! Who connects, who brings them, which pages they come from, and what the backend is told of it.

use http::Method;
use ipnet::IpNet;
use tokio::io::AsyncReadExt;

use super::harness::{
    KEY, OFFER, TestBackend, json_response, nobody, read_status, read_to_close, start, within, write,
};
use crate::gateway::{CorsSettings, ProxyFields, ProxySettings, Settings};

#[tokio::test]
async fn answers_a_preflight_without_a_key() {
    let gateway = start(nobody().await, |_| {}).await;
    let asked = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "api-key,content-type"),
    ];

    let answer = gateway.request(Method::OPTIONS, "/skin/webrtc/offer", &asked, "").await;

    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-allow-headers").contains("api-key, x-api-key, authorization"));
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    assert_eq!(answer.header("access-control-max-age"), "7200");
    assert!(gateway.shows(r#"turnpike_gateway_preflights_total{result="allowed"} 1"#));
}

#[tokio::test]
async fn lets_listed_pages_read_answers_and_refuses_the_others() {
    let backend = TestBackend::start(async |_| {
        let mut answer = json_response(200, "{}");
        answer
            .headers_mut()
            .insert("access-control-allow-origin", "https://backend.example".parse().unwrap());
        answer
    })
    .await;
    let origins = vec!["https://*.example.org".parse().unwrap()];
    let cors = CorsSettings { origins, allows_private_network: false };
    let gateway = start(backend.address, |settings| settings.cors = cors).await;
    let listed = ("origin", "https://app.example.org");
    let preflight = ("access-control-request-method", "POST");

    let answered = gateway.offer(&[listed], OFFER).await;
    let problem = gateway.request(Method::POST, "/skin/webrtc/offer", &[listed], OFFER).await;
    let other = gateway.offer(&[("origin", "https://example.org.evil.example")], OFFER).await;
    let refused = [("origin", "https://evil.example"), preflight];
    let refused = gateway.request(Method::OPTIONS, "/skin/webrtc/offer", &refused, "").await;

    for answer in [&answered, &problem] {
        assert_eq!(answer.header("access-control-allow-origin"), "https://app.example.org");
        assert!(answer.header("access-control-expose-headers").contains("Retry-After"));
        assert!(answer.header("vary").contains("Origin"));
    }
    assert_eq!((answered.status, problem.status), (200, 401));
    assert_eq!(other.header("access-control-allow-origin"), "");
    refused.assert_problem(403, "origin_not_allowed");
    gateway.update(|settings| settings.cors = CorsSettings::default());
    let now = gateway.offer(&[("origin", "https://evil.example")], OFFER).await;
    assert_eq!(now.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn believes_proxies_that_are_trusted_and_nobody_else() {
    let backend = TestBackend::agreeable().await;
    let told = [
        ("x-forwarded-for", "192.0.2.66, 198.51.100.7, 10.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.example"),
    ];
    let trusted: Vec<IpNet> = ["127.0.0.0/8", "10.0.0.0/8"].map(|network| network.parse().unwrap()).to_vec();
    let proxies = ProxySettings { trusted, fields: ProxyFields::XForwarded };
    let believing = start(backend.address, |settings| settings.proxies = proxies).await;
    let doubting = start(backend.address, |_| {}).await;

    assert_eq!(believing.offer(&told, OFFER).await.status, 200);
    assert_eq!(doubting.offer(&told, OFFER).await.status, 200);

    let seen = backend.seen();
    let header = |index: usize, name: &str| seen[index].headers[name].to_str().unwrap().to_owned();
    assert_eq!(header(0, "x-forwarded-for"), "198.51.100.7, 10.0.0.1, 127.0.0.1");
    assert_eq!(
        (header(0, "x-forwarded-proto"), header(0, "x-forwarded-host")),
        ("https".into(), "app.example".into())
    );
    assert!(header(0, "forwarded").starts_with("for=198.51.100.7"), "{}", header(0, "forwarded"));
    assert_eq!(
        (header(1, "x-forwarded-for"), header(1, "x-forwarded-proto")),
        ("127.0.0.1".into(), "http".into())
    );
    assert_eq!(header(1, "x-forwarded-host"), "turn.example");
}

#[tokio::test]
async fn a_proxy_header_names_the_client_where_one_is_expected() {
    let backend = TestBackend::agreeable().await;
    let introduced = |settings: &mut Settings| {
        settings.front.proxy_protocol_from = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let expecting = start(backend.address, introduced).await;
    let other = start(backend.address, |_| {}).await;
    let request = "PROXY TCP4 198.51.100.7 10.0.0.1 40000 443\r\n\
                   GET /skin/webrtc/health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    let mut stream = expecting.connect().await;
    write(&mut stream, request).await;
    let served = read_to_close(&mut stream).await;
    let mut stream = other.connect().await;
    write(&mut stream, request).await;
    let refused = read_to_close(&mut stream).await;
    let own = expecting.request(Method::GET, "/skin/webrtc/health", &[], "").await;
    let mut stream = expecting.connect().await;
    write(&mut stream, "PROXY TCP4 nonsense\r\n").await;
    let broken = read_to_close(&mut stream).await;

    assert!(served.starts_with("HTTP/1.1 200"), "{served}");
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert_eq!((own.status, broken.as_str()), (200, ""));
    let clients: Vec<_> = backend.seen().iter().map(|seen| seen.headers["x-forwarded-for"].clone()).collect();
    assert_eq!(clients, ["198.51.100.7", "127.0.0.1"]);
}

#[tokio::test]
async fn tells_the_backend_the_key_and_the_trace_and_takes_neither_from_the_client() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    gateway.offer(&[("traceparent", parent), ("x-turnpike-key-id", "forged")], OFFER).await;
    gateway.offer(&[("traceparent", "nonsense"), ("x_turnpike_key_id", "forged")], OFFER).await;

    let seen = backend.seen();
    assert_eq!(seen[0].headers["traceparent"], parent);
    assert_eq!(seen[0].headers["x-turnpike-key-id"], "app");
    let made = seen[1].headers["traceparent"].to_str().unwrap();
    assert!(made.starts_with("00-") && made.len() == parent.len() && made.ends_with("-00"), "{made}");
    assert_eq!(seen[1].headers["x-turnpike-key-id"], "app");
    assert!(!seen[1].headers.contains_key("x_turnpike_key_id"));
}

#[tokio::test]
async fn refuses_what_could_be_understood_in_two_ways() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let head = format!("POST /skin/webrtc/offer HTTP/1.1\r\napi-key: {KEY}\r\n");
    let length = OFFER.len();
    for ambiguous in [
        format!("host: a\r\nhost: b\r\ncontent-length: {length}\r\n\r\n{OFFER}"),
        format!("content-length: {length}\r\n\r\n{OFFER}"),
        format!("host: a\r\ncontent-length: {length}\r\ncontent-length: 3\r\n\r\n{OFFER}"),
        format!("host: a\r\ncontent-length: +{length}\r\n\r\n{OFFER}"),
        "host: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_owned(),
        "host: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n".to_owned(),
        "host: a\r\nx: 1\r\n folded\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "host: a\r\nx : 1\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "host: a\r\nx: \0\r\ncontent-length: 0\r\n\r\n".to_owned(),
    ] {
        let mut stream = gateway.connect().await;
        write(&mut stream, &format!("{head}{ambiguous}")).await;
        let answer = read_to_close(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{ambiguous:?}: {answer}");
    }
    assert_eq!(backend.seen().len(), 0);
}

#[tokio::test]
async fn a_body_with_two_lengths_reaches_the_backend_as_one_request() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let chunked = format!("{:x}\r\n{OFFER}\r\n0\r\n\r\n", OFFER.len());
    let smuggled = format!(
        "POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ncontent-length: 4\r\n\
         transfer-encoding: chunked\r\n\r\n{chunked}"
    );

    let mut stream = gateway.connect().await;
    write(&mut stream, &smuggled).await;
    let status = read_status(&mut stream).await;

    // RFC 9112 §6.3: refused, or understood by its chunks alone; either way there is nothing left to be a request.
    let seen = backend.seen();
    assert!(seen.len() <= 1, "{status}: {seen:?}");
    assert!(
        seen.iter()
            .all(|request| request.body == OFFER && !request.headers.contains_key("transfer-encoding"))
    );
}

#[tokio::test]
async fn bounds_the_connections_of_a_source() {
    let gateway = start(nobody().await, |settings| settings.front.connections_per_source = 2).await;
    let (mut first, _second) = (gateway.connect().await, gateway.connect().await);
    // Both are counted once the first has been answered.
    write(&mut first, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    read_status(&mut first).await;

    let mut third = gateway.connect().await;
    let mut rest = Vec::new();
    let closed = within(third.read_to_end(&mut rest)).await;

    assert!(closed.is_err() || rest.is_empty());
    assert!(
        gateway.shows(r#"turnpike_gateway_connections_refused_total{bound="source",listener="gateway"} 1"#)
    );
    drop(first);
    gateway.update(|settings| settings.front.connections_per_source = 3);
    let answer = gateway.request(Method::GET, "/", &[], "").await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn serves_head_options_and_a_slash_behind() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let head = gateway.request(Method::HEAD, "/skin/webrtc/health", &[], "").await;
    let options = gateway.request(Method::OPTIONS, "/skin/webrtc/offer", &[], "").await;
    let slash = gateway.request(Method::GET, "/skin/webrtc/health/", &[], "").await;
    let other = gateway.request(Method::PUT, "/skin/webrtc/offer", &[], "").await;

    assert_eq!((head.status, head.body.len(), slash.status), (200, 0, 200));
    assert_eq!((options.status, options.header("allow")), (204, "POST,OPTIONS"));
    other.assert_problem(405, "method_not_allowed");
    assert_eq!(other.header("allow"), "POST,OPTIONS");
}
