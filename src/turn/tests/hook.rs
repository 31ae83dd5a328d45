//! Users whom somebody else is asked about.

use super::harness::*;
use crate::secret::Secret;
use crate::turn::credential::UserKey;
use crate::turn::{EndReason, FiveTuple, HookAnswer, HookUser, PasswordAlgorithm, Settings, Transport};
use crate::wire::Method;
use crate::wire::attribute::{
    ERROR_CODE, EVEN_PORT, MESSAGE_INTEGRITY, MOBILITY_TICKET, NONCE, REALM as REALM_ATTRIBUTE,
    REQUESTED_TRANSPORT, XOR_PEER_ADDRESS,
};

fn asking() -> Harness {
    asking_with(|_| ())
}

fn asking_with(change: impl FnOnce(&mut Settings)) -> Harness {
    Harness::with(|settings| {
        settings.asks_hook = true;
        change(settings);
    })
}

/// What a service says that knows carol's password.
fn carol_is_known(expires: Option<u64>) -> HookAnswer {
    let key = UserKey::Password(Secret::new("tea party"));
    HookAnswer::Granted(HookUser::new("carol", REALM, &key, expires))
}

fn carol(net: &mut Harness) -> Client {
    net.client("carol", "tea party", 4000)
}

fn allocate(client: &Client, transaction: u8) -> Vec<u8> {
    client.request(Method::Allocate, transaction, |writer| writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]))
}

/// The code that a request is answered with once the answer is there.
fn code_after(net: &mut Harness, client: &Client, answer: &HookAnswer) -> u16 {
    let seen = net.send(client.path, &allocate(client, 1));
    assert_eq!(seen, [Seen::Ask(client.username.clone())]);
    let answers: Vec<Answer> = net.decide(answer).into_iter().filter_map(answer_of).collect();
    let [answer] = answers.try_into().expect("one answer");
    answer.code()
}

#[test]
fn an_unknown_user_waits_and_gets_in_when_somebody_knows_it() {
    let mut net = asking();
    let carol = carol(&mut net);
    let request = allocate(&carol, 1);
    assert_eq!(net.send(carol.path, &request), [Seen::Ask("carol".into())]);
    assert_eq!(net.server.allocation_count(), 0);
    let seen = net.decide(&carol_is_known(None));
    assert!(matches!(&seen[0], Seen::Begin { username, .. } if username == "carol"), "{seen:?}");
    let Seen::Reply(answer) = &seen[1] else { panic!("{seen:?}") };
    assert_eq!(answer.code(), 0);
    assert!(answer.message().is_signed_with(&carol.key()));

    // From now on nobody is asked: the allocation has the key, also for a retransmission.
    assert_eq!(net.ask(carol.path, &request), *answer);
    assert_eq!(net.refresh(&carol, 600).code(), 0);
    assert_eq!(net.permit(&carol, "10.0.0.1:1"), 0);
    assert_eq!(net.bind(&carol, 0x4000, "10.0.0.1:1"), 0);
    assert_eq!(net.refresh(&carol, 0).code(), 0);
}

#[test]
fn retransmissions_ask_again_and_are_recognised() {
    let mut net = asking();
    let carol = carol(&mut net);
    for transaction in [1, 1, 2] {
        assert_eq!(net.send(carol.path, &allocate(&carol, transaction)), [Seen::Ask("carol".into())]);
    }
    let elsewhere = FiveTuple { client: ([192, 0, 2, 1], 4001).into(), ..carol.path };
    assert!(net.undecided[0].is_same_as(&net.undecided[1]));
    assert!(!net.undecided[0].is_same_as(&net.undecided[2]));
    net.undecided[1].path = elsewhere;
    assert!(!net.undecided[0].is_same_as(&net.undecided[1]));
}

#[test]
fn a_refused_user_is_told_what_any_unknown_one_is() {
    let mut net = asking();
    let carol = carol(&mut net);
    net.send(carol.path, &allocate(&carol, 0xee));
    let refused = net.decide(&HookAnswer::Refused);
    let mut without = Harness::new();
    let unknown = without.send(carol.path, &allocate(&carol, 0xee));
    assert_eq!(refused, unknown);
    let [Seen::Reply(answer)] = &refused[..] else { panic!("{refused:?}") };
    assert_eq!(answer.code(), 401);
}

