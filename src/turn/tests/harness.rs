//! A server, a clock that stands still until it is moved, and clients that speak bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) use super::answer::Answer;
use crate::secret::Secret;
use crate::turn::peer_policy::{PeerPolicy, PeerRule};
use crate::turn::{
    AllocationId, AuthFailure, ConnectionId, DropReason, EndReason, FiveTuple, HookAnswer, NonceKeys, Now,
    OpenRelay, OpenedRelay, Output, PerFamily, RelayPort, RelayRefusal, RelayTransport, RelayWish,
    ReservationToken, Server, Settings, StrangerLimit, TakeOver, Transport, Undecided,
};
use crate::wire::attribute;
use crate::wire::{AddressFamily, Class, Key, MessageWriter, Method, TransactionId};

/// Some moment that every test may start from.
#[expect(
    clippy::disallowed_methods,
    reason = "an Instant can be had from the clock only; nothing measures by it"
)]
pub(in crate::turn) fn start() -> Instant {
    Instant::now()
}

/// What the server did, in a form that tests compare.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Reply(Answer),
    Indicate { to: SocketAddr, head: Vec<u8> },
    ToPeer { peer: SocketAddr, payload: Vec<u8>, may_fragment: bool },
    Begin { relayed: PerFamily<Option<SocketAddr>>, username: String },
    End(EndReason),
    EndFamily(AddressFamily),
    Notify { to: SocketAddr, bytes: Vec<u8> },
    OpenRoute(u16, SocketAddr),
    CloseRoute(u16),
    Dial(ConnectionId, SocketAddr),
    Bind(ConnectionId),
    Close(ConnectionId),
    Moved { to: SocketAddr },
    Left(SocketAddr),
    TakeOver { worker: u16 },
    Ask(String),
    Drop(DropReason),
}

/// A client with its address, its credentials and the nonce that it was given last.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) path: FiveTuple,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) realm: String,
    pub(super) nonce: Vec<u8>,
}

impl Client {
    pub(super) fn key(&self) -> Key {
        Key::long_term(self.username.as_bytes(), &self.realm, &self.password)
    }

    /// A signed request.
    pub(super) fn request(
        &self,
        method: Method,
        transaction: u8,
        write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
    ) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(MessageWriter::begin(&mut bytes, method, Class::Request, TransactionId([transaction; 12])))
            .bytes(attribute::USERNAME, self.username.as_bytes())
            .bytes(attribute::REALM, self.realm.as_bytes())
            .bytes(attribute::NONCE, &self.nonce)
            .sign(&self.key());
        bytes
    }
}

pub(super) struct Harness {
    pub(super) server: Server,
    pub(super) now: Now,
    /// What the next relay sockets of each family are refused with.
    pub(super) refused: PerFamily<Option<RelayRefusal>>,
    /// The allocations that there are, in the order of their beginning.
    pub(super) live: Vec<AllocationId>,
    /// What relayed address was asked for last.
    pub(super) asked: Option<RelayWish>,
    /// How its peers were to be reached.
    pub(super) asked_transport: Option<RelayTransport>,
    /// What another worker's server is to give away.
    pub(super) take_overs: Vec<TakeOver>,
    /// The requests of users whom somebody else is asked about.
    pub(super) undecided: Vec<Undecided>,
    /// What was wrong with the credentials of the request that was answered last.
    pub(super) auth_failure: Option<AuthFailure>,
    next_port: u16,
    next_transaction: u8,
}

/// The token of every reservation.
pub(super) const RESERVATION: ReservationToken = ReservationToken([7; 8]);

/// The address that a relay socket is bound to.
pub(super) fn relay_address(family: AddressFamily, port: u16) -> SocketAddr {
    match family {
        AddressFamily::Ipv4 => SocketAddr::from(([192, 0, 2, 2], port)),
        AddressFamily::Ipv6 => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2], port)),
    }
}

pub(super) const REALM: &str = "example.org";

impl Harness {
    pub(super) fn new() -> Self {
        Self::with(|_| ())
    }

