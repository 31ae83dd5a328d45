//! A server that gets any datagrams, some of them signed, while time passes: it never panics, every output can be
//! carried out, and in the end nothing is left.

#![no_main]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use turnpike_fuzz::secret::Secret;
use turnpike_fuzz::turn::peer_policy::{ALL_PORTS, PeerRule};
use turnpike_fuzz::turn::{
    AllocationId, ConnectionId, FiveTuple, HookAnswer, Now, OpenedRelay, Output, PerFamily, RelayRefusal,
    RelayWish, Server, Settings, StrangerLimit, Transport,
};
use turnpike_fuzz::wire::attribute::{self, AttributeType};
use turnpike_fuzz::wire::{AddressFamily, Class, Key, Message, MessageWriter, Method, TransactionId};

fuzz_target!(|bytes: &[u8]| {
    let mut net = Net::new();
    // Each step: what it is, how long it is, and its bytes.
    let mut rest = bytes;
    while let Some((&[kind, len], tail)) = rest.split_first_chunk::<2>() {
        let (step, tail) = tail.split_at(tail.len().min(usize::from(len)));
        rest = tail;
        match kind % 5 {
            0 if kind > 127 => net.send_on(Net::open_path(), step),
            0 => net.send_on(Net::path(), step),
            1 => net.send_signed(kind, step),
            2 => net.peer_sends(step),
            3 => net.peer_connects(step),
            _ => net.pass(u64::from(len) * 4),
        }
    }
    net.pass(4000);
    assert_eq!(net.server.allocation_count(), 0);
    assert!(net.server.poll_timeout().is_none() && net.live.is_empty() && net.connections.is_empty());
});

struct Net {
    server: Server,
    now: Now,
    live: Vec<AllocationId>,
    connections: Vec<ConnectionId>,
    nonce: Vec<u8>,
    next_port: u16,
}

impl Net {
    fn new() -> Self {
        let mut settings = Settings::default();
        settings.credentials.add_user("alice", Secret::new("wonderland"));
        settings.asks_hook = true;
        settings.anonymous_listeners.streams.push(Self::open_path().server);
        settings
            .peer_policy
            .add_backend(PeerRule { network: "8.0.0.0/8".parse().unwrap(), ports: ALL_PORTS });
        let now = Now { instant: Instant::now(), unix_seconds: 1_800_000_000 };
        let stranger_limit = Arc::new(StrangerLimit::new(&settings, 1));
        let server = Server::new(settings, [1; 32], stranger_limit);
        let mut net =
            Self { server, now, live: Vec::new(), connections: Vec::new(), nonce: Vec::new(), next_port: 0 };
        net.learn_nonce();
        net
    }

    fn path() -> FiveTuple {
        FiveTuple {
            transport: Transport::Tcp,
            client: ([192, 0, 2, 1], 4000).into(),
            server: ([192, 0, 2, 2], 3478).into(),
        }
    }

    /// Where no credentials are asked for.
    fn open_path() -> FiveTuple {
        FiveTuple { server: ([192, 0, 2, 2], 3479).into(), ..Self::path() }
    }

    fn send(&mut self, datagram: &[u8]) {
        self.send_on(Self::path(), datagram);
    }

    fn send_on(&mut self, path: FiveTuple, datagram: &[u8]) {
        self.server.handle_client(self.now, path, datagram);
        self.drain(datagram);
    }

    /// A request of alice's whose attributes are the bytes: type, length, value.
    fn send_signed(&mut self, kind: u8, mut attributes: &[u8]) {
        let methods = [
            Method::Allocate,
            Method::Refresh,
            Method::CreatePermission,
            Method::ChannelBind,
            Method::Connect,
            Method::ConnectionBind,
        ];
        let method = methods[usize::from(kind / 4) % methods.len()];
        let mut datagram = Vec::new();
        let mut writer =
            MessageWriter::begin(&mut datagram, method, Class::Request, TransactionId([kind; 12]));
        while let Some((&[high, low, len], tail)) = attributes.split_first_chunk::<3>() {
            let (value, tail) = tail.split_at(tail.len().min(usize::from(len)));
            attributes = tail;
            writer = writer.bytes(AttributeType(u16::from_be_bytes([high, low])), value);
        }
        writer
            .bytes(attribute::USERNAME, b"alice")
            .bytes(attribute::REALM, b"turnpike")
            .bytes(attribute::NONCE, &self.nonce)
            .sign(&Key::long_term(b"alice", "turnpike", "wonderland"));
        self.send(&datagram);
    }

