//! Allocations that belong to sessions of the gateway.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, channel};

use turnpike::relay::{
    AllocationTag, Claim, ClaimsHandle, Count, Partners, Relay, SessionEvent, SessionEvents, SessionTag,
};
use turnpike::telemetry::Metrics;
use turnpike::wire::Method;

use crate::mobility::{allocate_mobile, show, ticket_of};
use crate::support::*;

/// A relay, and what it tells of sessions.
struct Claiming {
    relay: Relay,
    claims: ClaimsHandle,
    metrics: Metrics,
    events: Receiver<SessionEvent>,
}

fn claiming() -> Claiming {
    let settings = settings(&CONFIG.replace("workers = 2", "workers = 4\nmobility = true"));
    let (sender, events) = channel();
    let sessions = SessionEvents::new(move |event| sender.send(event).unwrap());
    let partners = Partners { sessions: Some(sessions), ..Partners::default() };
    let metrics = Metrics::new();
    let relay = Relay::start(&settings.relay, &settings.turn, &metrics, partners, || ()).unwrap();
    let claims = relay.claims_handle();
    Claiming { relay, claims, metrics, events }
}

impl Claiming {
    fn client(&self) -> Client {
        Client::new(self.relay.local_addrs()[0])
    }

    fn next(&self) -> SessionEvent {
        self.events.recv_timeout(DEADLINE).expect("an event within five seconds")
    }

    /// Once a claim was proven, and judged with that; the allocation that it was for.
    fn assert_claimed(&self, session: &str) -> AllocationTag {
        let event = self.next();
        let SessionEvent::Claimed(claimed, allocation) = event else { panic!("{event:?}") };
        assert_eq!(claimed, tag(session));
        self.assert_judged(session);
        allocation
    }

    fn assert_judged(&self, session: &str) {
        assert_eq!(self.next(), SessionEvent::Judged(tag(session)));
    }

    fn assert_ended(&self, session: &str) {
        let event = self.next();
        assert!(matches!(&event, SessionEvent::Ended(ended, _) if *ended == tag(session)), "{event:?}");
    }

    fn counted(&self, result: &str) -> bool {
        let text = self.metrics.exposition().unwrap();
        text.lines()
            .any(|line| line == format!("turnpike_turn_allocation_claims_total{{result=\"{result}\"}} 1"))
    }
}

#[test]
fn a_session_has_its_allocations_until_they_end() {
    let relay = claiming();
    let (mut first, mut second) = (relay.client(), relay.client());
    for client in [&mut first, &mut second] {
        let relayed = client.allocated();
        assert!(relay.claims.present(claim("one", relayed, LOOPBACK)));
        relay.assert_claimed("one");
    }

    assert_eq!(first.delete(), 0);
    relay.assert_ended("one");
    relay.claims.end(&tag("another"));
    relay.claims.end(&tag("one"));
    relay.assert_ended("one");

    let refreshed = second.request(Method::Refresh, |writer| writer);
    assert_eq!(code(&refreshed), 437, "it has no allocation any more");
    let text = relay.metrics.exposition().unwrap();
    assert!(text.contains("turnpike_turn_allocations_ended_total{reason=\"session_ended\"} 1\n"), "{text}");
}

#[test]
fn a_session_is_told_every_byte_that_was_relayed_for_it() {
    let relay = claiming();
    let mut client = relay.client();
    let (relayed, peer) = (client.allocated(), socket());
    relay.claims.present(claim("one", relayed, LOOPBACK));
    relay.assert_claimed("one");
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);

    let mut rounds = 0;
    // Until something is told while the session lives.
    let told = loop {
        client.send_on_channel(0x4000, b"hello");
        receive(&peer);
        peer.send_to(b"wide world", relayed).unwrap();
        receive(&client.socket);
        rounds += 1;
        if let Ok(event) = relay.events.try_recv() {
            let SessionEvent::Relayed(_, traffic) = event else { panic!("{event:?}") };
            break traffic;
        }
    };
    assert_eq!(client.delete(), 0);
    let event = relay.next();
    let SessionEvent::Ended(_, last) = event else { panic!("{event:?}") };

    assert_eq!(last.client.client, client.socket.local_addr().unwrap());
    let sum = |told: Count, last: Count| Count {
        packets: told.packets + last.packets,
        bytes: told.bytes + last.bytes,
    };
    assert_eq!(sum(told.to_peer, last.untold.to_peer), Count { packets: rounds, bytes: 5 * rounds });
    assert_eq!(sum(told.to_client, last.untold.to_client), Count { packets: rounds, bytes: 10 * rounds });
}

#[test]
fn a_claim_needs_a_proof_and_the_first_one_wins() {
    let relay = claiming();
    let mut client = relay.client();
    let relayed = client.allocated();
    let elsewhere = IpAddr::from([198, 51, 100, 7]);

    assert!(relay.claims.present(claim("thief", relayed, elsewhere)));
    relay.assert_judged("thief");
    assert!(relay.counted("not_proven"));
    let related = Some(client.socket.local_addr().unwrap());
    assert!(relay.claims.present(Claim { related, ..claim("owner", relayed, elsewhere) }));
    relay.assert_claimed("owner");
    assert!(relay.claims.present(claim("late", relayed, LOOPBACK)));
    relay.assert_judged("late");
    assert!(relay.counted("taken"));

    let Claiming { relay, events, .. } = relay;
    relay.stop();
    assert!(matches!(events.recv().unwrap(), SessionEvent::Ended(session, _) if session == tag("owner")));
}

#[test]
fn what_is_none_of_our_addresses_is_nobodys() {
    let relay = claiming();
    let relayed = relay.client().allocated();
    let free =
        SocketAddr::new(relayed.ip(), if relayed.port() == 65_535 { 65_534 } else { relayed.port() + 1 });

    assert!(!relay.claims.present(claim("one", "192.0.2.1:50000".parse().unwrap(), LOOPBACK)));
    assert!(!relay.claims.present(claim("one", free, LOOPBACK)));
}

#[test]
fn an_allocation_stays_its_sessions_wherever_its_client_goes() {
    let relay = claiming();
    let mut client = relay.client();
    let (relayed, mut ticket) = allocate_mobile(&mut client);
    relay.claims.present(claim("one", relayed, LOOPBACK));
    let allocation = relay.assert_claimed("one");
    for _ in 0..12 {
        client = relay.client();
        ticket = ticket_of(&show(&mut client, &ticket));
    }

    relay.claims.end(&tag("one"));

    let event = relay.next();
    let SessionEvent::Ended(session, report) = event else { panic!("{event:?}") };
    assert_eq!((session, report.allocation), (tag("one"), allocation), "on whichever worker it is now");
    assert_eq!(code(&client.request(Method::Refresh, |writer| writer)), 437);
}

fn claim(session: &str, relayed: SocketAddr, claimed_from: IpAddr) -> Claim {
    Claim { session: tag(session), relayed, related: None, claimed_from, client: "app".into(), user: None }
}

fn tag(session: &str) -> SessionTag {
    SessionTag(session.into())
}

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