#[test]
fn a_wrong_password_is_401_and_no_reason_to_ask_again() {
    let mut net = asking();
    let mut carol = carol(&mut net);
    carol.password = "coffee".into();
    assert_eq!(code_after(&mut net, &carol, &carol_is_known(None)), 401);
    assert!(net.undecided.is_empty());
}

// RFC 8489 §14.8
#[test]
fn when_nobody_can_say_it_is_500_that_nobody_signs() {
    let mut net = asking();
    let carol = carol(&mut net);
    net.send(carol.path, &allocate(&carol, 1));
    let seen = net.decide(&HookAnswer::Failed);
    let [Seen::Reply(answer)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(answer.code(), 500);
    let message = answer.message();
    assert_eq!(message.find(ERROR_CODE).unwrap(), b"\0\0\x05\0Server Error");
    for kind in [MESSAGE_INTEGRITY, NONCE, REALM_ATTRIBUTE] {
        assert!(message.find(kind).is_none());
    }
    assert_eq!(net.server.allocation_count(), 0);
}

#[test]
fn who_is_known_here_is_not_asked_about() {
    let mut net = asking();
    assert_eq!(net.allocated_alice().username, "alice");
    for (name, password) in
        [("alice", "looking-glass"), ("1800000600:dora", "wrong"), ("1700000000:dora", "late")]
    {
        let client = net.client(name, password, 4001);
        assert_eq!(net.allocate(&client).code(), 401, "{name}");
    }
}

#[test]
fn without_a_fresh_nonce_of_its_own_nobody_makes_us_ask() {
    let mut net = asking();
    let mut carol = carol(&mut net);
    let fresh = carol.nonce.clone();
    net.seconds(601);
    assert_eq!(net.allocate(&carol).code(), 438, "late");
    let elsewhere = FiveTuple { client: ([198, 51, 100, 1], 4000).into(), ..carol.path };
    net.renew_nonce(&mut carol);
    assert_eq!(net.ask(elsewhere, &allocate(&carol, 1)).code(), 438, "somebody else's");
    carol.nonce = b"made up".to_vec();
    assert_eq!(net.allocate(&carol).code(), 438);
    carol.nonce = fresh;
    carol.realm = "elsewhere".into();
    assert_eq!(net.allocate(&carol).code(), 401, "another realm");
}

#[test]
fn only_the_beginning_of_a_session_asks() {
    let mut net = asking();
    let carol = carol(&mut net);
    for method in [Method::Refresh, Method::CreatePermission, Method::ChannelBind, Method::Connect] {
        let request = carol
            .request(method, 1, |writer| writer.address(XOR_PEER_ADDRESS, "10.0.0.1:1".parse().unwrap()));
        assert_eq!(net.ask(carol.path, &request).code(), 401, "{method:?}");
    }
}

#[test]
fn names_that_cannot_be_asked_about_are_401() {
    let mut net = asking();
    let longest = net.client(&"x".repeat(508), "p", 4000);
    assert_eq!(net.send(longest.path, &allocate(&longest, 1)), [Seen::Ask("x".repeat(508))]);
    let too_long = net.client(&"x".repeat(509), "p", 4000);
    assert_eq!(net.allocate(&too_long).code(), 401);
}

#[test]
fn a_session_ends_when_the_service_says_so() {
    let mut net = asking();
    let carol = carol(&mut net);
    net.send(carol.path, &allocate(&carol, 1));
    let until = net.now.unix_seconds + 120;
    let seen = net.decide(&carol_is_known(Some(until)));
    let lifetime = seen.into_iter().find_map(answer_of).unwrap().lifetime();
    assert_eq!(lifetime, 120);
    net.seconds(60);
    assert_eq!(net.refresh(&carol, 600).lifetime(), 60);
    assert_eq!(net.seconds(60), [Seen::End(EndReason::Expired)]);

    net.now.unix_seconds = until;
    let mut carol = carol;
    net.renew_nonce(&mut carol);
    assert_eq!(code_after(&mut net, &carol, &carol_is_known(Some(until))), 401, "it is over");
}

#[test]
fn keys_do_as_well_as_passwords_for_their_algorithm() {
    let mut net = asking();
    let carol = carol(&mut net);
    let key = |md5, sha256| {
        HookAnswer::Granted(HookUser::new("carol", REALM, &UserKey::derived(md5, sha256), None))
    };
    // printf 'carol:example.org:tea party' | md5sum
    let md5 = MD5_OF_CAROL;
    assert_eq!(code_after(&mut net, &carol, &key(None, Some([7; 32]))), 401, "none for MD5");
    assert_eq!(code_after(&mut net, &carol, &key(Some([7; 16]), None)), 401);
    assert_eq!(code_after(&mut net, &carol, &key(Some(md5), None)), 0);
}

#[test]
fn algorithms_that_are_not_accepted_stay_so() {
    let mut net = asking_with(|settings| settings.password_algorithms = vec![PasswordAlgorithm::Sha256]);
    let carol = carol(&mut net);
    assert_eq!(code_after(&mut net, &carol, &carol_is_known(None)), 401);
}

#[test]
fn an_answer_that_comes_late_meets_what_is_there_then() {
    let mut net = asking();
    let carol = carol(&mut net);
    net.send(carol.path, &allocate(&carol, 1));
    net.send(carol.path, &allocate(&carol, 2));
    let begun = net.decide(&carol_is_known(None));
    assert!(matches!(&begun[0], Seen::Begin { .. }));
    let second = net.decide(&carol_is_known(None));
    let [Seen::Reply(answer)] = &second[..] else { panic!("{second:?}") };
    assert_eq!(answer.code(), 437);
}

#[test]
fn another_user_on_the_path_of_an_allocation_is_told_that_it_is_taken() {
    let mut net = asking();
    let alice = net.allocated_alice();
    let mut carol = carol(&mut net);
    carol.path = alice.path;
    net.renew_nonce(&mut carol);
    assert_eq!(code_after(&mut net, &carol, &carol_is_known(None)), 437);
    assert_eq!(net.refresh(&alice, 0).code(), 0);
}

// RFC 8016 §3.2.2
#[test]
fn a_session_that_moves_to_where_its_user_is_unknown_asks() {
    let mut net = asking_with(|settings| settings.mobility = true);
    let mut carol = carol(&mut net);
    let request = carol.request(Method::Allocate, 1, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(MOBILITY_TICKET, b"")
    });
    net.send(carol.path, &request);
    let answer = net.decide(&carol_is_known(None)).into_iter().find_map(answer_of).unwrap();
    let ticket = answer.message().find(MOBILITY_TICKET).unwrap().to_vec();
    carol.path.client = ([192, 0, 2, 1], 4009).into();
    net.renew_nonce(&mut carol);
    let refresh = carol.request(Method::Refresh, 2, |writer| writer.bytes(MOBILITY_TICKET, &ticket));
    assert_eq!(net.send(carol.path, &refresh), [Seen::Ask("carol".into())]);
    let seen = net.decide(&carol_is_known(None));
    assert!(seen.contains(&Seen::Moved { to: carol.path.client }), "{seen:?}");
    assert_eq!(seen.into_iter().find_map(answer_of).unwrap().code(), 0);
}

#[test]
fn what_was_asked_for_is_granted_as_ever() {
    let mut net = asking();
    let mut carol = carol(&mut net);
    carol.path.transport = Transport::Tcp;
    net.renew_nonce(&mut carol);
    let request = carol.request(Method::Allocate, 1, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(EVEN_PORT, &[0x80])
    });
    assert_eq!(net.send(carol.path, &request), [Seen::Ask("carol".into())]);
    let answer = net.decide(&carol_is_known(None)).into_iter().find_map(answer_of).unwrap();
    assert!(answer.message().find(crate::wire::attribute::RESERVATION_TOKEN).is_some());
}

/// The key of carol.
const MD5_OF_CAROL: [u8; 16] =
    [0x10, 0x8d, 0x3b, 0xde, 0xea, 0x90, 0x4c, 0xc6, 0x49, 0xc3, 0xd5, 0x17, 0xd1, 0x27, 0x74, 0x63];
