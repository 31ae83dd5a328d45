//! WHIP clients in front, the backend's JSON behind.

use http::Method;
use serde_json::{Value, json};

use super::harness::{Answer, KEY, Running, SDP_IN_JSON, TestBackend, json_response, nobody, start};
use crate::gateway::{ApiKey, KeyToBackend, Scope};

const SDP: (&str, &str) = ("content-type", "application/sdp");
const BEARER: (&str, &str) = ("authorization", "Bearer open-sesame");

#[tokio::test]
async fn an_offer_makes_a_session_that_a_delete_ends() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let answer = gateway.whip("/whip", &[SDP, BEARER, ("accept", "application/sdp")]).await;

    assert_eq!((answer.status, &answer.body[..]), (201, &b"v=0\r\n"[..]));
    assert_eq!(answer.header("content-type"), "application/sdp");
    let session = answer.header("x-session-id");
    assert_eq!(answer.header("location"), format!("/whip/{session}"));
    assert_eq!(answer.header("etag"), format!("\"{session}\""));
    let [seen] = &backend.seen()[..] else { panic!("one request: {:?}", backend.seen()) };
    assert_eq!((&seen.method, seen.uri.to_string().as_str()), (&Method::POST, "/skin/webrtc/offer"));
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body, json!({"sdp": sdp(), "type": "offer"}));
    for (name, value) in
        [("content-type", "application/json"), ("accept", "application/json"), ("x-session-id", session)]
    {
        assert_eq!(seen.headers[name], value);
    }
    assert!(!seen.headers.contains_key("authorization") && !seen.headers.contains_key("api-key"));
    assert!(gateway.shows(r#"turnpike_sessions{state="answered"} 1"#));
    assert!(gateway.shows("turnpike_gateway_requests_total{route=\"whip\",status=\"201\"} 1"));

    let location = answer.header("location");
    assert_eq!(gateway.ask(Method::GET, location, &[BEARER]).await.status, 204);
    // RFC 9725 §4.3.1: entity tags do not matter here.
    let ended = gateway.ask(Method::DELETE, location, &[BEARER, ("if-match", "\"other\"")]).await;
    assert_eq!((ended.status, ended.body.len()), (200, 0));
    assert!(gateway.shows(r#"turnpike_sessions_ended_total{reason="client"} 1"#));
    gateway.ask(Method::DELETE, location, &[BEARER]).await.assert_problem(404, "not_found");
    gateway.ask(Method::GET, location, &[BEARER]).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn takes_the_key_as_other_routes_do_and_passes_it_on_where_it_is_wanted() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.backends.backends[0].key = KeyToBackend::Forwarded;
    })
    .await;

    for key in [BEARER, ("authorization", "bearer   open-sesame"), ("api-key", KEY)] {
        assert_eq!(gateway.whip("/whip", &[SDP, key]).await.status, 201, "{key:?}");
        assert_eq!(backend.seen().last().unwrap().headers["api-key"], KEY);
    }
}

#[tokio::test]
async fn refuses_a_wrong_key_or_none() {
    let gateway = start(nobody().await, |_| {}).await;

    for (headers, code) in [
        (&[SDP][..], "api_key_missing"),
        (&[SDP, ("authorization", "Bearer guess")], "api_key_invalid"),
        (&[SDP, ("authorization", "Basic b3BlbjpzZXNhbWU=")], "api_key_missing"),
        (&[SDP, ("authorization", "Bearer")], "api_key_missing"),
        // The key comes before the type.
        (&[("content-type", "text/plain")], "api_key_missing"),
    ] {
        gateway.whip("/whip", headers).await.assert_problem(401, code);
    }
    for method in [Method::DELETE, Method::GET] {
        gateway.ask(method, "/whip/0123456789012345678901", &[]).await.assert_problem(401, "api_key_missing");
    }
}

#[tokio::test]
async fn takes_no_key_that_is_not_for_whip() {
    let gateway = start(nobody().await, |settings| {
        settings.keys[0].scopes = [Scope::Offer].into_iter().collect();
    })
    .await;

    gateway.whip("/whip", &[SDP, BEARER]).await.assert_problem(403, "api_key_out_of_scope");
    let session = "/whip/0123456789012345678901";
    gateway.ask(Method::DELETE, session, &[BEARER]).await.assert_problem(403, "api_key_out_of_scope");
}

#[tokio::test]
async fn a_session_is_nobody_elses() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.keys.push(ApiKey::new("other", "open-barley"));
    })
    .await;
    let answer = gateway.whip("/whip", &[SDP, BEARER]).await;
    let location = answer.header("location");

    let stranger = ("authorization", "Bearer open-barley");
    gateway.ask(Method::DELETE, location, &[stranger]).await.assert_problem(404, "not_found");
    gateway.ask(Method::GET, location, &[stranger]).await.assert_problem(404, "not_found");

    assert_eq!(gateway.ask(Method::DELETE, location, &[BEARER]).await.status, 200);
}

