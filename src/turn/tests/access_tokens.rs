//! Third-party authorization (RFC 7635).

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};

use super::harness::*;
use crate::turn::credential::TokenKey;
use crate::turn::{AuthFailure, EndReason};
use crate::wire::attribute::{
    self, ACCESS_TOKEN, LIFETIME, NONCE, REQUESTED_TRANSPORT, THIRD_PARTY_AUTHORIZATION, USERNAME,
};
use crate::wire::{Class, Integrity, Key, MessageWriter, Method, TransactionId};

const SERVER_NAME: &str = "relay.example.org";

/// The keys of RFC 7635 Appendix A: the one shared with the authorization server, and the one in its tokens.
pub(in crate::turn) const TOKEN_KEY: &[u8; 32] = b"HGkj32KJGiuy098sdfaqbNjOiaz71923";
pub(in crate::turn) const MAC_KEY: &[u8; 20] = b"ZksjpweoixXmvn67534m";

/// Seals a token as an authorization server does.
pub(in crate::turn) fn seal(server_name: &str, issued: u64, lifetime: u32) -> Vec<u8> {
    let timestamp = (issued << 16).to_be_bytes();
    seal_text(server_name, &[&[0, 20], &MAC_KEY[..], &timestamp, &lifetime.to_be_bytes()].concat())
}

/// Seals anything.
pub(in crate::turn) fn seal_text(server_name: &str, text: &[u8]) -> Vec<u8> {
    let nonce = b"h4j3k2l2n4b5";
    let mut text = text.to_vec();
    let tag = Aes256Gcm::new(TOKEN_KEY.into())
        .encrypt_inout_detached(nonce.into(), server_name.as_bytes(), text[..].as_mut().into())
        .unwrap();
    [&[0, 12], &nonce[..], &text, &tag[..]].concat()
}

fn harness() -> Harness {
    Harness::with(|settings| {
        settings.credentials.add_token_key("first", TokenKey::new(TOKEN_KEY).unwrap());
        settings.token_server_name = Some(SERVER_NAME.into());
    })
}

fn key() -> Key {
    Key::new(Integrity::Sha1, MAC_KEY)
}

/// A request signed with the key in the token, which it may carry.
fn request(client: &Client, method: Method, token: Option<&[u8]>, lifetime: u32) -> Vec<u8> {
    request_of("first", client, method, token, lifetime)
}

/// The same with a token of another kid.
fn request_of(kid: &str, client: &Client, method: Method, token: Option<&[u8]>, lifetime: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = MessageWriter::begin(&mut bytes, method, Class::Request, TransactionId([4; 12]))
        .bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0])
        .u32(LIFETIME, lifetime)
        .bytes(USERNAME, kid.as_bytes())
        .bytes(attribute::REALM, client.realm.as_bytes())
        .bytes(NONCE, &client.nonce);
    if let Some(token) = token {
        writer = writer.bytes(ACCESS_TOKEN, token);
    }
    writer.sign(&key());
    bytes
}

fn ask(net: &mut Harness, client: &Client, method: Method, token: Option<&[u8]>, lifetime: u32) -> Answer {
    let request = request(client, method, token, lifetime);
    net.send(client.path, &request).into_iter().find_map(answer_of).expect("an answer")
}

// RFC 7635 §6.1
#[test]
fn a_challenge_tells_where_tokens_come_from() {
    let mut net = harness();
    let path = net.alice().path;
    let challenge = net.ask(path, &unsigned(Method::Allocate, |writer| writer));
    assert_eq!(challenge.message().find(THIRD_PARTY_AUTHORIZATION), Some(SERVER_NAME.as_bytes()));
    let mut net = Harness::new();
    let challenge = net.ask(path, &unsigned(Method::Allocate, |writer| writer));
    assert_eq!(challenge.message().find(THIRD_PARTY_AUTHORIZATION), None);
}

