//! Sessions and the end of the credentials that opened them.

use super::harness::*;
use crate::secret::Secret;
use crate::turn::credential::rest_password;
use crate::turn::{EndReason, Grant, GrantId, GrantSeal};
use crate::wire::Method;
use crate::wire::attribute;

/// A client whose name expires in a while.
fn carol(net: &mut Harness, expires_in: u64, port: u16) -> Client {
    let username = format!("{}:carol", net.now.unix_seconds + expires_in);
    let password = rest_password(&Secret::new("north"), username.as_bytes());
    net.client(&username, password.expose(), port)
}

fn ending() -> Harness {
    Harness::with(|settings| settings.credentials_end_sessions = true)
}

#[test]
fn an_expiring_name_opens_a_session_that_outlives_it() {
    let mut net = Harness::new();
    let mut carol = carol(&mut net, 60, 4002);
    assert_eq!(net.allocate(&carol).lifetime(), 600);
    net.seconds(61);
    net.renew_nonce(&mut carol);
    assert_eq!(net.refresh(&carol, 600).code(), 0);
    let late = Client { path: net.client("", "", 4003).path, ..carol };
    assert_eq!(net.allocate(&late).code(), 401);
}

#[test]
fn a_lifetime_never_exceeds_a_credential_that_ends_sessions() {
    let mut net = ending();
    let carol = carol(&mut net, 700, 4002);
    let answer = net.request(&carol, Method::Allocate, |writer| {
        writer.bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]).u32(attribute::LIFETIME, 3600)
    });
    assert_eq!(answer.lifetime(), 700);
    net.seconds(200);
    assert_eq!(net.refresh(&carol, 3600).lifetime(), 500);
    assert_eq!(net.refresh(&carol, 1).lifetime(), 500);
    assert_eq!(net.seconds(499), []);
    assert_eq!(net.seconds(1), [Seen::End(EndReason::Expired)]);
}

#[test]
fn after_the_end_of_such_a_credential_nothing_is_granted() {
    let mut net = ending();
    let mut carol = carol(&mut net, 60, 4002);
    assert_eq!(net.allocate(&carol).lifetime(), 60);
    assert_eq!(net.seconds(60), [Seen::End(EndReason::Expired)]);
    net.renew_nonce(&mut carol);
    assert_eq!(net.refresh(&carol, 600).code(), 401);
    assert_eq!(net.allocate(&carol).code(), 401, "not even in the second of the expiry");
}

#[test]
fn such_a_credential_is_refused_while_its_allocation_has_not_been_cleared_away() {
    let mut net = ending();
    let mut carol = carol(&mut net, 60, 4002);
    net.allocate(&carol);
    // The driver is late: the clock has moved, and nobody has called handle_timeout.
    net.now.instant += std::time::Duration::from_secs(60);
    net.now.unix_seconds += 60;
    net.renew_nonce(&mut carol);
    assert_eq!(net.refresh(&carol, 600).code(), 401);
    assert_eq!(net.permit(&carol, "10.0.0.1:1"), 401);
}

#[test]
fn lasting_passwords_end_no_session() {
    let mut net = ending();
    let alice = net.allocated_alice();
    assert_eq!(net.refresh(&alice, 3600).lifetime(), 3600);
}

/// A client with the name that the gateway hands out.
fn granted(net: &mut Harness, secret: &str, expires_in: u64, port: u16) -> Client {
    let secret = Secret::new(secret);
    let issued = net.now.unix_seconds;
    let username = GrantSeal::new(&secret).seal(&Grant {
        id: GrantId([port as u8; 16]),
        issued,
        expires: issued + expires_in,
        key: "key".into(),
        client: "app".into(),
        user: Some("ann".into()),
    });
    let password = rest_password(&secret, username.as_bytes());
    net.client(&username, password.expose(), port)
}

#[test]
fn a_sealed_name_opens_a_session_until_it_expires() {
    let mut net = Harness::new();
    let mut ann = granted(&mut net, "north", 60, 4002);
    assert_eq!(net.allocate(&ann).lifetime(), 600);
    let late = granted(&mut net, "north", 60, 4003);
    net.seconds(61);
    net.renew_nonce(&mut ann);
    assert_eq!(net.refresh(&ann, 600).code(), 0);
    assert_eq!(net.allocate(&late).code(), 401);
}

#[test]
fn sealed_names_of_every_secret_are_good_and_of_others_not() {
    let mut net = Harness::with(|settings| settings.credentials.add_secret(Secret::new("south")));
    for (secret, port, code) in [("north", 4002, 0), ("south", 4003, 0), ("west", 4004, 401)] {
        let ann = granted(&mut net, secret, 60, port);
        assert_eq!(net.allocate(&ann).code(), code, "{secret}");
    }
    let mut mixed = granted(&mut net, "north", 60, 4005);
    mixed.password = rest_password(&Secret::new("south"), mixed.username.as_bytes()).expose().to_owned();
    assert_eq!(net.allocate(&mixed).code(), 401);
    let mut wrong = granted(&mut net, "north", 60, 4006);
    wrong.username.pop();
    assert_eq!(net.allocate(&wrong).code(), 401);
}

#[test]
fn a_sealed_name_can_end_its_session() {
    let mut net = ending();
    let ann = granted(&mut net, "north", 700, 4002);
    assert_eq!(net.allocate(&ann).lifetime(), 600);
    net.seconds(200);
    assert_eq!(net.refresh(&ann, 3600).lifetime(), 500);
}
