//! Who gets in, and what the others are told (RFC 8489 §9.2).

use super::harness::*;
use crate::secret::Secret;
use crate::turn::credential::{Credentials, UserKey, rest_password};
use crate::turn::{AuthFailure, DropReason, RelayRefusal};
use crate::wire::attribute::{self, AttributeType};
use crate::wire::{Class, MessageWriter, Method, TransactionId};

// RFC 8489 §9.2.4
#[test]
fn a_request_without_credentials_is_challenged() {
    let mut net = Harness::new();
    let path = net.alice().path;
    for method in [Method::Allocate, Method::Refresh, Method::CreatePermission, Method::ChannelBind] {
        let answer = net.ask(path, &unsigned(method, |writer| writer));
        assert_eq!(answer.code(), 401);
        assert_eq!(answer.message().find(attribute::REALM), Some(REALM.as_bytes()));
        assert!(answer.message().find(attribute::NONCE).is_some());
        assert_eq!(answer.message().integrity(), None);
    }
}

#[test]
fn a_challenge_is_at_most_2_3_times_its_request() {
    // Twenty characters are the longest realm of which this holds with the default algorithms.
    for realm in ["turnpike", "relay.my-company.org"] {
        let mut net = Harness::with(|settings| settings.realm = realm.into());
        let path = net.alice().path;
        let request =
            unsigned(Method::Allocate, |writer| writer.bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]));
        let ip_and_udp_headers = 28;
        let answer = net.ask(path, &request).bytes.len() + ip_and_udp_headers;
        assert!(answer * 10 <= (request.len() + ip_and_udp_headers) * 23, "{answer}");
    }
}

// RFC 8489 §9.2.4
#[test]
fn integrity_without_what_it_needs_is_400() {
    let mut net = Harness::new();
    let alice = net.alice();
    for missing in [attribute::USERNAME, attribute::REALM, attribute::NONCE] {
        let mut bytes = Vec::new();
        let mut writer =
            MessageWriter::begin(&mut bytes, Method::Allocate, Class::Request, TransactionId([1; 12]));
        for (kind, value) in [
            (attribute::USERNAME, alice.username.as_bytes()),
            (attribute::REALM, alice.realm.as_bytes()),
            (attribute::NONCE, &alice.nonce[..]),
        ] {
            if kind != missing {
                writer = writer.bytes(kind, value);
            }
        }
        writer.sign(&alice.key());
        assert_eq!(net.ask(alice.path, &bytes).code(), 400);
    }
}

