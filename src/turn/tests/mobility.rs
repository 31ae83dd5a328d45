//! Allocations that follow their clients (RFC 8016).

use super::harness::*;
use crate::turn::{EndReason, MoveRefusal, Transport};
use crate::wire::Method;
use crate::wire::attribute::{
    LIFETIME, MOBILITY_TICKET, REQUESTED_TRANSPORT, XOR_MAPPED_ADDRESS, XOR_RELAYED_ADDRESS,
};

fn mobile() -> Harness {
    Harness::with(|settings| settings.mobility = true)
}

/// A worker with another number than [`mobile`]'s.
fn other_worker() -> Harness {
    Harness::with(|settings| {
        settings.mobility = true;
        settings.server_number = 1;
    })
}

fn ticket_of(answer: &Answer) -> Vec<u8> {
    answer.message().find(MOBILITY_TICKET).expect("a ticket").to_vec()
}

fn allocate_mobile(harness: &mut Harness, client: &Client) -> Answer {
    harness.request(client, Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(MOBILITY_TICKET, b"")
    })
}

/// Alice with an allocation that may move, and its ticket.
fn mobile_alice(harness: &mut Harness) -> (Client, Vec<u8>) {
    let alice = harness.alice();
    let answer = allocate_mobile(harness, &alice);
    assert_eq!(answer.code(), 0);
    (alice, ticket_of(&answer))
}

fn show(ticket: &[u8]) -> impl FnOnce(crate::wire::MessageWriter<'_>) -> crate::wire::MessageWriter<'_> {
    move |writer| writer.bytes(MOBILITY_TICKET, ticket)
}

fn refresh_with(harness: &mut Harness, client: &Client, ticket: &[u8]) -> Answer {
    harness.request(client, Method::Refresh, show(ticket))
}

// RFC 8016 §3.1.2, §3.2.2
#[test]
fn forbids_mobility_unless_it_is_switched_on() {
    let mut harness = Harness::new();
    let alice = harness.alice();
    assert_eq!(allocate_mobile(&mut harness, &alice).code(), 405);
    assert_eq!(harness.server.allocation_count(), 0);
    let alice = harness.allocated_alice();
    assert_eq!(refresh_with(&mut harness, &alice, b"ticket").code(), 405);
}

// RFC 8016 §3.1.1
#[test]
fn hands_out_a_ticket_to_who_asks_with_an_empty_one() {
    let mut harness = mobile();
    let alice = harness.alice();
    let with_value = harness.request(&alice, Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(MOBILITY_TICKET, b"x")
    });
    assert_eq!(with_value.code(), 400);
    let plain = harness.allocate(&alice);
    assert!(plain.message().find(MOBILITY_TICKET).is_none());
    let bob = harness.client("bob", "builder", 4001);
    let request = bob.request(Method::Allocate, 9, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(MOBILITY_TICKET, b"")
    });
    let first: Vec<_> = harness.send(bob.path, &request).into_iter().filter_map(answer_of).collect();
    assert_eq!(first[0], harness.ask(bob.path, &request), "a retransmission gets the same ticket");
    assert!(!ticket_of(&first[0]).is_empty());
}

// RFC 8016 §3.2.2
#[test]
fn a_ticket_moves_the_allocation_and_the_answer_has_the_next_one() {
    let mut harness = mobile();
    let (old, ticket) = mobile_alice(&mut harness);
    assert_eq!(harness.bind(&old, 0x4001, "10.0.0.1:5000"), 0);
    let new = harness.client("alice", "wonderland", 4100);
    let request = new.request(Method::Refresh, 77, show(&ticket));
    let mut seen = harness.send(new.path, &request);
    let Some(Seen::Reply(answer)) = seen.pop() else { panic!("{seen:?}") };
    assert_eq!(seen, [Seen::Moved { to: new.path.client }], "the route stays open");
    assert_eq!((answer.code(), answer.lifetime()), (0, 600));
    assert_ne!(ticket_of(&answer), ticket);
    assert_eq!(harness.ask(new.path, &request), answer, "a retransmission is answered alike");
    assert_eq!(harness.server.allocation_count(), 1);

    // Both paths are good until the new one is used.
    assert_eq!(harness.permit(&old, "10.0.0.2:0"), 0);
    let seen = harness.send(new.path, &send_indication("10.0.0.2:7", b"hi"));
    assert_eq!(seen[0], Seen::Left(old.path.client));
    assert!(matches!(seen[1], Seen::ToPeer { .. }));
    assert_eq!(harness.permit(&old, "10.0.0.2:0"), 437);
    assert_eq!(harness.permit(&new, "10.0.0.3:0"), 0);
    assert!(matches!(harness.peer_sends("10.0.0.3:7".parse().unwrap(), 2)[..],
        [Seen::Indicate { to, .. }] if to == new.path.client));
    assert_eq!(harness.seconds(600).pop(), Some(Seen::End(EndReason::Expired)));
}

// RFC 8016 §3.2.2
#[test]
fn a_ticket_is_good_once_and_for_its_user_only() {
    let mut harness = mobile();
    let (old, ticket) = mobile_alice(&mut harness);
    let bob = harness.client("bob", "builder", 4200);
    assert_eq!(refresh_with(&mut harness, &bob, &ticket).code(), 441);
    assert_eq!(refresh_with(&mut harness, &old, &ticket).code(), 400, "the path has not changed");
    let new = harness.client("alice", "wonderland", 4100);
    assert_eq!(refresh_with(&mut harness, &new, b"forged").code(), 400);
    let next = ticket_of(&refresh_with(&mut harness, &new, &ticket));
    let third = harness.client("alice", "wonderland", 4300);
    assert_eq!(refresh_with(&mut harness, &third, &ticket).code(), 437);
    assert_eq!(refresh_with(&mut harness, &third, &next).code(), 0);
    assert_eq!(harness.refresh(&old, 600).code(), 437, "only the last path before is remembered");
}

