//! SHA-256 and hidden user names (RFC 8489 §9.2).

use super::harness::*;
use crate::secret::Secret;
use crate::turn::PasswordAlgorithm::{self, Md5, Sha256};
use crate::turn::Settings;
use crate::turn::credential::{Credentials, UserKey, rest_password};
use crate::wire::attribute::{
    self, AttributeType, MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256, NONCE, PASSWORD_ALGORITHM,
    PASSWORD_ALGORITHMS, REQUESTED_TRANSPORT, USERHASH, USERNAME,
};
use crate::wire::integrity::user_hash;
use crate::wire::{Class, Integrity, LongTermKey, MessageWriter, Method, TransactionId};

const OFFERED: [u8; 8] = [0, 2, 0, 0, 0, 1, 0, 0];
const SHA256: [u8; 4] = [0, 2, 0, 0];
const MD5: [u8; 4] = [0, 1, 0, 0];

/// What a request says of itself; each test changes what it is about.
#[derive(Clone)]
struct Said {
    names: Vec<(AttributeType, Vec<u8>)>,
    chosen: Option<Vec<u8>>,
    repeated: Option<Vec<u8>>,
    derived_with: PasswordAlgorithm,
    signed_with: Vec<Integrity>,
}

impl Said {
    /// What a client of RFC 8489 says.
    fn by_the_book(client: &Client) -> Self {
        Self {
            names: vec![(USERNAME, client.username.as_bytes().to_vec())],
            chosen: Some(SHA256.to_vec()),
            repeated: Some(OFFERED.to_vec()),
            derived_with: Sha256,
            signed_with: vec![Integrity::Sha256],
        }
    }

    fn request(&self, client: &Client, method: Method) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = MessageWriter::begin(&mut bytes, method, Class::Request, TransactionId([6; 12]))
            .bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0])
            .bytes(attribute::REALM, client.realm.as_bytes())
            .bytes(NONCE, &client.nonce);
        for (kind, value) in &self.names {
            writer = writer.bytes(*kind, value);
        }
        for (kind, value) in [(PASSWORD_ALGORITHM, &self.chosen), (PASSWORD_ALGORITHMS, &self.repeated)] {
            if let Some(value) = value {
                writer = writer.bytes(kind, value);
            }
        }
        for integrity in &self.signed_with {
            writer = writer.protect(&key(self.derived_with, client), *integrity);
        }
        bytes
    }
}

fn key(algorithm: PasswordAlgorithm, client: &Client) -> LongTermKey {
    LongTermKey::derive(algorithm, client.username.as_bytes(), &client.realm, &client.password)
}

fn ask(net: &mut Harness, client: &Client, method: Method, said: &Said) -> Answer {
    let seen = net.send(client.path, &said.request(client, method));
    seen.into_iter().find_map(answer_of).expect("an answer")
}

fn allocate(net: &mut Harness, client: &Client, said: &Said) -> u16 {
    ask(net, client, Method::Allocate, said).code()
}

/// The integrity attributes of an answer, in order.
fn signatures(answer: &Answer) -> Vec<AttributeType> {
    let mut kinds = Vec::new();
    let mut rest = &answer.bytes[20..];
    while let [a, b, c, d, ..] = *rest {
        let length = usize::from(u16::from_be_bytes([c, d])).next_multiple_of(4);
        let kind = AttributeType(u16::from_be_bytes([a, b]));
        kinds.extend([MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256].contains(&kind).then_some(kind));
        rest = &rest[4 + length..];
    }
    kinds
}

// RFC 8489 §9.2, §9.2.4, §14.11
#[test]
fn a_challenge_offers_both_algorithms_under_a_cookie() {
    let mut net = Harness::new();
    let path = net.alice().path;
    let challenge = net.ask(path, &unsigned(Method::Allocate, |writer| writer));
    assert_eq!(challenge.message().find(PASSWORD_ALGORITHMS), Some(&OFFERED[..]));
    assert!(challenge.message().find(NONCE).unwrap().starts_with(b"obMatJos2gAAB"));
}

// RFC 8489 §9.2
#[test]
fn md5_alone_is_not_offered_but_the_cookie_is_there() {
    let mut net = Harness::with(|settings| settings.password_algorithms = vec![Md5]);
    let alice = net.alice();
    let challenge = net.ask(alice.path, &unsigned(Method::Allocate, |writer| writer));
    assert_eq!(challenge.message().find(PASSWORD_ALGORITHMS), None);
    assert!(challenge.message().find(NONCE).unwrap().starts_with(b"obMatJos2AAAA"));
    assert_eq!(allocate(&mut net, &alice, &Said::by_the_book(&alice)), 401, "SHA-256 was not offered");
    net.allocated_alice();
}

