//! Several backends: who gets an offer, who gets none, and what a change of the settings leaves alone.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use tokio::task::JoinSet;

use super::harness::{
    Answer, KEY, OFFER, Running, SDP_IN_JSON, TestBackend, json_response, nobody, raw_backend, read_request,
    request, start, url_of, within, write,
};
use crate::gateway::{
    BackendSettings, BackendUrl, BackendsSettings, EjectionSettings, KeyToBackend, Settings,
};
use crate::secret::Secret;
use crate::telemetry::BackendState;

#[tokio::test]
async fn spreads_offers_by_weight() {
    let (a, b) = (TestBackend::agreeable().await, TestBackend::agreeable().await);
    let gateway = start(a.address, |settings| {
        *settings = with_backends(settings, &[("a", a.address), ("b", b.address)]);
        settings.backends.backends[0].weight = 2;
    })
    .await;

    for _ in 0..30 {
        assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    }

    assert!((18..=22).contains(&a.seen().len()), "{}", a.seen().len());
    assert_eq!(a.seen().len() + b.seen().len(), 30);
    let counted = a.seen().len();
    assert!(gateway.shows(&format!(
        "turnpike_gateway_backend_requests_total{{backend=\"a\",outcome=\"answered\"}} {counted}"
    )));
}

#[tokio::test]
async fn counts_sessions_where_they_are_from_their_offers_to_their_ends() {
    let (a, mut reaches_a, go_a) = TestBackend::held().await;
    let (b, mut reaches_b, go_b) = TestBackend::held().await;
    let gateway = two(&a, &b, |settings| settings.sessions.direct_after = Duration::from_millis(100)).await;

    let mut offers = offer_at_once(&gateway, 4);
    for _ in 0..2 {
        within(reaches_a.recv()).await.unwrap();
        within(reaches_b.recv()).await.unwrap();
    }
    assert_eq!(sessions(&gateway), [2, 2]);
    assert!(gateway.shows("turnpike_gateway_backend_sessions{backend=\"a\"} 2"));
    go_a.add_permits(2);
    go_b.add_permits(2);
    while let Some(answer) = within(offers.join_next()).await {
        assert_eq!(answer.unwrap().status, 200);
    }

    within(async {
        while sessions(&gateway) != [0, 0] {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!((a.seen().len(), b.seen().len()), (2, 2));
}

#[tokio::test]
async fn tries_another_backend_where_no_connection_could_be_made() {
    let b = TestBackend::agreeable().await;
    let down = nobody().await;
    let gateway = start(down, |settings| {
        *settings = with_backends(settings, &[("a", down), ("b", b.address)]);
    })
    .await;

    for _ in 0..20 {
        assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    }

    assert_eq!(b.seen().len(), 20);
    assert_eq!(state(&gateway, 0), BackendState::Ejected);
    let [a, _] = &gateway.backends.views()[..] else { panic!() };
    assert_eq!(a.last_failure.unwrap().cause, "unreachable");
    assert!(a.ejected_for.is_some() && a.requests == 5, "{a:?}");
    assert!(gateway.shows("turnpike_gateway_backend_failures_total{cause=\"unreachable\"} 0"));
    assert!(gateway.shows("turnpike_gateway_backend_ejections_total{backend=\"a\"} 1"));
    assert!(gateway.shows("turnpike_gateway_backend_retries_total{backend=\"a\"} 5"));
    assert!(gateway.shows("turnpike_gateway_backend_retries_total{backend=\"b\"} 0"));
}

#[tokio::test]
async fn a_backend_whose_handshake_does_not_end_is_one_without_a_connection() {
    let (mute, _) = raw_backend(async |stream| {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let b = TestBackend::agreeable().await;
    let gateway = start(mute, |settings| {
        *settings = with_backends(settings, &[("a", mute), ("b", b.address)]);
        settings.backends.backends[0].url = BackendUrl::parse(&format!("https://{mute}")).unwrap();
        settings.backends.timeouts.connect = Duration::from_millis(100);
    })
    .await;

    for _ in 0..3 {
        assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    }

    assert_eq!(b.seen().len(), 3);
}

#[tokio::test]
async fn gives_no_other_backend_an_offer_that_one_has_seen() {
    let (rude, seen) = raw_backend(async |mut stream| {
        read_request(&mut stream).await;
    })
    .await;
    let b = TestBackend::agreeable().await;
    let gateway = start(rude, |settings| {
        *settings = with_backends(settings, &[("a", rude), ("b", b.address)]);
        settings.backends.ejection.failures = 0;
    })
    .await;

    let statuses: Vec<u16> = offers(&gateway, 10).await.iter().map(|answer| answer.status).collect();

    let failed = statuses.iter().filter(|&&status| status == 502).count();
    assert!(failed > 0 && statuses.iter().all(|status| [200, 502].contains(status)), "{statuses:?}");
    assert_eq!((seen.load(Ordering::SeqCst), b.seen().len()), (failed, 10 - failed));
}

#[tokio::test]
async fn ejects_a_backend_that_fails_and_lets_it_in_again() {
    let (a, status) = TestBackend::of_status(502).await;
    let b = TestBackend::agreeable().await;
    let gateway = two(&a, &b, |settings| {
        settings.backends.ejection =
            EjectionSettings { failures: 2, time: Duration::from_millis(50), ..EjectionSettings::default() };
    })
    .await;

    offer_until(&gateway, 0, BackendState::Ejected).await;
    assert!(gateway.shows("turnpike_gateway_backend_state{backend=\"a\",state=\"ejected\"} 1"));
    assert!(gateway.shows("turnpike_gateway_backend_state{backend=\"a\",state=\"healthy\"} 0"));
    status.store(200, Ordering::SeqCst);
    offer_until(&gateway, 0, BackendState::Healthy).await;

    assert!(gateway.shows("turnpike_gateway_backend_state{backend=\"a\",state=\"healthy\"} 1"));
}

#[tokio::test]
async fn a_503_that_says_when_to_come_back_ejects_at_once() {
    let a = TestBackend::start(async |_| {
        let mut answer = json_response(503, r#"{"detail":"full"}"#);
        answer.headers_mut().insert("retry-after", "60".parse().unwrap());
        answer
    })
    .await;
    let b = TestBackend::agreeable().await;
    let gateway = two(&a, &b, |_| {}).await;

    let answers = offers(&gateway, 10).await;

    let [refused] = &answers.iter().filter(|answer| answer.status == 503).collect::<Vec<_>>()[..] else {
        panic!("{answers:?}");
    };
    assert_eq!((&refused.body[..], refused.header("retry-after")), (&br#"{"detail":"full"}"#[..], "60"));
    assert_eq!(a.seen().len(), 1);
    let left = gateway.backends.views()[0].ejected_for.unwrap();
    assert!(left > Duration::from_secs(50) && left <= Duration::from_secs(60), "{left:?}");
}

#[tokio::test]
async fn never_ejects_the_last_usable_backend() {
    let a = TestBackend::start(async |_| json_response(503, "{}")).await;
    let b = TestBackend::start(async |_| json_response(504, "{}")).await;
    let gateway = two(&a, &b, |_| {}).await;

    for answer in offers(&gateway, 30).await {
        assert!([503, 504].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.body, "{}");
    }

    let states = [state(&gateway, 0), state(&gateway, 1)];
    assert_eq!(states.iter().filter(|&&state| state == BackendState::Healthy).count(), 1, "{states:?}");
}

#[tokio::test]
async fn an_offer_that_breaks_the_backend_ejects_nobody() {
    let a = TestBackend::start(async |_| json_response(500, "{}")).await;
    let b = TestBackend::start(async |_| json_response(500, "{}")).await;
    let gateway = two(&a, &b, |_| {}).await;

    offers(&gateway, 20).await;

    assert_eq!([state(&gateway, 0), state(&gateway, 1)], [BackendState::Healthy; 2]);
}

#[tokio::test]
async fn a_users_offers_stay_at_one_backend() {
    let (a, b) = (TestBackend::agreeable().await, TestBackend::agreeable().await);
    let gateway = two(&a, &b, |settings| settings.backends.sticky_users = true).await;

    for user in 0..8 {
        let before = (a.seen().len(), b.seen().len());
        for _ in 0..3 {
            let body = format!(r#"{{"sdp":"{SDP_IN_JSON}","type":"offer","user_id":"user-{user}"}}"#);
            assert_eq!(gateway.offer(&[], body).await.status, 200);
        }
        let more = (a.seen().len() - before.0, b.seen().len() - before.1);
        assert!([(3, 0), (0, 3)].contains(&more), "{more:?}");
    }

    assert!(!a.seen().is_empty() && !b.seen().is_empty());
}

#[tokio::test]
async fn each_backend_gets_the_key_that_it_is_to_get() {
    let (a, b) = (TestBackend::agreeable().await, TestBackend::agreeable().await);
    let gateway = two(&a, &b, |settings| {
        settings.backends.backends[0].key = KeyToBackend::Own(Secret::new("ours"));
        settings.backends.backends[1].key = KeyToBackend::Forwarded;
    })
    .await;

    offers(&gateway, 6).await;

    assert!(a.seen().iter().all(|seen| seen.headers["api-key"] == "ours"));
    assert!(b.seen().iter().all(|seen| seen.headers["api-key"] == KEY));
    assert!(!a.seen().is_empty() && !b.seen().is_empty());
}

#[tokio::test]
async fn waits_for_headers_and_for_the_whole_answer_each_in_its_time() {
    let (backend, _) = raw_backend(async |mut stream| {
        read_request(&mut stream).await;
        write(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{").await;
        std::future::pending::<()>().await;
    })
    .await;
    let whole =
        start(backend, |settings| settings.backends.timeouts.answer = Duration::from_millis(100)).await;
    let silent = TestBackend::start(async |_| std::future::pending().await).await;
    let headers =
        start(silent.address, |settings| settings.backends.timeouts.headers = Duration::from_millis(100))
            .await;

    for gateway in [whole, headers] {
        let answer = gateway.offer(&[], OFFER).await;
        answer.assert_problem(504, "backend_timed_out");
        assert_eq!(answer.header("retry-after"), "1");
    }
}

pub(super) async fn two(a: &TestBackend, b: &TestBackend, change: impl FnOnce(&mut Settings)) -> Running {
    let addresses = [("a", a.address), ("b", b.address)];
    start(a.address, |settings| {
        *settings = with_backends(settings, &addresses);
        change(settings);
    })
    .await
}

pub(super) fn with_backends(settings: &Settings, backends: &[(&str, SocketAddr)]) -> Settings {
    let backends =
        backends.iter().map(|&(name, address)| BackendSettings::new(name, url_of(address))).collect();
    Settings { backends: BackendsSettings { backends, ..BackendsSettings::default() }, ..settings.clone() }
}

pub(super) async fn offers(gateway: &Running, count: usize) -> Vec<Answer> {
    let mut answers = Vec::new();
    for _ in 0..count {
        answers.push(gateway.offer(&[], OFFER).await);
    }
    answers
}

pub(super) fn offer_at_once(gateway: &Running, count: usize) -> JoinSet<Answer> {
    let address = gateway.address;
    let headers = [("api-key", KEY), ("content-type", "application/json")];
    (0..count)
        .map(|_| async move { request(address, Method::POST, "/skin/webrtc/offer", &headers, OFFER).await })
        .collect()
}

pub(super) fn sessions(gateway: &Running) -> Vec<usize> {
    gateway.backends.views().iter().map(|backend| backend.sessions).collect()
}

pub(super) fn state(gateway: &Running, index: usize) -> BackendState {
    gateway.backends.views()[index].state
}

pub(super) async fn offer_until(gateway: &Running, index: usize, wanted: BackendState) {
    within(async {
        while state(gateway, index) != wanted {
            gateway.offer(&[], OFFER).await;
        }
    })
    .await;
}