#[tokio::test]
async fn takes_no_other_type() {
    let gateway = start(nobody().await, |_| {}).await;

    for kind in
        [None, Some("application/json"), Some("application/sdpx"), Some("text/plain; x=application/sdp")]
    {
        let mut headers = vec![BEARER];
        headers.extend(kind.map(|kind| ("content-type", kind)));
        let answer = gateway.whip("/whip", &headers).await;
        answer.assert_problem(415, "not_sdp");
        assert_eq!(answer.header("accept-post"), "application/sdp");
    }
    gateway.whip("/whip", &[BEARER, SDP, SDP]).await.assert_problem(415, "not_sdp");
}

#[tokio::test]
async fn takes_a_type_with_parameters_and_in_any_case() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    for kind in ["application/sdp; charset=utf-8", "Application/SDP"] {
        assert_eq!(gateway.whip("/whip", &[BEARER, ("content-type", kind)]).await.status, 201, "{kind}");
    }
}

#[tokio::test]
async fn reads_the_user_from_the_query() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    for (query, user_id) in [
        ("?user_id=user-42&other=1", Some("user-42")),
        ("?user_id=Zo%C3%AB+%22Z%22%0A", Some("Zoë \"Z\"\n")),
        ("?user_id=", Some("")),
        ("?user=1", None),
    ] {
        assert_eq!(gateway.whip(&format!("/whip{query}"), &[SDP, BEARER]).await.status, 201);
        let seen = backend.seen().last().unwrap().clone();
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        assert_eq!(body.get("user_id").map(|user| user.as_str().unwrap()), user_id, "{query}");
        assert_eq!(seen.uri.query(), None);
    }
    let long = "u".repeat(257);
    for (query, kind) in
        [("?user_id=a&user_id=b", "repeated"), (&format!("?user_id={long}"), "string_too_long")]
    {
        let answer = gateway.whip(&format!("/whip{query}"), &[SDP, BEARER]).await;
        answer.assert_problem(422, "body_invalid");
        assert_eq!(answer.json()["detail"][0]["type"], kind);
        assert_eq!(answer.json()["detail"][0]["loc"], json!(["query", "user_id"]));
    }
}