#[test]
fn without_md5_old_clients_stay_out() {
    let mut net = Harness::with(|settings| settings.password_algorithms = vec![Sha256]);
    let alice = net.alice();
    assert_eq!(net.allocate(&alice).code(), 401);
    let said = Said { repeated: Some(SHA256.to_vec()), ..Said::by_the_book(&alice) };
    assert_eq!(allocate(&mut net, &alice, &said), 0);
}

// RFC 8489 §9.2.4, §14.6
#[test]
fn a_client_by_the_book_is_answered_with_sha256() {
    let mut net = Harness::new();
    let alice = net.alice();
    let said = Said::by_the_book(&alice);
    let success = ask(&mut net, &alice, Method::Allocate, &said);
    assert_eq!(success.code(), 0);
    assert_eq!(signatures(&success), [MESSAGE_INTEGRITY_SHA256]);
    assert!(success.message().is_protected_by(&key(Sha256, &alice)));
    let failure = ask(&mut net, &alice, Method::ChannelBind, &said);
    assert_eq!(failure.code(), 400);
    assert!(failure.message().is_protected_by(&key(Sha256, &alice)));
}

// RFC 8489 §9.2.4
#[test]
fn an_old_client_is_answered_as_ever() {
    let mut net = Harness::new();
    let alice = net.alice();
    let answer = net.allocate(&alice);
    assert_eq!(answer.code(), 0);
    assert_eq!(signatures(&answer), [MESSAGE_INTEGRITY]);
    // RFC 8489 §9.2.4: also when it signs with SHA-256 without having chosen anything.
    let said = Said { chosen: None, repeated: None, derived_with: Md5, ..Said::by_the_book(&alice) };
    let answer = ask(&mut net, &alice, Method::Refresh, &said);
    assert_eq!((answer.code(), signatures(&answer)), (0, vec![MESSAGE_INTEGRITY]));
}

// RFC 8489 §9.2.4
#[test]
fn algorithm_and_attribute_are_chosen_apart() {
    for (chosen, derived_with) in [(MD5, Md5), (SHA256, Sha256)] {
        for (signed_with, expected) in [
            (vec![Integrity::Sha256], vec![MESSAGE_INTEGRITY_SHA256]),
            (vec![Integrity::Sha1], vec![MESSAGE_INTEGRITY, MESSAGE_INTEGRITY_SHA256]),
            (vec![Integrity::Sha1, Integrity::Sha256], vec![MESSAGE_INTEGRITY_SHA256]),
        ] {
            let mut net = Harness::new();
            let alice = net.alice();
            let chosen = Some(chosen.to_vec());
            let said = Said { chosen, derived_with, signed_with, ..Said::by_the_book(&alice) };
            let answer = ask(&mut net, &alice, Method::Allocate, &said);
            assert_eq!((answer.code(), signatures(&answer)), (0, expected));
            assert!(answer.message().is_protected_by(&key(derived_with, &alice)));
        }
    }
}

// RFC 8489 §9.2.1, §9.2.4
#[test]
fn an_offer_that_somebody_changed_is_400() {
    let mut net = Harness::new();
    let alice = net.alice();
    let sound = Said::by_the_book(&alice);
    for (chosen, repeated) in [
        (Some(&SHA256[..]), None),
        (None, Some(&OFFERED[..])),
        (Some(&MD5), Some(&MD5)),
        (Some(&SHA256), Some(&SHA256)),
        (Some(&MD5), Some(&[0, 1, 0, 0, 0, 2, 0, 0])),
        (Some(&[0, 3, 0, 0]), Some(&OFFERED)),
        (Some(&[0, 2]), Some(&OFFERED)),
        (Some(&SHA256), Some(&[])),
    ] {
        let said = Said {
            chosen: chosen.map(<[u8]>::to_vec),
            repeated: repeated.map(<[u8]>::to_vec),
            ..sound.clone()
        };
        let answer = ask(&mut net, &alice, Method::Allocate, &said);
        assert_eq!(answer.code(), 400, "{chosen:?} {repeated:?}");
        assert_eq!(signatures(&answer), []);
    }
    assert_eq!(allocate(&mut net, &alice, &sound), 0);
}

// RFC 8489 §9.2.1
#[test]
fn a_cookie_that_somebody_changed_makes_the_nonce_stale() {
    let mut net = Harness::new();
    let mut alice = net.alice();
    alice.nonce[9..13].copy_from_slice(b"AAAA");
    let answer = net.allocate(&alice);
    assert_eq!(answer.code(), 438);
    assert_eq!(answer.message().find(PASSWORD_ALGORITHMS), Some(&OFFERED[..]));
}

