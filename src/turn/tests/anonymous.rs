//! Clients without credentials, at the listeners that ask for none.

use std::net::SocketAddr;

use super::harness::*;
use crate::turn::peer_policy::{ALL_PORTS, OwnListener, PeerPolicy, PeerRule};
use crate::turn::{AnonymousListeners, DropReason, EndReason, FiveTuple, RelayRefusal, Settings, Transport};
use crate::wire::attribute::{
    CONNECTION_ID, LIFETIME, MESSAGE_INTEGRITY, MOBILITY_TICKET, NONCE, REQUESTED_TRANSPORT, USERNAME,
    XOR_PEER_ADDRESS,
};
use crate::wire::{Class, MessageWriter, Method, TransactionId};

/// A harness that asks for no credentials on port 3479, where 10.0.0.7 is the only peer, and on port 3480 for streams.
fn open() -> Harness {
    open_with(|_| ())
}

fn open_with(change: impl FnOnce(&mut Settings)) -> Harness {
    Harness::with(|settings| {
        settings.anonymous_listeners = AnonymousListeners {
            datagrams: vec![([0, 0, 0, 0], 3479).into()],
            streams: vec![([192, 0, 2, 2], 3480).into()],
        };
        settings.peer_policy.add_backend(backend());
        change(settings);
    })
}

fn backend() -> PeerRule {
    PeerRule { network: "10.0.0.7/32".parse().unwrap(), ports: 5000..=5999 }
}

/// A client at an open listener.
fn path(port: u16) -> FiveTuple {
    FiveTuple {
        transport: Transport::Udp,
        client: ([192, 0, 2, 1], port).into(),
        server: ([192, 0, 2, 2], 3479).into(),
    }
}

/// What happens upon a request without credentials.
fn send(
    net: &mut Harness,
    path: FiveTuple,
    method: Method,
    transaction: u8,
    write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
) -> Vec<Seen> {
    let mut bytes = Vec::new();
    write(MessageWriter::begin(&mut bytes, method, Class::Request, TransactionId([transaction; 12])));
    net.send(path, &bytes)
}

/// Its answer, which nobody signs.
fn ask(
    net: &mut Harness,
    path: FiveTuple,
    method: Method,
    write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
) -> Answer {
    let answers: Vec<Answer> = send(net, path, method, 1, write).into_iter().filter_map(answer_of).collect();
    let [answer] = answers.try_into().expect("one answer");
    for kind in [MESSAGE_INTEGRITY, NONCE, USERNAME] {
        assert!(answer.message().find(kind).is_none());
    }
    answer
}

fn udp(writer: MessageWriter<'_>) -> MessageWriter<'_> {
    writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0])
}

fn peer(address: &str) -> impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_> {
    let address: SocketAddr = address.parse().unwrap();
    move |writer| writer.address(XOR_PEER_ADDRESS, address)
}

fn allocate(net: &mut Harness, path: FiveTuple) -> u16 {
    ask(net, path, Method::Allocate, udp).code()
}

fn permit(net: &mut Harness, path: FiveTuple, address: &str) -> u16 {
    ask(net, path, Method::CreatePermission, peer(address)).code()
}

fn bind(net: &mut Harness, path: FiveTuple, number: u16, address: &str) -> u16 {
    ask(net, path, Method::ChannelBind, channel_bind(number, address)).code()
}

/// Alice, who has her nonce, at an open listener.
fn alice_at(net: &mut Harness, path: FiveTuple) -> Client {
    let mut alice = net.alice();
    alice.path = FiveTuple { server: ([192, 0, 2, 2], 3478).into(), ..path };
    net.renew_nonce(&mut alice);
    alice.path = path;
    alice
}