// RFC 8489 §9.2.4
#[test]
fn wrong_password_unknown_user_and_wrong_realm_get_the_same_401() {
    let mut net = Harness::new();
    let alice = net.alice();
    let wrong_password = Client { password: "looking-glass".into(), ..alice.clone() };
    let unknown_user = Client { username: "eve".into(), password: String::new(), ..alice.clone() };
    let wrong_realm = Client { realm: "example.com".into(), ..alice.clone() };
    let answers = [wrong_password, unknown_user, wrong_realm].map(|client| {
        let request = client.request(Method::Allocate, 1, |writer| {
            writer.bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
        });
        net.ask(alice.path, &request)
    });
    assert_eq!(answers[0].code(), 401);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[test]
fn operators_learn_more_than_the_client_does() {
    let mut net = Harness::with(|settings| settings.credentials.add_secret(Secret::new("north")));
    let alice = net.alice();
    let now = net.now.unix_seconds;
    let late = net.client(&format!("{}:carol", now - 1), "", 4003);
    let forged = net.client(&format!("{}:carol", now + 60), "", 4004);
    for (client, code, failure) in [
        (Client { password: "looking-glass".into(), ..alice.clone() }, 401, AuthFailure::WrongPassword),
        (Client { username: "eve".into(), ..alice.clone() }, 401, AuthFailure::UnknownUser),
        (Client { realm: "example.com".into(), ..alice.clone() }, 401, AuthFailure::WrongRealm),
        (Client { nonce: b"made up".into(), ..alice.clone() }, 438, AuthFailure::ForeignNonce),
        (late, 401, AuthFailure::Expired),
        (forged, 401, AuthFailure::WrongPassword),
    ] {
        assert_eq!((net.allocate(&client).code(), net.auth_failure), (code, Some(failure)));
    }
    net.refused.v4 = Some(RelayRefusal::GrantEnded);
    assert_eq!((net.allocate(&alice).code(), net.auth_failure), (401, Some(AuthFailure::GrantEnded)));
    net.refused.v4 = None;
    assert_eq!((net.allocate(&alice).code(), net.auth_failure), (0, None));
    let bob = Client { path: alice.path, nonce: alice.nonce.clone(), ..net.client("bob", "builder", 4001) };
    assert_eq!((net.refresh(&bob, 600).code(), net.auth_failure), (441, Some(AuthFailure::OtherUser)));
    net.seconds(601);
    assert_eq!((net.refresh(&alice, 600).code(), net.auth_failure), (438, Some(AuthFailure::OldNonce)));
    assert_eq!(net.ask(alice.path, &unsigned(Method::Allocate, |writer| writer)).code(), 401);
    assert_eq!(net.auth_failure, Some(AuthFailure::NoCredentials));
}

#[test]
fn a_wrong_password_does_not_spoil_the_next_try() {
    let mut net = Harness::new();
    let alice = net.alice();
    let wrong = Client { password: "looking-glass".into(), ..alice.clone() };
    assert_eq!(net.allocate(&wrong).code(), 401);
    assert_eq!(net.allocate(&alice).code(), 0);
}

// RFC 8489 §9.2.4
#[test]
fn a_stale_nonce_is_438_with_a_new_one() {
    let mut net = Harness::new();
    let mut alice = net.alice();
    net.seconds(601);
    let answer = net.allocate(&alice);
    assert_eq!(answer.code(), 438);
    assert_eq!(answer.message().find(attribute::REALM), Some(REALM.as_bytes()));
    alice.nonce = answer.message().find(attribute::NONCE).unwrap().to_vec();
    assert_eq!(net.allocate(&alice).code(), 0);
}

#[test]
fn a_nonce_of_another_client_is_stale() {
    let mut net = Harness::new();
    let bob = net.client("bob", "builder", 4001);
    let thief = Client { path: bob.path, ..net.alice() };
    assert_eq!(net.allocate(&thief).code(), 438);
}

// RFC 8489 §9.2.4
#[test]
fn a_stale_nonce_with_a_wrong_password_is_401() {
    let mut net = Harness::new();
    let alice = net.alice();
    net.seconds(601);
    let wrong = Client { password: "looking-glass".into(), ..alice };
    assert_eq!(net.allocate(&wrong).code(), 401);
}

#[test]
fn answers_to_authenticated_requests_are_signed() {
    let mut net = Harness::new();
    let alice = net.alice();
    let failure = net.refresh(&alice, 600);
    assert_eq!(failure.code(), 437);
    assert!(failure.message().is_signed_with(&alice.key()));
    let success = net.allocate(&alice);
    assert!(success.message().is_signed_with(&alice.key()));
}

#[test]
fn each_of_several_secrets_works_until_the_name_expires() {
    let mut net = Harness::with(|settings| settings.credentials.add_secret(Secret::new("south")));
    let now = net.now.unix_seconds;
    let mut port = 5000;
    for secret in ["north", "south"] {
        for (username, expected) in [
            (format!("{now}:alice"), 0),
            (format!("{now}"), 0),
            (format!("{}:alice", now - 1), 401),
            ("eve".into(), 401),
            (":alice".into(), 401),
        ] {
            let password = rest_password(&Secret::new(secret), username.as_bytes());
            let client = net.client(&username, password.expose(), port);
            assert_eq!(net.allocate(&client).code(), expected, "{username}");
            port += 1;
        }
    }
    let wrong = net.client(&format!("{now}:alice"), "north", port);
    assert_eq!(net.allocate(&wrong).code(), 401);
}

#[test]
fn nobody_gets_in_by_default() {
    let mut net = Harness::with(|settings| settings.credentials = Credentials::default());
    for username in ["alice", "9999999999:alice", ""] {
        let client = net.client(username, "", 4000);
        assert_eq!(net.allocate(&client).code(), 401);
    }
}

#[test]
fn a_static_user_may_be_known_by_keys_alone() {
    // printf alice:example.org:wonderland | md5sum
    let md5 = md5_of("alice:example.org:wonderland");
    let mut net = Harness::with(|settings| {
        settings.credentials = Credentials::default();
        settings.credentials.add_user("alice", UserKey::derived(Some(md5), None));
    });
    net.allocated_alice();
    let wrong = net.client("alice", "looking-glass", 4001);
    assert_eq!(net.allocate(&wrong).code(), 401);
}

fn md5_of(text: &str) -> [u8; 16] {
    use md5::Digest;
    md5::Md5::digest(text).into()
}

// RFC 8489 §9.2.2 and RFC 8265 §4.2
#[test]
fn names_and_passwords_are_prepared() {
    let mut net = Harness::with(|settings| {
        settings.credentials.add_user("Zoe\u{308}", Secret::new("wonder\u{3000}land e\u{301}"));
        settings.realm = "exa\u{a0}mple".into();
    });
    let mut zoe = net.client("Zo\u{eb}", "wonder land \u{e9}", 4000);
    zoe.realm = "exa mple".into();
    assert_eq!(net.allocate(&zoe).code(), 0);
}

#[test]
fn a_nonce_of_the_previous_secret_is_still_good() {
    let old = crate::turn::NonceKeys { issuing: [8; 32], previous: None };
    let nonce = Harness::with(|settings| settings.nonce_keys = old).alice().nonce;
    let mut net = Harness::with(|settings| settings.nonce_keys.previous = Some([8; 32]));
    let alice = Client { nonce, ..net.alice() };
    assert_eq!(net.allocate(&alice).code(), 0);
    let mut net = Harness::new();
    net.alice();
    assert_eq!(net.allocate(&alice).code(), 438);
}

// RFC 8656 §5
#[test]
fn an_allocation_belongs_to_its_user() {
    let mut net = Harness::new();
    let alice = net.allocated_alice();
    let bob = Client { username: "bob".into(), password: "builder".into(), ..alice.clone() };
    assert_eq!(net.refresh(&bob, 0).code(), 441);
    assert_eq!(net.permit(&bob, "10.0.0.1:1"), 441);
    assert_eq!(net.bind(&bob, 0x4000, "10.0.0.1:1"), 441);
    assert_eq!(net.refresh(&alice, 600).code(), 0);
}

// RFC 8489 §6.3.1, §14.13
#[test]
fn unknown_attributes_are_listed_once_and_only_to_who_is_known() {
    let mut net = Harness::new();
    let alice = net.alice();
    let stranger = unsigned(Method::Allocate, |writer| writer.bytes(AttributeType(0x7abc), b""));
    assert_eq!(net.ask(alice.path, &stranger).code(), 401);

    let request = alice.request(Method::Allocate, 1, |writer| {
        writer
            .bytes(AttributeType(0x7abc), b"")
            .bytes(AttributeType(0x0003), b"")
            .bytes(AttributeType(0x7abc), b"")
            .bytes(AttributeType(0xbabc), b"")
    });
    let answer = net.ask(alice.path, &request);
    assert_eq!(answer.code(), 420);
    let listed = answer.message().find(attribute::UNKNOWN_ATTRIBUTES).unwrap();
    assert_eq!(listed, [0x7a, 0xbc, 0x00, 0x03]);
}

// RFC 8489 §7, §12
#[test]
fn binding_needs_no_credentials() {
    let mut net = Harness::new();
    let path = net.alice().path;
    let mut request = Vec::new();
    MessageWriter::begin(&mut request, Method::Binding, Class::Request, TransactionId([5; 12])).fingerprint();
    let answer = net.ask(path, &request);
    assert_eq!(answer.code(), 0);
    assert_eq!(answer.address(attribute::XOR_MAPPED_ADDRESS), path.client);
    assert_eq!(answer.message().transaction(), TransactionId([5; 12]));
    assert!(answer.message().has_fingerprint());

    let answer = net.ask(path, &unsigned(Method::Binding, |writer| writer));
    assert!(!answer.message().has_fingerprint());
    let answer =
        net.ask(path, &unsigned(Method::Binding, |writer| writer.bytes(AttributeType(0x24), &[0; 4])));
    assert_eq!(answer.code(), 420);
}

// RFC 8489 §6.3
#[test]
fn what_is_no_request_gets_no_answer() {
    let mut net = Harness::new();
    let path = net.alice().path;
    for class in [Class::Success, Class::Error] {
        let mut bytes = Vec::new();
        MessageWriter::begin(&mut bytes, Method::Binding, class, TransactionId([1; 12]));
        assert_eq!(net.send(path, &bytes), [Seen::Drop(DropReason::Malformed)]);
    }
    for method in [Method::Send, Method::Data, Method::ConnectionAttempt, Method::Unknown(0x0d)] {
        assert_eq!(net.send(path, &unsigned(method, |writer| writer)), [Seen::Drop(DropReason::Malformed)]);
    }
    assert_eq!(net.send(path, b"\x00\x01 not a message"), [Seen::Drop(DropReason::Malformed)]);
    let mut keep_alive = Vec::new();
    MessageWriter::begin(&mut keep_alive, Method::Binding, Class::Indication, TransactionId([1; 12]));
    assert_eq!(net.send(path, &keep_alive), []);
}

#[test]
fn an_attribute_that_overruns_is_400() {
    let mut net = Harness::new();
    let path = net.alice().path;
    let mut request = unsigned(Method::Allocate, |writer| writer.u32(attribute::LIFETIME, 1));
    request[23] = 8;
    assert_eq!(net.ask(path, &request).code(), 400);
}