    /// A harness whose server has settings changed by `change`; `alice` and `bob` may allocate, and 10.0.0.0/8 and
    /// fd00::/8 are peers.
    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let nonce_keys = NonceKeys { issuing: [7; 32], previous: None };
        let mut settings = Settings {
            realm: REALM.into(),
            nonce_keys,
            // Most tests ask a lot within no time.
            unauthenticated_per_second: 0,
            bindings_per_second: 0,
            ..Settings::default()
        };
        settings.credentials.add_user("alice", Secret::new("wonderland"));
        settings.credentials.add_user("bob", Secret::new("builder"));
        settings.credentials.add_secret(Secret::new("north"));
        for network in ["10.0.0.0/8", "fd00::/8"] {
            settings.peer_policy.allow(PeerRule { network: network.parse().unwrap(), ports: 0..=65535 });
        }
        change(&mut settings);
        let stranger_limit = Arc::new(StrangerLimit::new(&settings, 5));
        Self {
            server: Server::new(settings, [3; 32], stranger_limit),
            now: Now { instant: start(), unix_seconds: 1_800_000_000 },
            refused: PerFamily::default(),
            live: Vec::new(),
            asked: None,
            asked_transport: None,
            take_overs: Vec::new(),
            undecided: Vec::new(),
            auth_failure: None,
            next_port: 50_000,
            next_transaction: 0,
        }
    }

    /// Moves the clock, letting the server act at each of its deadlines on the way.
    pub(super) fn advance(&mut self, by: Duration) -> Vec<Seen> {
        let target =
            Now { instant: self.now.instant + by, unix_seconds: self.now.unix_seconds + by.as_secs() };
        let mut seen = Vec::new();
        while let Some(deadline) = self.server.poll_timeout().filter(|&deadline| deadline <= target.instant) {
            self.now.instant = deadline.max(self.now.instant);
            self.server.handle_timeout(self.now);
            seen.extend(self.drain(&[]));
        }
        self.now = target;
        seen
    }

    pub(super) fn seconds(&mut self, seconds: u64) -> Vec<Seen> {
        self.advance(Duration::from_secs(seconds))
    }

    pub(super) fn send(&mut self, path: FiveTuple, datagram: &[u8]) -> Vec<Seen> {
        self.server.handle_client(self.now, path, datagram);
        self.drain(datagram)
    }

    /// Sends a datagram that is answered, and nothing else happens.
    pub(super) fn ask(&mut self, path: FiveTuple, datagram: &[u8]) -> Answer {
        let mut seen = self.send(path, datagram);
        assert_eq!(seen.len(), 1, "{seen:?}");
        match seen.pop() {
            Some(Seen::Reply(answer)) => answer,
            other => panic!("no answer but {other:?}"),
        }
    }

    /// Tells the server who the user of the oldest undecided request is.
    pub(super) fn decide(&mut self, answer: &HookAnswer) -> Vec<Seen> {
        let undecided = self.undecided.remove(0);
        self.server.decided(self.now, &undecided, answer);
        self.drain(&[])
    }

    pub(super) fn set_peer_policy(&mut self, policy: PeerPolicy) -> Vec<Seen> {
        self.server.set_peer_policy(self.now, policy);
        self.drain(&[])
    }

    pub(super) fn peer_sends(&mut self, peer: SocketAddr, payload_len: u16) -> Vec<Seen> {
        self.server.handle_peer(self.now, self.live[0], peer, payload_len);
        self.drain(&[])
    }

    /// A client at this port that knows a fresh nonce.
    pub(super) fn client(&mut self, username: &str, password: &str, port: u16) -> Client {
        let mut client = Client {
            path: FiveTuple {
                transport: Transport::Udp,
                client: ([192, 0, 2, 1], port).into(),
                server: ([192, 0, 2, 2], 3478).into(),
            },
            username: username.into(),
            password: password.into(),
            realm: REALM.into(),
            nonce: Vec::new(),
        };
        self.renew_nonce(&mut client);
        client
    }

    pub(super) fn alice(&mut self) -> Client {
        self.client("alice", "wonderland", 4000)
    }

    /// Alice, with an allocation.
    pub(super) fn allocated_alice(&mut self) -> Client {
        let alice = self.alice();
        assert_eq!(self.allocate(&alice).code(), 0);
        alice
    }

    pub(super) fn renew_nonce(&mut self, client: &mut Client) {
        let challenge = self.ask(client.path, &unsigned(Method::Allocate, |writer| writer));
        client.nonce = challenge.message().find(attribute::NONCE).unwrap().to_vec();
    }

    /// Sends a request of a transaction of its own and returns its answer; what else happens is left out.
    pub(super) fn request(
        &mut self,
        client: &Client,
        method: Method,
        write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
    ) -> Answer {
        self.next_transaction = self.next_transaction.wrapping_add(1);
        let datagram = client.request(method, self.next_transaction, write);
        let answers: Vec<Answer> =
            self.send(client.path, &datagram).into_iter().filter_map(answer_of).collect();
        let [answer] = answers.try_into().expect("one answer");
        answer
    }

    pub(super) fn allocate(&mut self, client: &Client) -> Answer {
        self.request(client, Method::Allocate, |writer| {
            writer.bytes(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0])
        })
    }

    pub(super) fn refresh(&mut self, client: &Client, lifetime: u32) -> Answer {
        self.request(client, Method::Refresh, |writer| writer.u32(attribute::LIFETIME, lifetime))
    }

    pub(super) fn permit(&mut self, client: &Client, peer: &str) -> u16 {
        let peer = peer.parse().unwrap();
        self.request(client, Method::CreatePermission, |writer| {
            writer.address(attribute::XOR_PEER_ADDRESS, peer)
        })
        .code()
    }

    pub(super) fn bind(&mut self, client: &Client, number: u16, peer: &str) -> u16 {
        let request = channel_bind(number, peer);
        self.request(client, Method::ChannelBind, request).code()
    }

    pub(super) fn drain(&mut self, datagram: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some(output) = self.server.poll_output() {
            if let Output::OpenRelay(open) = output {
                self.open_relay(open);
            } else {
                seen.push(self.see(output, datagram));
            }
        }
        seen
    }

    fn open_relay(&mut self, open: OpenRelay) {
        self.asked = Some(open.wish);
        self.asked_transport = Some(open.transport);
        let opened = self.open(open.wish);
        self.server.relay_opened(self.now, open, opened);
    }

    /// Opens what is wished, as far as `refused` lets it.
    fn open(&mut self, wish: RelayWish) -> Result<OpenedRelay, RelayRefusal> {
        let mut local = PerFamily::default();
        let mut missing = None;
        let (families, reservation) = match wish {
            RelayWish::Single { family, port } => {
                (vec![family], (port == RelayPort::EvenWithNext).then_some(RESERVATION))
            }
            RelayWish::Dual => (vec![AddressFamily::Ipv4, AddressFamily::Ipv6], None),
            RelayWish::Reserved(RESERVATION) => (vec![AddressFamily::Ipv4], None),
            RelayWish::Reserved(_) => return Err(RelayRefusal::NoSuchReservation),
        };
        for family in families {
            match *self.refused.get(family) {
                Some(refusal) => missing = Some((family, refusal)),
                None => *local.get_mut(family) = Some(relay_address(family, self.next_port)),
            }
            self.next_port += 1;
        }
        match missing {
            Some((_, refusal)) if local.is_empty() => Err(refusal),
            _ => Ok(OpenedRelay { local, missing, reservation }),
        }
    }

    fn see(&mut self, output: Output, datagram: &[u8]) -> Seen {
        match output {
            Output::Reply { message, error, .. } => {
                self.auth_failure = error.and_then(|refusal| refusal.auth_failure);
                Seen::Reply(Answer { bytes: self.server.scratch(message).to_vec() })
            }
            Output::Indicate { to, head, .. } => {
                Seen::Indicate { to: to.client, head: self.server.scratch(head).to_vec() }
            }
            Output::ToPeer { peer, payload, may_fragment, .. } => {
                Seen::ToPeer { peer, payload: datagram[payload].to_vec(), may_fragment }
            }
            Output::Begin { allocation, relayed, username, .. } => {
                self.live.push(allocation);
                Seen::Begin { relayed, username: String::from_utf8(username.to_vec()).unwrap() }
            }
            Output::End { allocation, reason } => {
                self.live.retain(|&id| id != allocation);
                Seen::End(reason)
            }
            Output::EndFamily { family, .. } => Seen::EndFamily(family),
            Output::Notify { to, message } => {
                Seen::Notify { to: to.client, bytes: self.server.scratch(message).to_vec() }
            }
            Output::OpenRoute { channel, peer, .. } => Seen::OpenRoute(channel.get(), peer),
            Output::CloseRoute { channel, .. } => Seen::CloseRoute(channel.get()),
            Output::Moved { to, .. } => Seen::Moved { to: to.client },
            Output::Left { path, .. } => Seen::Left(path.client),
            Output::TakeOver(take_over) => {
                let worker = take_over.worker;
                self.take_overs.push(*take_over);
                Seen::TakeOver { worker }
            }
            Output::Ask(undecided) => {
                let username = undecided.username.to_string();
                self.undecided.push(undecided);
                Seen::Ask(username)
            }
            Output::Drop(reason) => Seen::Drop(reason),
            Output::Dial { connection, peer, .. } => Seen::Dial(connection, peer),
            Output::BindConnection { connection } => Seen::Bind(connection),
            Output::CloseConnection { connection } => Seen::Close(connection),
            Output::OpenRelay(_) => panic!("answered in drain"),
        }
    }
}

pub(super) fn answer_of(seen: Seen) -> Option<Answer> {
    if let Seen::Reply(answer) = seen { Some(answer) } else { None }
}

pub(super) fn channel_bind(number: u16, peer: &str) -> impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_> {
    let peer: SocketAddr = peer.parse().unwrap();
    let [high, low] = number.to_be_bytes();
    move |writer| {
        writer.bytes(attribute::CHANNEL_NUMBER, &[high, low, 0, 0]).address(attribute::XOR_PEER_ADDRESS, peer)
    }
}

/// A request without credentials.
pub(super) fn unsigned(
    method: Method,
    write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(MessageWriter::begin(&mut bytes, method, Class::Request, TransactionId([0xee; 12])));
    bytes
}

/// A Send indication.
pub(super) fn send_indication(peer: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    MessageWriter::begin(&mut bytes, Method::Send, Class::Indication, TransactionId([0xdd; 12]))
        .address(attribute::XOR_PEER_ADDRESS, peer.parse().unwrap())
        .bytes(attribute::DATA, payload);
    bytes
}