#[test]
fn moves_back_to_where_it_came_from() {
    let mut harness = mobile();
    let (old, ticket) = mobile_alice(&mut harness);
    let new = harness.client("alice", "wonderland", 4100);
    let next = ticket_of(&refresh_with(&mut harness, &new, &ticket));
    assert_eq!(harness.refresh(&new, 600).code(), 0);
    assert_eq!(refresh_with(&mut harness, &old, &next).code(), 0);
    assert_eq!(harness.refresh(&old, 600).code(), 0);
    assert_eq!(harness.refresh(&new, 600).code(), 437);
}

#[test]
fn a_ticket_with_lifetime_zero_ends_the_allocation() {
    let mut harness = mobile();
    let (_, ticket) = mobile_alice(&mut harness);
    let new = harness.client("alice", "wonderland", 4100);
    let request =
        new.request(Method::Refresh, 77, |writer| writer.u32(LIFETIME, 0).bytes(MOBILITY_TICKET, &ticket));
    let seen = harness.send(new.path, &request);
    assert_eq!(seen[1], Seen::End(EndReason::Deleted));
    assert_eq!(harness.ask(new.path, &request).lifetime(), 0);
}

// RFC 8016 §3
#[test]
fn an_allocation_outlives_its_connection_if_it_may_move() {
    let mut harness = mobile();
    let mut alice = harness.alice();
    alice.path.transport = Transport::Tcp;
    let ticket = ticket_of(&allocate_mobile(&mut harness, &alice));
    harness.server.client_gone(&alice.path);
    assert_eq!(harness.drain(&[]), [Seen::Left(alice.path.client)]);
    let new = harness.client("alice", "wonderland", 4100);
    assert_eq!(refresh_with(&mut harness, &new, &ticket).code(), 0);
    harness.server.client_gone(&alice.path);
    assert_eq!(harness.drain(&[]), [], "the end of the old path says nothing about the new one");
    assert_eq!(harness.refresh(&new, 600).code(), 0);
}

// RFC 8016 §3.2.2
#[test]
fn moves_to_another_worker_with_permissions_and_channels() {
    let (mut there, mut here) = (mobile(), other_worker());
    here.now = there.now;
    let (old, ticket) = mobile_alice(&mut there);
    assert_eq!(there.bind(&old, 0x4001, "10.0.0.1:5000"), 0);
    let new = here.client("alice", "wonderland", 4100);
    let request = new.request(Method::Refresh, 77, show(&ticket));
    assert_eq!(here.send(new.path, &request), [Seen::TakeOver { worker: 0 }]);
    let take_over = here.take_overs.pop().unwrap();
    let moved = there.server.give_away(&take_over);
    assert_eq!((there.server.allocation_count(), there.server.poll_timeout()), (0, None));
    let id = here.server.take_in(here.now, &take_over, moved).unwrap();
    here.live.push(id);
    let seen = here.drain(&[]);
    let [Seen::Reply(answer)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(answer.code(), 0);

    // The client repeated its request before the answer came.
    let late = there.server.give_away(&take_over);
    assert_eq!(late.as_ref().err(), Some(&MoveRefusal::NoAllocation));
    assert_eq!(here.server.take_in(here.now, &take_over, late), None);
    assert_eq!(here.drain(&[]), seen);

    // The old path's data, which the other worker passes on, is good until the new path is used.
    assert!(matches!(here.send(old.path, &send_indication("10.0.0.1:7", b"hi"))[..], [Seen::ToPeer { .. }]));
    assert_eq!(here.permit(&new, "10.0.0.2:0"), 0);
    assert!(matches!(here.send(old.path, &send_indication("10.0.0.1:7", b"hi"))[..], [Seen::Drop(_)]));
    assert_eq!(here.bind(&new, 0x4001, "10.0.0.1:5000"), 0);
    assert_eq!(here.bind(&new, 0x4002, "10.0.0.1:5000"), 400, "the channel came along");
    // A ticket that names a worker by which it is not there any more.
    let third = there.client("alice", "wonderland", 4300);
    assert_eq!(refresh_with(&mut there, &third, &ticket).code(), 437);
}

#[test]
fn an_allocation_on_its_way_ends_if_its_client_makes_another_one() {
    let (mut there, mut here) = (mobile(), other_worker());
    here.now = there.now;
    let (_, ticket) = mobile_alice(&mut there);
    let new = here.client("alice", "wonderland", 4100);
    here.send(new.path, &new.request(Method::Refresh, 77, show(&ticket)));
    let take_over = here.take_overs.pop().unwrap();
    let answer = here.allocate(&new);
    assert_eq!(answer.address(XOR_MAPPED_ADDRESS), new.path.client);
    assert_eq!(answer.address(XOR_RELAYED_ADDRESS).port(), 50_000);
    let moved = there.server.give_away(&take_over);
    assert_eq!(here.server.take_in(here.now, &take_over, moved), None);
    assert!(matches!(&here.drain(&[])[..], [Seen::Reply(answer)] if answer.code() == 437));
    assert_eq!(here.server.allocation_count(), 1);
}

#[test]
fn allocations_for_tcp_peers_do_not_move() {
    let mut net = mobile();
    let mut alice = net.alice();
    alice.path.transport = Transport::Tcp;
    net.renew_nonce(&mut alice);
    let answer = net.request(&alice, Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[6, 0, 0, 0]).bytes(MOBILITY_TICKET, b"")
    });
    assert_eq!(answer.code(), 405);
}
