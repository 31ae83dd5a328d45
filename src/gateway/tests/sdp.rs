//! What the gateway says of an offer's SDP.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::harness::{OFFER, SDP_IN_JSON, TestBackend, nobody, start};
use crate::gateway::OfferSettings;

#[tokio::test]
async fn offers_of_real_clients_reach_the_backend() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;

    let mut count = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/offers")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sdp") {
            let offer = json!({"sdp": fs::read_to_string(&path).unwrap(), "type": "offer"}).to_string();
            assert_eq!(gateway.offer(&[], offer.clone()).await.status, 200, "{}", path.display());
            count += 1;
            assert_eq!(backend.seen()[count - 1].body, offer);
        }
    }
    assert!(count >= 20);
}

#[tokio::test]
async fn names_the_line_and_the_reason_and_repeats_nothing() {
    let gateway = start(nobody().await, |_| {}).await;

    let answer = gateway.offer(&[], OFFER.replace("ice-pwd:0123456789abcdefghijkl", "ice-pwd:secret")).await;

    answer.assert_problem(422, "body_invalid");
    assert_eq!(
        answer.json()["detail"],
        json!([{
            "type": "sdp_invalid",
            "loc": ["body", "sdp"],
            "msg": "SDP is not a usable offer: line 7: an ICE password (a=ice-pwd) has 22 to 256 letters, digits, + or /",
            "input": null,
            "ctx": {"line": 7, "reason": "ice_pwd"},
        }])
    );
    assert!(!answer.json().to_string().contains("secret"));
    assert!(gateway.shows("turnpike_gateway_sdp_refused_total{flaw=\"ice_pwd\"} 1"));
}

#[tokio::test]
async fn lists_a_flaw_of_the_sdp_beside_other_errors() {
    let gateway = start(nobody().await, |_| {}).await;

    let answer = gateway.offer(&[], r#"{"sdp": "", "type": "answer"}"#).await;

    let kinds: Vec<Value> =
        answer.json()["detail"].as_array().unwrap().iter().map(|one| one["type"].clone()).collect();
    assert_eq!(kinds, ["sdp_invalid", "literal_error"]);
    assert_eq!(answer.json()["detail"][0]["ctx"], json!({"reason": "version"}));
}

#[tokio::test]
async fn bounds_sections_and_candidates() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.offers =
            OfferSettings { max_media_sections: 2, max_candidates: 3, ..OfferSettings::default() };
    })
    .await;
    let offer = |sections: usize, candidates: usize| {
        let section = r"m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n".repeat(sections - 1);
        let candidate = r"a=candidate:1 1 udp 1 203.0.113.77 5000 typ host\r\n".repeat(candidates);
        format!(r#"{{"sdp":"{SDP_IN_JSON}{candidate}{section}","type":"offer"}}"#)
    };

    assert_eq!(gateway.offer(&[], offer(2, 3)).await.status, 200);
    for (offer, reason) in [(offer(3, 0), "too_many_media"), (offer(1, 4), "too_many_candidates")] {
        let answer = gateway.offer(&[], offer).await;
        assert_eq!((answer.status, &answer.json()["detail"][0]["ctx"]["reason"]), (422, &json!(reason)));
    }
}

#[tokio::test]
async fn takes_six_hundred_candidates_by_default() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |_| {}).await;
    let candidates = r"a=candidate:1 1 udp 1 203.0.113.77 5000 typ host\r\n".repeat(600);

    let offer = format!(r#"{{"sdp":"{SDP_IN_JSON}{candidates}","type":"offer"}}"#);

    assert_eq!(gateway.offer(&[], offer).await.status, 200);
}

#[tokio::test]
async fn any_text_passes_where_the_check_is_off_and_the_settings_change_while_serving() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| settings.offers.check_sdp = false).await;
    let odd = r#"{"sdp":"not SDP at all","type":"offer"}"#;

    assert_eq!(gateway.offer(&[], odd).await.status, 200);

    gateway.update(|settings| settings.offers.check_sdp = true);
    assert_eq!(gateway.offer(&[], odd).await.status, 422);
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
}

#[tokio::test]
async fn a_key_that_forces_the_relay_hides_its_clients() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        settings.keys[0].force_relay = true;
        settings.proxies.trusted.push("127.0.0.1/32".parse().unwrap());
    })
    .await;
    let sdp =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/offers/aiortc.sdp")).unwrap();
    let offer = json!({"sdp": sdp, "type": "offer", "user_id": "ann"}).to_string();
    let proxied = [("x-forwarded-for", "203.0.113.10"), ("cf-connecting-ip", "203.0.113.10")];

    assert_eq!(gateway.offer(&proxied, offer).await.status, 200);
    let refused = gateway.offer(&[], OFFER).await;

    let seen = &backend.seen()[0];
    let text = std::str::from_utf8(&seen.body).unwrap();
    let body: Value = serde_json::from_str(text).unwrap();
    assert_eq!((&body["type"], &body["user_id"]), (&json!("offer"), &json!("ann")));
    let all = format!("{:?} {text}", seen.headers);
    assert!(all.contains("typ relay") && all.contains("for=unknown"), "{all}");
    for told in ["203.0.113.10", "2001:db8::10", "127.0.0.1\"", "typ host"] {
        assert!(!text.contains(told), "{told} in {all}");
    }
    assert!(!seen.headers.contains_key("x-forwarded-for") && !seen.headers.contains_key("cf-connecting-ip"));
    refused.assert_problem(422, "body_invalid");
    assert_eq!(refused.json()["detail"][0]["type"], "sdp_not_relayed");
    assert_eq!(backend.seen().len(), 1);
}
