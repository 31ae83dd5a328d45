//! Credentials for whoever has a key.

use std::num::NonZeroU32;
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::harness::{Answer, KEY, Running, SDP_IN_JSON, TestBackend, nobody, start};
use crate::gateway::{ApiKey, RateLimit, Scope, Settings, UsernameForm};
use crate::secret::Secret;
use crate::turn::credential::rest_password;
use crate::turn::{Grant, GrantSeal};

const PATH: &str = "/skin/webrtc/ice-servers";

#[tokio::test]
async fn a_key_gets_where_the_relay_is_and_credentials_for_it() {
    let gateway = start(nobody().await, hand_out).await;

    let answer = ask(&gateway, "?user_id=user-42&ttl=600").await;

    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    let list = answer.json();
    let server = &list["iceServers"][0];
    assert_eq!(server["urls"], json!(["turn:relay.example.org:3478"]));
    let (username, password) = (server["username"].as_str().unwrap(), server["credential"].as_str().unwrap());
    assert_eq!(password, rest_password(&Secret::new("north"), username.as_bytes()).expose());
    let grant = opened(username);
    assert_eq!((&*grant.client, &*grant.key, grant.user.as_deref()), ("app", "app", Some("user-42")));
    assert_eq!((grant.expires - grant.issued, &list["ttl"]), (600, &json!(600)));
    assert_eq!(list["expiresAt"], grant.expires);
    let other = ask(&gateway, "?user_id=user-42").await.json();
    assert_ne!(opened(other["iceServers"][0]["username"].as_str().unwrap()).id, grant.id);
    assert_eq!(other["ttl"], 3600);
    assert!(gateway.shows("turnpike_gateway_requests_total{route=\"ice_servers\",status=\"200\"} 2"));
}

#[tokio::test]
async fn nobody_gets_more_time_than_there_is() {
    let gateway = start(nobody().await, hand_out).await;

    let list = ask(&gateway, "?ttl=99999999999").await.json();

    assert_eq!(list["ttl"], 86_400);
    assert_eq!(opened(list["iceServers"][0]["username"].as_str().unwrap()).user, None);
}

#[tokio::test]
async fn names_can_be_those_of_coturn() {
    let gateway = start(nobody().await, |settings| {
        hand_out(settings);
        settings.ice_servers.username_form = UsernameForm::Coturn;
    })
    .await;
    for (query, user) in [("?format=uberti&username=ann", "ann"), ("?format=uberti", "app")] {
        let list = ask(&gateway, query).await.json();
        let username = list["username"].as_str().unwrap();
        assert!(username.ends_with(&format!(":{user}")), "{username}");
        assert_eq!(list["password"], rest_password(&Secret::new("north"), username.as_bytes()).expose());
        assert_eq!(list["uris"], json!(["turn:relay.example.org:3478"]));
    }
}

#[tokio::test]
async fn a_request_needs_a_key_for_it_and_sense() {
    let gateway = start(nobody().await, |settings| {
        hand_out(settings);
        settings.keys.push(ApiKey {
            scopes: [Scope::Offer].into_iter().collect(),
            ..ApiKey::new("offers", "offers-only")
        });
    })
    .await;
    let get = |key: &'static str, query: &'static str| {
        let path = format!("{PATH}{query}");
        let gateway = &gateway;
        async move { gateway.request(Method::GET, &path, &[("api-key", key)], "").await }
    };
    get("guess", "").await.assert_problem(401, "api_key_invalid");
    get("offers-only", "").await.assert_problem(403, "api_key_out_of_scope");
    get(KEY, "?ttl=soon").await.assert_problem(422, "parameter_invalid");
    gateway
        .request(Method::POST, PATH, &[("api-key", KEY)], "")
        .await
        .assert_problem(405, "method_not_allowed");
    gateway.drain.set(true);
    get(KEY, "").await.assert_problem(503, "draining");
}

#[tokio::test]
async fn limits_of_users_hold() {
    let gateway = start(nobody().await, |settings| {
        hand_out(settings);
        let limit = RateLimit { period: Duration::from_secs(3600), burst: NonZeroU32::MIN };
        settings.limits.per_user = Some(limit);
    })
    .await;

    let first = ask(&gateway, "?user_id=ann").await;
    assert_eq!((first.status, first.header("ratelimit")), (200, "\"user\";r=0;t=3600"));
    ask(&gateway, "?user_id=ann").await.assert_problem(429, "rate_limited");
    assert_eq!(ask(&gateway, "?user_id=bob").await.status, 200);
}

#[tokio::test]
async fn without_a_secret_or_an_address_there_is_nothing() {
    for take in
        [(|settings: &mut Settings| settings.ice_servers.secret = None) as fn(&mut Settings), |settings| {
            settings.ice_servers.urls.clear()
        }]
    {
        let gateway = start(nobody().await, |settings| {
            hand_out(settings);
            take(settings);
        })
        .await;
        ask(&gateway, "").await.assert_problem(404, "no_ice_servers");
    }
}

#[tokio::test]
async fn pages_may_ask_as_they_may_offer() {
    let gateway = start(nobody().await, hand_out).await;
    let headers = [("origin", "https://app.example.org"), ("access-control-request-method", "GET")];
    let preflight = gateway.request(Method::OPTIONS, PATH, &headers, "").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"));
    let headers = [("origin", "https://app.example.org"), ("api-key", KEY)];
    let answer = gateway.request(Method::GET, PATH, &headers, "").await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn answers_to_whip_carry_the_same() {
    let backend = TestBackend::agreeable().await;
    let gateway = start(backend.address, |settings| {
        hand_out(settings);
        settings
            .keys
            .push(ApiKey { scopes: [Scope::Whip].into_iter().collect(), ..ApiKey::new("whip", "whip-only") });
    })
    .await;
    let publish = async |key| {
        let headers = [("api-key", key), ("content-type", "application/sdp")];
        let sdp = SDP_IN_JSON.replace("\\r\\n", "\r\n");
        gateway.request(Method::POST, "/whip?user_id=ann", &headers, sdp).await
    };

    let answer = publish(KEY).await;

    assert_eq!(answer.status, 201);
    let link = answer.header("link");
    let rest = link.strip_prefix("<turn:relay.example.org:3478>; rel=\"ice-server\"; username=\"").unwrap();
    assert_eq!(opened(rest.split('"').next().unwrap()).user.as_deref(), Some("ann"));
    let answer = publish("whip-only").await;
    assert_eq!((answer.status, answer.header("link")), (201, ""));
}

fn hand_out(settings: &mut Settings) {
    settings.ice_servers.urls = vec!["turn:relay.example.org:3478".parse().unwrap()];
    settings.ice_servers.secret = Some(Secret::new("north"));
}

async fn ask(gateway: &Running, query: &str) -> Answer {
    gateway.request(Method::GET, &format!("{PATH}{query}"), &[("api-key", KEY)], "").await
}

fn opened(username: &str) -> Grant {
    GrantSeal::new(&Secret::new("north")).open(username.as_bytes()).unwrap()
}