#[test]
fn every_method_is_carried_out_without_credentials() {
    let mut net = open();
    let seen = send(&mut net, path(4000), Method::Allocate, 1, udp);
    assert!(matches!(&seen[0], Seen::Begin { username, .. } if username == "anonymous"), "{seen:?}");
    assert_eq!(permit(&mut net, path(4000), "10.0.0.7:1"), 0);
    assert_eq!(bind(&mut net, path(4000), 0x4000, "10.0.0.7:5000"), 0);
    let seen = net.send(path(4000), &send_indication("10.0.0.7:5001", b"hello"));
    assert!(matches!(&seen[..], [Seen::ToPeer { .. }]), "{seen:?}");
    let seen = net.peer_sends("10.0.0.7:5001".parse().unwrap(), 5);
    assert!(matches!(&seen[..], [Seen::Indicate { .. }]), "{seen:?}");
    assert_eq!(ask(&mut net, path(4000), Method::Refresh, |writer| writer).lifetime(), 600);
    let seen = send(&mut net, path(4000), Method::Refresh, 2, |writer| writer.u32(LIFETIME, 0));
    assert!(seen.contains(&Seen::End(EndReason::Deleted)), "{seen:?}");
}

#[test]
fn without_an_allocation_it_is_437_and_a_retransmission_is_answered_alike() {
    let mut net = open();
    for method in [Method::Refresh, Method::CreatePermission, Method::ChannelBind, Method::Connect] {
        assert_eq!(ask(&mut net, path(4000), method, peer("10.0.0.7:5000")).code(), 437);
    }
    assert_eq!(allocate(&mut net, path(4000)), 0);
    assert_eq!(allocate(&mut net, path(4000)), 0, "the same transaction");
    let other = send(&mut net, path(4000), Method::Allocate, 2, udp).into_iter().find_map(answer_of);
    assert_eq!(other.unwrap().code(), 437);
    assert_eq!(net.server.allocation_count(), 1);
}

#[test]
fn other_listeners_go_on_asking() {
    let mut net = open();
    for path in [
        FiveTuple { server: ([192, 0, 2, 2], 3478).into(), ..path(4000) },
        FiveTuple { transport: Transport::Tcp, ..path(4000) },
        FiveTuple { server: ([192, 0, 2, 2], 3480).into(), ..path(4000) },
    ] {
        let answer = net.ask(path, &unsigned(Method::Allocate, udp));
        assert_eq!(answer.code(), 401, "{path:?}");
    }
    let stream = FiveTuple { transport: Transport::Tls, server: ([192, 0, 2, 2], 3480).into(), ..path(4000) };
    assert_eq!(allocate(&mut net, stream), 0);
}

#[test]
fn peers_outside_of_the_backends_are_403() {
    let mut net = open();
    assert_eq!(allocate(&mut net, path(4000)), 0);
    for address in ["10.0.0.8:5000", "8.8.8.8:5000", "192.168.0.1:5000"] {
        assert_eq!(permit(&mut net, path(4000), address), 403, "{address}");
        assert_eq!(bind(&mut net, path(4000), 0x4000, address), 403, "{address}");
    }
    assert_eq!(bind(&mut net, path(4000), 0x4000, "10.0.0.7:6000"), 403);
    assert_eq!(permit(&mut net, path(4000), "10.0.0.7:6000"), 0, "a permission is for all ports");
    let seen = net.send(path(4000), &send_indication("10.0.0.7:6000", b"hello"));
    assert_eq!(seen, [Seen::Drop(DropReason::PeerForbidden)]);
    assert_eq!(net.peer_sends("10.0.0.7:6000".parse().unwrap(), 5), [Seen::Drop(DropReason::PeerForbidden)]);
    let alice = net.allocated_alice();
    assert_eq!(net.permit(&alice, "10.0.0.8:5000"), 0, "users are not bound to them");
}

#[test]
fn backends_are_no_way_around_the_peer_policy() {
    let mut net = open_with(|settings| {
        for network in ["192.168.0.0/16", "10.0.0.9/32"] {
            settings
                .peer_policy
                .add_backend(PeerRule { network: network.parse().unwrap(), ports: ALL_PORTS });
        }
        settings.peer_policy.add_own_listener("10.0.0.9:3478".parse().unwrap(), OwnListener::Datagrams);
    });
    assert_eq!(allocate(&mut net, path(4000)), 0);
    assert_eq!(permit(&mut net, path(4000), "192.168.0.1:5000"), 403, "private and not allowed");
    assert_eq!(bind(&mut net, path(4000), 0x4000, "10.0.0.9:3478"), 403, "a listener of ours");
    assert_eq!(bind(&mut net, path(4000), 0x4000, "10.0.0.9:3479"), 0);
}