    fn peer_sends(&mut self, bytes: &[u8]) {
        let Some(&id) = self.live.first() else { return };
        let peer = SocketAddr::from(([8, 8, 8, bytes.first().copied().unwrap_or(8)], 5000));
        self.server.handle_peer(self.now, id, peer, bytes.len() as u16 * 257);
        self.drain(&[]);
    }

    /// A peer connects, or accepts or refuses a connection, or its connection ends.
    fn peer_connects(&mut self, bytes: &[u8]) {
        let what = bytes.first().copied().unwrap_or(8);
        let connection = self.connections.get(usize::from(what) / 4 % self.connections.len().max(1)).copied();
        match (what % 4, connection, self.live.first()) {
            (0, _, Some(&id)) => {
                let peer = SocketAddr::from(([8, 8, 8, what], 5000));
                if let Some(connection) = self.server.peer_connected(self.now, id, peer) {
                    self.connections.push(connection);
                }
            }
            (1, Some(connection), _) => self.server.dialed(self.now, connection, true),
            (2, Some(connection), _) => self.server.dialed(self.now, connection, false),
            (3, Some(connection), _) => self.server.connection_closed(self.now, connection),
            _ => {}
        }
        self.drain(&[]);
    }

    fn pass(&mut self, seconds: u64) {
        self.now.instant += Duration::from_secs(seconds);
        self.now.unix_seconds += seconds;
        self.server.handle_timeout(self.now);
        self.drain(&[]);
        self.learn_nonce();
    }

    fn learn_nonce(&mut self) {
        let mut datagram = Vec::new();
        MessageWriter::begin(&mut datagram, Method::Allocate, Class::Request, TransactionId([0; 12]));
        self.server.handle_client(self.now, Self::path(), &datagram);
        while let Some(output) = self.server.poll_output() {
            if let Output::Reply { message, .. } = output {
                let answer = self.server.scratch(message).to_vec();
                self.nonce = Message::parse(&answer).unwrap().find(attribute::NONCE).unwrap().to_vec();
            }
        }
    }

    /// Does what the server says, and checks that it can be done.
    fn drain(&mut self, datagram: &[u8]) {
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Reply { message, .. } | Output::Notify { message, .. } => {
                    Message::parse(self.server.scratch(message)).expect("a message");
                }
                Output::Indicate { head, .. } => assert!(self.server.scratch(head).len() <= 64),
                Output::ToPeer { payload, .. } => assert!(payload.end <= datagram.len()),
                Output::OpenRelay(open) => {
                    let opened = self.open(open.wish);
                    self.server.relay_opened(self.now, open, opened);
                }
                Output::Begin { allocation, .. } => self.live.push(allocation),
                Output::End { allocation, .. } => self.live.retain(|&id| id != allocation),
                Output::EndFamily { allocation, .. }
                | Output::OpenRoute { allocation, .. }
                | Output::CloseRoute { allocation, .. }
                | Output::Moved { allocation, .. }
                | Output::Left { allocation, .. } => assert!(self.live.contains(&allocation)),
                Output::Dial { allocation, connection, .. } => {
                    assert!(self.live.contains(&allocation) && !self.connections.contains(&connection));
                    self.connections.push(connection);
                }
                Output::BindConnection { connection } => assert!(self.connections.contains(&connection)),
                Output::CloseConnection { connection } => {
                    assert!(self.connections.contains(&connection));
                    self.connections.retain(|&id| id != connection);
                }
                // There is no other worker, and mobility is off.
                Output::TakeOver(_) => unreachable!(),
                Output::Ask(undecided) => {
                    self.server.decided(self.now, &undecided, &HookAnswer::Failed);
                }
                Output::Drop(_) => {}
            }
        }
    }

    fn open(&mut self, wish: RelayWish) -> Result<OpenedRelay, RelayRefusal> {
        self.next_port = self.next_port.wrapping_add(1);
        let v4 = SocketAddr::from(([192, 0, 2, 2], self.next_port));
        let v6 = SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 2], self.next_port));
        let local = match wish {
            RelayWish::Single { family: AddressFamily::Ipv4, .. } => PerFamily { v4: Some(v4), v6: None },
            RelayWish::Single { family: AddressFamily::Ipv6, .. } => PerFamily { v4: None, v6: Some(v6) },
            RelayWish::Dual => PerFamily { v4: Some(v4), v6: Some(v6) },
            RelayWish::Reserved(_) => return Err(RelayRefusal::NoSuchReservation),
        };
        Ok(OpenedRelay { local, missing: None, reservation: None })
    }
}