#[tokio::test]
async fn refuses_what_is_no_usable_offer() {
    let gateway = start(nobody().await, |_| {}).await;

    for (body, kind) in [
        (&b""[..], "missing"),
        (b" \r\n", "missing"),
        (b"v=0\r\ns=\xff\r\n", "string_unicode"),
        (br#"{"sdp": "v=0", "type": "offer"}"#, "sdp_invalid"),
        (b"v=0\r\n", "sdp_invalid"),
    ] {
        let answer = gateway.request(Method::POST, "/whip", &[SDP, BEARER], body).await;
        answer.assert_problem(422, "body_invalid");
        let detail = answer.json()["detail"].clone();
        assert_eq!((&detail[0]["type"], &detail[0]["loc"]), (&json!(kind), &json!(["body"])), "{detail}");
    }
    let large = vec![b' '; 300 << 10];
    gateway.request(Method::POST, "/whip", &[SDP, BEARER], large).await.assert_problem(413, "body_too_large");
}

#[tokio::test]
async fn an_answer_that_is_none_is_the_backends_failure() {
    for body in [
        "",
        "not JSON",
        "{}",
        r#"{"sdp":"v=0"}"#,
        r#"{"sdp":"v=0","type":"offer"}"#,
        r#"{"sdp":"","type":"answer"}"#,
    ] {
        let backend = TestBackend::start(move |_| async move { json_response(200, body) }).await;
        let gateway = start(backend.address, |_| {}).await;

        gateway.whip("/whip", &[SDP, BEARER]).await.assert_problem(502, "backend_garbled");

        assert!(gateway.shows("turnpike_gateway_backend_failures_total{cause=\"garbled\"} 1"));
        assert!(gateway.shows(r#"turnpike_sessions_ended_total{reason="failed"} 1"#));
    }
}

#[tokio::test]
async fn the_backends_errors_pass_unchanged() {
    for status in [307, 400, 422, 500, 503] {
        let backend =
            TestBackend::start(move |_| async move { json_response(status, r#"{"detail": "no"}"#) }).await;
        let gateway = start(backend.address, |_| {}).await;

        let answer = gateway.whip("/whip", &[SDP, BEARER]).await;

        assert_eq!((answer.status, &answer.body[..]), (status, &br#"{"detail": "no"}"#[..]));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("location"), "");
        assert!(gateway.shows(r#"turnpike_sessions_ended_total{reason="failed"} 1"#));
    }
}

#[tokio::test]
async fn says_what_may_be_asked_of_either_resource() {
    let gateway = start(nobody().await, |_| {}).await;

    let endpoint = gateway.ask(Method::OPTIONS, "/whip", &[]).await;
    assert_eq!((endpoint.status, endpoint.header("accept-post")), (200, "application/sdp"));
    assert_eq!(endpoint.header("allow"), "GET,HEAD,OPTIONS,POST");
    let session = gateway.ask(Method::OPTIONS, "/whip/0123456789012345678901", &[]).await;
    assert_eq!((session.status, session.header("allow")), (200, "DELETE,GET,HEAD,OPTIONS"));
    for method in [Method::GET, Method::HEAD] {
        let answer = gateway.ask(method, "/whip", &[]).await;
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
}

#[tokio::test]
async fn takes_no_candidates_later() {
    let gateway = start(nobody().await, |_| {}).await;

    for (method, path) in [
        (Method::PATCH, "/whip/0123456789012345678901"),
        (Method::POST, "/whip/0123456789012345678901"),
        (Method::PUT, "/whip"),
        (Method::DELETE, "/whip"),
    ] {
        let headers = [BEARER, ("content-type", "application/trickle-ice-sdpfrag")];
        let answer = gateway.ask(method, path, &headers).await;
        answer.assert_problem(405, "method_not_allowed");
        assert!(answer.header("allow").contains("GET"), "{:?}", answer.headers);
    }
    gateway.ask(Method::GET, "/whip/", &[BEARER]).await.assert_problem(404, "not_found");
    gateway.ask(Method::DELETE, "/whip/a/b", &[BEARER]).await.assert_problem(404, "not_found");
    gateway.ask(Method::DELETE, "/whip/..", &[BEARER]).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn is_not_there_where_it_is_switched_off() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| settings.whip.enabled = false).await;

    for method in [Method::POST, Method::GET, Method::OPTIONS, Method::PATCH] {
        gateway.ask(method, "/whip", &[SDP, BEARER]).await.assert_problem(404, "not_found");
    }
    gateway.update(|settings| settings.whip.enabled = true);
    assert_eq!(gateway.whip("/whip", &[SDP, BEARER]).await.status, 201);
}

#[tokio::test]
async fn refuses_offers_while_it_drains() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let location = gateway.whip("/whip", &[SDP, BEARER]).await.header("location").to_owned();

    gateway.drain.set(true);

    let answer = gateway.whip("/whip", &[SDP, BEARER]).await;
    answer.assert_problem(503, "draining");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(gateway.ask(Method::DELETE, &location, &[BEARER]).await.status, 200);
}

impl Running {
    async fn whip(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(Method::POST, path, headers, sdp()).await
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.request(method, path, headers, "").await
    }
}

fn sdp() -> String {
    serde_json::from_str(&format!("\"{SDP_IN_JSON}\"")).unwrap()
}