#[test]
fn another_policy_ends_what_is_no_backend_any_more() {
    let mut net = open();
    assert_eq!(allocate(&mut net, path(4000)), 0);
    assert_eq!(bind(&mut net, path(4000), 0x4000, "10.0.0.7:5000"), 0);
    let mut policy = PeerPolicy::default();
    policy.allow(PeerRule { network: "10.0.0.0/8".parse().unwrap(), ports: ALL_PORTS });
    policy.add_backend(PeerRule { network: "10.0.0.8/32".parse().unwrap(), ports: ALL_PORTS });
    assert_eq!(net.set_peer_policy(policy), [Seen::CloseRoute(0x4000)]);
    assert_eq!(permit(&mut net, path(4000), "10.0.0.7:5000"), 403);
    assert_eq!(permit(&mut net, path(4000), "10.0.0.8:5000"), 0);
}

#[test]
fn users_and_clients_without_credentials_do_not_touch_each_other() {
    let mut net = open();
    let alice = alice_at(&mut net, path(4000));
    assert_eq!(net.allocate(&alice).code(), 0, "credentials are accepted here too");
    assert_eq!(net.permit(&alice, "10.0.0.8:5000"), 0, "and are worth what they are elsewhere");
    assert_eq!(ask(&mut net, path(4000), Method::Refresh, |writer| writer.u32(LIFETIME, 0)).code(), 441);
    assert_eq!(permit(&mut net, path(4000), "10.0.0.7:5000"), 441);
    assert_eq!(bind(&mut net, path(4000), 0x4000, "10.0.0.7:5000"), 441);
    assert_eq!(allocate(&mut net, path(4000)), 437);

    assert_eq!(allocate(&mut net, path(4001)), 0);
    let alice = alice_at(&mut net, path(4001));
    assert_eq!(net.refresh(&alice, 0).code(), 441);
    assert_eq!(net.permit(&alice, "10.0.0.7:5000"), 441);
    assert_eq!(net.allocate(&alice).code(), 437);
    assert_eq!(net.server.allocation_count(), 2);
}

#[test]
fn a_user_who_is_called_anonymous_is_somebody_else() {
    let mut net = open_with(|settings| {
        settings.credentials.add_user("anonymous", crate::secret::Secret::new("password"));
    });
    let mut user = net.client("anonymous", "password", 4000);
    user.path = path(4000);
    assert_eq!(allocate(&mut net, path(4000)), 0);
    assert_eq!(net.refresh(&user, 0).code(), 441);
    assert_eq!(net.permit(&user, "10.0.0.7:5000"), 441);
}

#[test]
fn a_wrong_password_is_401_here_too() {
    let mut net = open();
    let mut mallory = alice_at(&mut net, path(4000));
    mallory.password = "looking-glass".into();
    assert_eq!(net.allocate(&mallory).code(), 401);
}

#[test]
fn answers_are_no_better_to_a_forger_than_those_to_strangers() {
    let mut net = open_with(|settings| settings.unauthenticated_per_second = 10);
    let forged = |port: u16| path(5000 + port);
    let seen: Vec<Seen> =
        (0..100).flat_map(|port| send(&mut net, forged(port), Method::Allocate, 1, udp)).collect();
    assert_eq!(net.server.allocation_count(), 30);
    assert_eq!(seen.iter().filter(|seen| **seen == Seen::Drop(DropReason::RateLimited)).count(), 70);
    // Neither errors nor repeated Allocates evade the limit.
    for method in [Method::Allocate, Method::Refresh, Method::CreatePermission] {
        assert_eq!(send(&mut net, forged(99), method, 1, udp), [Seen::Drop(DropReason::RateLimited)]);
    }
    assert_eq!(send(&mut net, forged(0), Method::Allocate, 1, udp), [Seen::Drop(DropReason::RateLimited)]);
    // But nobody loses an allocation by such a flood.
    assert_eq!(ask(&mut net, forged(0), Method::Refresh, |writer| writer).code(), 0);
    assert_eq!(bind(&mut net, forged(0), 0x4000, "10.0.0.7:5000"), 0);
    assert_eq!(permit(&mut net, forged(0), "10.0.0.8:5000"), 403);
}