// RFC 8489 §9.2.4
#[test]
fn a_wrong_password_is_401_with_either_algorithm() {
    let mut net = Harness::new();
    let alice = net.alice();
    let wrong = Client { password: "looking-glass".into(), ..alice.clone() };
    let unknown = Client { username: "eve".into(), ..alice };
    for client in [wrong, unknown] {
        let answer = ask(&mut net, &client, Method::Allocate, &Said::by_the_book(&client));
        assert_eq!(answer.code(), 401);
        assert_eq!(answer.message().find(PASSWORD_ALGORITHMS), Some(&OFFERED[..]));
        assert_eq!(signatures(&answer), []);
    }
}

// RFC 8489 §14.4
#[test]
fn a_hidden_name_is_the_same_user() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    let hash = user_hash("alice", REALM).to_vec();
    let hidden = Said { names: vec![(USERHASH, hash.clone())], ..Said::by_the_book(&alice) };
    assert_eq!(ask(&mut net, &alice, Method::Refresh, &hidden).code(), 0);
    let hidden_md5 = Said {
        names: vec![(USERHASH, hash.clone())],
        chosen: None,
        repeated: None,
        derived_with: Md5,
        signed_with: vec![Integrity::Sha1],
    };
    assert_eq!(ask(&mut net, &alice, Method::Refresh, &hidden_md5).code(), 0);

    let bob = Client { username: "bob".into(), password: "builder".into(), ..alice.clone() };
    let hidden_bob =
        Said { names: vec![(USERHASH, user_hash("bob", REALM).to_vec())], ..Said::by_the_book(&bob) };
    assert_eq!(ask(&mut net, &bob, Method::Refresh, &hidden_bob).code(), 441);
}

// RFC 8489 §9.2.4, §14.4
#[test]
fn a_hash_of_nobody_is_401_and_two_names_or_none_are_400() {
    let mut net = Harness::new();
    let alice = net.alice();
    let name = (USERNAME, b"alice".to_vec());
    let hash = (USERHASH, user_hash("alice", REALM).to_vec());
    for (names, code) in [
        (vec![(USERHASH, user_hash("eve", REALM).to_vec())], 401),
        (vec![(USERHASH, b"short".to_vec())], 401),
        (vec![name, hash.clone()], 400),
        (vec![], 400),
        (vec![hash], 0),
    ] {
        let said = Said { names, ..Said::by_the_book(&alice) };
        assert_eq!(allocate(&mut net, &alice, &said), code, "{:?}", said.names);
    }
}

// RFC 8489 §18.1
#[test]
fn clients_are_asked_to_hide_their_name_when_they_shall() {
    let mut net = Harness::with(|settings| settings.hide_usernames = true);
    let alice = net.allocated_alice();
    assert!(alice.nonce.starts_with(b"obMatJos2wAAD"));
}

#[test]
fn expiring_names_use_sha256_too() {
    let mut net = Harness::new();
    let username = format!("{}:carol", net.now.unix_seconds + 60);
    let password = rest_password(&Secret::new("north"), username.as_bytes());
    let mut carol = net.client(&username, password.expose(), 4002);
    let said = Said::by_the_book(&carol);
    assert_eq!(allocate(&mut net, &carol, &said), 0);
    net.seconds(61);
    net.renew_nonce(&mut carol);
    assert_eq!(ask(&mut net, &carol, Method::Refresh, &said).code(), 0);
    assert_eq!(net.refresh(&carol, 600).code(), 401, "a key of the other algorithm would be a new login");
}

#[test]
fn a_user_without_a_key_for_the_algorithm_is_401() {
    let known = |md5, sha256| {
        move |settings: &mut Settings| {
            settings.credentials = Credentials::default();
            settings.credentials.add_user("alice", UserKey::derived(md5, sha256));
        }
    };
    let text = "alice:example.org:wonderland";
    let sha256: [u8; 32] =
        sha2::Digest::finalize(sha2::Digest::chain_update(sha2::Sha256::default(), text)).into();
    let mut net = Harness::with(known(None, Some(sha256)));
    let alice = net.alice();
    assert_eq!(net.allocate(&alice).code(), 401);
    assert_eq!(allocate(&mut net, &alice, &Said::by_the_book(&alice)), 0);
    let mut net = Harness::with(known(Some([7; 16]), None));
    let alice = net.alice();
    assert_eq!(allocate(&mut net, &alice, &Said::by_the_book(&alice)), 401);
}
