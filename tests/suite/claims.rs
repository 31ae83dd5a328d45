//! Allocations that belong to sessions of the gateway.

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::{Receiver, channel};

use turnpike::relay::{Claim, ClaimsHandle, Partners, Relay, SessionEvent, SessionEvents, SessionTag};
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
        assert_eq!(relay.next(), SessionEvent::Claimed(tag("one")));
    }

    assert_eq!(first.delete(), 0);
    assert_eq!(relay.next(), SessionEvent::Ended(tag("one")));
    relay.claims.end(&tag("another"));
    relay.claims.end(&tag("one"));
    assert_eq!(relay.next(), SessionEvent::Ended(tag("one")));

    let refreshed = second.request(Method::Refresh, |writer| writer);
    assert_eq!(code(&refreshed), 437, "it has no allocation any more");
    let text = relay.metrics.exposition().unwrap();
    assert!(text.contains("turnpike_turn_allocations_ended_total{reason=\"session_ended\"} 1\n"), "{text}");
}

#[test]
fn a_claim_needs_a_proof_and_the_first_one_wins() {
    let relay = claiming();
    let mut client = relay.client();
    let relayed = client.allocated();
    let elsewhere = IpAddr::from([198, 51, 100, 7]);

    assert!(relay.claims.present(claim("thief", relayed, elsewhere)));
    eventually(|| relay.counted("not_proven"));
    let related = Some(client.socket.local_addr().unwrap());
    assert!(relay.claims.present(Claim { related, ..claim("owner", relayed, elsewhere) }));
    assert_eq!(relay.next(), SessionEvent::Claimed(tag("owner")));
    assert!(relay.claims.present(claim("late", relayed, LOOPBACK)));
    eventually(|| relay.counted("taken"));

    relay.relay.stop();
    assert_eq!(relay.events.recv().unwrap(), SessionEvent::Ended(tag("owner")));
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
    assert_eq!(relay.next(), SessionEvent::Claimed(tag("one")));
    for _ in 0..12 {
        client = relay.client();
        ticket = ticket_of(&show(&mut client, &ticket));
    }

    relay.claims.end(&tag("one"));

    assert_eq!(relay.next(), SessionEvent::Ended(tag("one")));
    assert_eq!(code(&client.request(Method::Refresh, |writer| writer)), 437);
}

fn claim(session: &str, relayed: SocketAddr, claimed_from: IpAddr) -> Claim {
    Claim { session: tag(session), relayed, related: None, claimed_from }
}

fn tag(session: &str) -> SessionTag {
    SessionTag(session.into())
}

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