#[test]
fn on_the_path_of_a_user_a_forger_is_a_stranger() {
    let mut net = open_with(|settings| settings.unauthenticated_per_second = 10);
    let alice = alice_at(&mut net, path(4000));
    assert_eq!(net.allocate(&alice).code(), 0);
    let seen: Vec<Seen> =
        (0..100).flat_map(|_| send(&mut net, path(4000), Method::Refresh, 1, |writer| writer)).collect();
    assert_eq!(seen.into_iter().filter_map(answer_of).count(), 28, "two went to alice's nonces");
    assert_eq!(net.refresh(&alice, 600).code(), 0);
}

#[test]
fn what_the_driver_refuses_is_told() {
    let mut net = open();
    for (refusal, code) in [(RelayRefusal::AnonymousSourceQuota, 486), (RelayRefusal::AnonymousCapacity, 508)]
    {
        net.refused.v4 = Some(refusal);
        assert_eq!(allocate(&mut net, path(4000)), code);
    }
}

// RFC 8016 §3.1.2, §3.2.2
#[test]
fn an_allocation_without_credentials_does_not_move() {
    let mut net = open_with(|settings| settings.mobility = true);
    fn mobile(writer: MessageWriter<'_>) -> MessageWriter<'_> {
        udp(writer).bytes(MOBILITY_TICKET, b"")
    }
    assert_eq!(ask(&mut net, path(4000), Method::Allocate, mobile).code(), 405);
    let alice = alice_at(&mut net, path(4001));
    let answer = net.request(&alice, Method::Allocate, mobile);
    let ticket = answer.message().find(MOBILITY_TICKET).unwrap().to_vec();
    let stolen = ask(&mut net, path(4002), Method::Refresh, |writer| writer.bytes(MOBILITY_TICKET, &ticket));
    assert_eq!(stolen.code(), 405);
}

// RFC 6062 §5.1, §5.2, §5.4
#[test]
fn peers_are_reached_over_udp_alone() {
    let mut net = open();
    let stream = FiveTuple { transport: Transport::Tcp, server: ([192, 0, 2, 2], 3480).into(), ..path(4000) };
    let answer =
        ask(&mut net, stream, Method::Allocate, |writer| writer.bytes(REQUESTED_TRANSPORT, &[6, 0, 0, 0]));
    assert_eq!(answer.code(), 442);

    // Nor is a connection of a user's bound by who only knows its number.
    let alice = alice_at(&mut net, FiveTuple { client: ([192, 0, 2, 1], 4001).into(), ..stream });
    let allocated =
        net.request(&alice, Method::Allocate, |writer| writer.bytes(REQUESTED_TRANSPORT, &[6, 0, 0, 0]));
    assert_eq!(allocated.code(), 0);
    let connect = alice.request(Method::Connect, 9, peer("10.0.0.8:5000"));
    let seen = net.send(alice.path, &connect);
    let [Seen::Dial(connection, _)] = seen[..] else { panic!("{seen:?}") };
    net.server.dialed(net.now, connection, true);
    net.drain(&[]);
    let answer =
        ask(&mut net, stream, Method::ConnectionBind, |writer| writer.u32(CONNECTION_ID, connection.0));
    assert_eq!(answer.code(), 400);
}

#[test]
fn clients_without_credentials_are_not_sent_to_other_servers() {
    let mut net = open_with(|settings| settings.redirect = crate::turn::Redirect::Always);
    net.server.set_alternates(vec!["203.0.113.8:3478".parse().unwrap()]);
    assert_eq!(allocate(&mut net, path(4000)), 0);
    net.refused.v4 = Some(RelayRefusal::NoPortLeft);
    assert_eq!(allocate(&mut net, path(4001)), 508);
}

#[test]
fn each_source_is_an_account_of_its_own() {
    let mut net = open();
    let mut account = |client: &str| {
        let path = FiveTuple { client: client.parse().unwrap(), ..path(4000) };
        net.server.handle_client(net.now, path, &unsigned(Method::Allocate, udp));
        let Some(crate::turn::Output::OpenRelay(open)) = net.server.poll_output() else { panic!() };
        assert!(open.is_anonymous());
        open.account().into_owned()
    };
    assert_eq!(account("192.0.2.1:4000"), account("192.0.2.1:4001"));
    assert_ne!(account("192.0.2.1:4000"), account("192.0.2.2:4000"));
    assert_ne!(account("192.0.2.1:4000"), b"192.0.2.1");
}