#[test]
fn without_a_name_of_its_own_the_server_has_that_of_the_realm() {
    let mut net = Harness::with(|settings| {
        settings.credentials.add_token_key("first", TokenKey::new(TOKEN_KEY).unwrap());
    });
    let client = net.alice();
    let challenge = net.ask(client.path, &unsigned(Method::Allocate, |writer| writer));
    assert_eq!(challenge.message().find(THIRD_PARTY_AUTHORIZATION), Some(REALM.as_bytes()));
    let token = seal(REALM, net.now.unix_seconds, 600);
    assert_eq!(ask(&mut net, &client, Method::Allocate, Some(&token), 600).code(), 0);
}

// RFC 7635 §5, §9
#[test]
fn a_token_opens_a_session_that_ends_with_it() {
    let mut net = harness();
    let client = net.alice();
    let token = seal(SERVER_NAME, net.now.unix_seconds, 900);
    let answer = ask(&mut net, &client, Method::Allocate, Some(&token), 3600);
    assert_eq!((answer.code(), answer.lifetime()), (0, 900));
    assert!(answer.message().is_signed_with(&key()));
    net.seconds(300);
    let answer = ask(&mut net, &client, Method::Refresh, None, 3600);
    assert_eq!((answer.code(), answer.lifetime()), (0, 600), "later requests need no token");
    assert_eq!(net.seconds(599), []);
    assert_eq!(net.seconds(1), [Seen::End(EndReason::Expired)]);
}

// RFC 7635 §9
#[test]
fn a_new_token_prolongs_the_session() {
    let mut net = harness();
    let client = net.alice();
    let token = seal(SERVER_NAME, net.now.unix_seconds, 600);
    assert_eq!(ask(&mut net, &client, Method::Allocate, Some(&token), 600).code(), 0);
    net.seconds(500);
    let token = seal(SERVER_NAME, net.now.unix_seconds, 1200);
    assert_eq!(ask(&mut net, &client, Method::Refresh, Some(&token), 3600).lifetime(), 1200);
    assert_eq!(ask(&mut net, &client, Method::Refresh, None, 3600).lifetime(), 1200);
}

// RFC 7635 §9
#[test]
fn a_new_token_may_be_sealed_with_a_new_key() {
    let mut net = Harness::with(|settings| {
        for kid in ["first", "second"] {
            settings.credentials.add_token_key(kid, TokenKey::new(TOKEN_KEY).unwrap());
        }
    });
    let client = net.alice();
    let token = seal(REALM, net.now.unix_seconds, 600);
    assert_eq!(ask(&mut net, &client, Method::Allocate, Some(&token), 600).code(), 0);
    let refresh = request_of("second", &client, Method::Refresh, Some(&token), 600);
    assert_eq!(net.ask(client.path, &refresh).code(), 0);
    let later = request_of("second", &client, Method::Refresh, None, 600);
    assert_eq!(net.ask(client.path, &later).code(), 0);
    let alice = client.request(Method::Refresh, 9, |writer| writer);
    assert_eq!(net.ask(client.path, &alice).code(), 441, "a user with a password is somebody else");
}

// RFC 7635 §6.2, §7
#[test]
fn a_token_that_is_late_for_another_server_or_damaged_is_401() {
    let mut net = harness();
    let client = net.alice();
    let now = net.now.unix_seconds;
    let good = seal(SERVER_NAME, now, 600);
    let mut damaged = good.clone();
    damaged[20] ^= 1;
    for token in [&seal(SERVER_NAME, now - 700, 600), &seal("example.com", now, 600), &damaged, &vec![]] {
        let answer = ask(&mut net, &client, Method::Allocate, Some(token), 600);
        assert_eq!((answer.code(), net.auth_failure), (401, Some(AuthFailure::InvalidToken)));
        assert_eq!(answer.message().find(THIRD_PARTY_AUTHORIZATION), Some(SERVER_NAME.as_bytes()));
    }
    assert_eq!(ask(&mut net, &client, Method::Allocate, None, 600).code(), 401, "no token at all");
    let wrong_key = client.request(Method::Allocate, 9, |writer| writer.bytes(ACCESS_TOKEN, &good));
    assert_eq!(net.ask(client.path, &wrong_key).code(), 401);
    assert_eq!(ask(&mut net, &client, Method::Allocate, Some(&good), 600).code(), 0);
}

#[test]
fn other_users_are_served_as_ever() {
    let mut net = harness();
    net.allocated_alice();
}
