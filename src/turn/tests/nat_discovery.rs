//! Binding requests of clients that find out how their NAT behaves (RFC 5780).

use std::net::SocketAddr;

use super::harness::*;
use crate::turn::{FiveTuple, NatDiscovery, Output, Settings, Transport};
use crate::wire::attribute::{
    AttributeType, CHANGE_REQUEST, OTHER_ADDRESS, PADDING, RESPONSE_ORIGIN, RESPONSE_PORT, UNKNOWN_ATTRIBUTES,
};
use crate::wire::{MessageWriter, Method};

fn discovering(change: impl FnOnce(&mut Settings)) -> Harness {
    Harness::with(|settings| {
        let addresses = ["192.0.2.2", "192.0.2.3"].map(|ip| ip.parse().unwrap());
        settings.nat_discovery = Some(NatDiscovery { addresses, ports: [3478, 3479] });
        change(settings);
    })
}

fn path(server: &str) -> FiveTuple {
    FiveTuple {
        transport: Transport::Udp,
        client: "198.51.100.1:4000".parse().unwrap(),
        server: server.parse().unwrap(),
    }
}

/// The answer to a Binding request, and the way that it takes.
fn binding(
    harness: &mut Harness,
    path: FiveTuple,
    write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
) -> (FiveTuple, Answer) {
    harness.server.handle_client(harness.now, path, &unsigned(Method::Binding, write));
    let Some(Output::Reply { to, message, .. }) = harness.server.poll_output() else { panic!("no answer") };
    (to, Answer { bytes: harness.server.scratch(message).to_vec() })
}

fn plain(answer: &Answer, kind: AttributeType) -> SocketAddr {
    let value = answer.message().find(kind).unwrap();
    let ip: [u8; 4] = value[4..].try_into().unwrap();
    (ip, u16::from_be_bytes([value[2], value[3]])).into()
}

// RFC 5780 §6.1, §7.2
#[test]
fn an_answer_comes_from_where_the_client_wants_it() {
    let mut harness = discovering(|_| ());
    for (asked, flags, from, other) in [
        ("192.0.2.2:3478", 0, "192.0.2.2:3478", "192.0.2.3:3479"),
        ("192.0.2.2:3478", 2, "192.0.2.2:3479", "192.0.2.3:3479"),
        ("192.0.2.2:3478", 4, "192.0.2.3:3478", "192.0.2.3:3479"),
        ("192.0.2.2:3478", 6, "192.0.2.3:3479", "192.0.2.3:3479"),
        ("192.0.2.3:3478", 6, "192.0.2.2:3479", "192.0.2.2:3479"),
        ("192.0.2.3:3479", 4, "192.0.2.2:3479", "192.0.2.2:3478"),
    ] {
        let (to, answer) = binding(&mut harness, path(asked), |writer| writer.u32(CHANGE_REQUEST, flags));
        let (from, other): (SocketAddr, SocketAddr) = (from.parse().unwrap(), other.parse().unwrap());
        assert_eq!((answer.code(), to.server, to.client), (0, from, path(asked).client));
        assert_eq!((plain(&answer, RESPONSE_ORIGIN), plain(&answer, OTHER_ADDRESS)), (from, other));
    }
}

// RFC 5780 §7.5, §7.6
#[test]
fn an_answer_goes_to_another_port_or_is_padded_but_not_both() {
    let mut harness = discovering(|_| ());
    let here = path("192.0.2.2:3478");
    let (to, answer) = binding(&mut harness, here, |writer| writer.bytes(RESPONSE_PORT, &[0x1f, 0x90, 0, 0]));
    assert_eq!((to.client.to_string().as_str(), answer.code()), ("198.51.100.1:8080", 0));
    let mapped = answer.address(crate::wire::attribute::XOR_MAPPED_ADDRESS);
    assert_eq!(mapped, here.client, "the address that the request came from");
    let (_, answer) = binding(&mut harness, here, |writer| writer.bytes(PADDING, &[7; 600]));
    assert_eq!(answer.message().find(PADDING), Some(&[0; 600][..]));
    let (to, answer) = binding(&mut harness, here, |writer| {
        writer.bytes(RESPONSE_PORT, &[0x1f, 0x90, 0, 0]).bytes(PADDING, &[7; 600])
    });
    assert_eq!((answer.code(), to), (400, here));
    for (kind, value) in [(CHANGE_REQUEST, &[0; 3][..]), (RESPONSE_PORT, &[1])] {
        assert_eq!(binding(&mut harness, here, |writer| writer.bytes(kind, value)).1.code(), 400);
    }
}

// RFC 5780 §7.2, §7.5, §7.6
#[test]
fn without_two_addresses_and_over_streams_the_attributes_are_unknown() {
    let mut single = Harness::new();
    let mut harness = discovering(|_| ());
    let stream = FiveTuple { transport: Transport::Tcp, ..path("192.0.2.2:3478") };
    let elsewhere = path("192.0.2.9:3478");
    for (harness, path) in
        [(&mut single, path("192.0.2.2:3478")), (&mut discovering(|_| ()), stream), (&mut harness, elsewhere)]
    {
        for kind in [CHANGE_REQUEST, RESPONSE_PORT, PADDING] {
            let (_, answer) = binding(harness, path, |writer| writer.u32(kind, 0));
            assert_eq!(answer.code(), 420);
            assert_eq!(answer.message().find(UNKNOWN_ATTRIBUTES), Some(&kind.0.to_be_bytes()[..]));
        }
        let (_, answer) = binding(harness, path, |writer| writer);
        assert_eq!(answer.message().find(OTHER_ADDRESS), None);
    }
}

#[test]
fn a_forged_source_gets_no_more_of_these_answers_than_of_others() {
    let mut harness = discovering(|settings| settings.bindings_per_second = 1);
    let here = path("192.0.2.2:3478");
    let padded = unsigned(Method::Binding, |writer| writer.bytes(PADDING, &[7; 600]));
    let answers = (0..10).filter(|_| matches!(harness.send(here, &padded)[..], [Seen::Reply(_)])).count();
    assert_eq!(answers, 3);
}

#[test]
fn clients_are_told_the_public_addresses() {
    let mut harness = discovering(|settings| {
        let pairs = [("203.0.113.2", "192.0.2.2"), ("203.0.113.3", "192.0.2.3")];
        for (public, private) in pairs {
            settings.external_addresses.add(public.parse().unwrap(), Some(private.parse().unwrap()));
        }
    });
    let (to, answer) = binding(&mut harness, path("192.0.2.2:3478"), |writer| writer);
    assert_eq!(to.server, "192.0.2.2:3478".parse::<SocketAddr>().unwrap());
    assert_eq!(plain(&answer, RESPONSE_ORIGIN), "203.0.113.2:3478".parse::<SocketAddr>().unwrap());
    assert_eq!(plain(&answer, OTHER_ADDRESS), "203.0.113.3:3479".parse::<SocketAddr>().unwrap());
}
