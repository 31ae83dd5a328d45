//! Bodies that are made to hurt: they are refused or passed on, soon, and the next offer is served.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;

use super::harness::{KEY, OFFER, SDP_IN_JSON, TestBackend, read_status, start, write};

#[tokio::test]
async fn refuses_what_no_parser_should_have_to_read() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let offer_with = |more: &str| format!(r#"{{"sdp":"{SDP_IN_JSON}","type":"offer",{more}}}"#);
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(40_000), close.repeat(40_000));

    for (what, body) in [
        ("a deep list", deep("[", "]")),
        ("a deep list that does not end", "[".repeat(250_000)),
        ("a deep object", deep(r#"{"a":"#, "}")),
        ("depth in a field that nobody reads", offer_with(&format!(r#""x":{}"#, deep("[", "]")))),
        ("depth in a field that is read", offer_with(&format!(r#""user_id":{}"#, deep("[", "]")))),
        ("a number beyond all bounds", offer_with(r#""user_id":1e999999"#)),
        ("a number of many digits", offer_with(&format!(r#""user_id":{}"#, "9".repeat(200_000)))),
        ("two SDPs", offer_with(r#""sdp":"v=0""#)),
        ("two SDPs, of which one is in disguise", offer_with(r#""\u0073dp":"v=0""#)),
        ("two types", offer_with(r#""type":"offer""#)),
        ("two users", offer_with(r#""user_id":"a","user_id":"b""#)),
        ("half a surrogate", offer_with(r#""user_id":"\ud800""#)),
        ("a control character in a string", offer_with("\"user_id\":\"a\u{1}\"")),
        (
            "a long string in place of a type",
            format!(r#"{{"sdp":"{SDP_IN_JSON}","type":"{}"}}"#, "o".repeat(200_000)),
        ),
        ("a long user", offer_with(&format!(r#""user_id":"{}""#, "u".repeat(200_000)))),
        ("something behind the end", format!("{OFFER} {OFFER}")),
        ("a byte order mark", format!("\u{feff}{OFFER}")),
    ] {
        let began = Instant::now();
        let answer = gateway.offer(&[], body).await;
        answer.assert_problem(422, "body_invalid");
        assert!(answer.body.len() < 2000, "{what} is not sent back");
        assert!(began.elapsed() < Duration::from_secs(2), "{what}");
    }
    assert!(backend.seen().is_empty());
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
}

#[tokio::test]
async fn passes_on_what_is_large_and_harmless() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let keys = (0..15_000).map(|key| format!(r#""{key}":0"#)).collect::<Vec<_>>().join(",");

    for more in [
        keys,
        format!(r#""x":"{}""#, "x".repeat(200_000)),
        format!(r#""x":{}{}"#, "[".repeat(100), "]".repeat(100)),
        format!(r#""x":-{}.5e-7"#, "9".repeat(300)),
        r#""x":1,"x":2"#.to_owned(),
    ] {
        let body = format!(r#"{{"sdp":"{SDP_IN_JSON}","type":"offer",{more}}}"#);
        assert_eq!(gateway.offer(&[], body.clone()).await.status, 200, "{more:.20}");
        assert_eq!(backend.seen().last().unwrap().body, body);
    }
}

#[tokio::test]
async fn ends_a_body_that_never_ends() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let mut client = gateway.connect().await;
    write(
        &mut client,
        &format!("POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"),
    )
    .await;

    let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
    let mut sent = 0;
    while client.write_all(chunk.as_bytes()).await.is_ok() {
        sent += 65_536;
        assert!(sent < 1 << 30, "somebody reads for ever");
    }
    assert!(backend.seen().is_empty());
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
}

#[tokio::test]
async fn tells_a_client_of_an_endless_body_as_soon_as_it_is_too_large() {
    let gateway = start(super::harness::nobody().await, |_| {}).await;
    let mut client = gateway.connect().await;
    write(
        &mut client,
        &format!("POST /skin/webrtc/offer HTTP/1.1\r\nhost: a\r\napi-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"),
    )
    .await;

    write(&mut client, &format!("40001\r\n{}\r\n", " ".repeat(262_145))).await;

    assert_eq!(read_status(&mut client).await, "HTTP/1.1 413");
}
