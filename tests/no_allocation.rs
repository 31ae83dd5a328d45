//! Relaying takes no memory: not one allocation for a packet, whichever way it goes.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(unsafe_code, reason = "a counting allocator has to be one")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use turnpike::relay::{Claim, Partners, Relay, SessionTag, Settings};
use turnpike::secret::Secret;
use turnpike::telemetry::Metrics;
use turnpike::turn;
use turnpike::turn::peer_policy::PeerRule;
use turnpike::wire::attribute::{
    CHANNEL_NUMBER, NONCE, REALM, REQUESTED_TRANSPORT, USERNAME, XOR_PEER_ADDRESS, XOR_RELAYED_ADDRESS,
};
use turnpike::wire::{Class, Key, Message, MessageWriter, Method, TransactionId};

/// Counts what threads other than the test's own allocate.
struct Counting;

static OTHERS_ALLOCATED: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_TEST: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if !IS_TEST.get() {
        OTHERS_ALLOCATED.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`, which is the system's.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// One test only: others would allocate in the meantime.
#[test]
fn relaying_allocates_nothing() {
    IS_TEST.set(true);
    let settings = Settings {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        listen_tcp: Vec::new(),
        workers: NonZeroUsize::new(1),
        ..Settings::default()
    };
    let mut turn = turn::Settings::default();
    turn.credentials.add_user("alice", Secret::new("wonderland"));
    turn.peer_policy.allow(PeerRule { network: "127.0.0.0/8".parse().unwrap(), ports: 0..=65535 });
    let relay =
        Relay::start(&settings, &turn, &Metrics::new(), Partners::default(), || panic!("a worker failed"))
            .unwrap();
    let server = relay.local_addrs()[0];

    let clients = [Client::new(server), Client::new(server)];
    let peer = socket();
    let across = clients[1].relayed;
    clients[0].bind(0x4000, peer.local_addr().unwrap());
    clients[0].bind(0x4001, across);
    clients[1].bind(0x4000, clients[0].relayed);

    for (what, round) in [
        ("to the peer", &(|| clients[0].send(0x4000, &peer)) as &dyn Fn()),
        ("to the client", &|| {
            peer.send_to(b"media", clients[0].relayed).unwrap();
            assert_eq!(receive(&clients[0].socket), b"\x40\0\0\x05media");
        }),
        ("from relayed address to relayed address", &|| {
            clients[0].socket.send_to(b"\x40\x01\0\x05media", server).unwrap();
            assert_eq!(receive(&clients[1].socket), b"\x40\0\0\x05media");
        }),
    ] {
        // Once to warm up, so that tables and buffers have their size.
        (0..100).for_each(|_| round());
        let before = OTHERS_ALLOCATED.load(Ordering::Relaxed);
        (0..1000).for_each(|_| round());
        assert_eq!(OTHERS_ALLOCATED.load(Ordering::Relaxed) - before, 0, "{what}");
    }
    // The headers of a session's media are read too; what it is told once a second is memory.
    let relayed = clients[0].relayed;
    let session = SessionTag("session".into());
    let claim = Claim {
        session,
        relayed,
        related: None,
        claimed_from: relayed.ip(),
        client: "app".into(),
        user: None,
    };
    assert!(relay.claims_handle().present(claim));
    let send_video = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let rtp = [0x80, 0x60, high, low, 0, 0, high, low, 0, 0, 0, 1];
        clients[0].socket.send_to(&[&[0x40, 0, 0, 12], &rtp[..]].concat(), server).unwrap();
        assert_eq!(receive(&peer), rtp);
        peer.send_to(&rtp, relayed).unwrap();
        assert_eq!(receive(&clients[0].socket)[4..], rtp);
    };
    (0..100).for_each(send_video);
    let before = OTHERS_ALLOCATED.load(Ordering::Relaxed);
    (100..2100).for_each(send_video);
    let allocated = OTHERS_ALLOCATED.load(Ordering::Relaxed) - before;
    assert!(allocated < 100, "{allocated} for 4000 packets of a session");
    let before = OTHERS_ALLOCATED.load(Ordering::Relaxed);
    let _another = Client::new(server);
    assert!(OTHERS_ALLOCATED.load(Ordering::Relaxed) > before, "what is allocated is seen");
    relay.stop();
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut datagram = vec![0; 512];
    let len = socket.recv(&mut datagram).expect("a datagram within five seconds");
    datagram.truncate(len);
    datagram
}

/// A client with an allocation.
struct Client {
    socket: UdpSocket,
    server: SocketAddr,
    nonce: Vec<u8>,
    relayed: SocketAddr,
}

impl Client {
    fn new(server: SocketAddr) -> Self {
        let mut client = Self { socket: socket(), server, nonce: Vec::new(), relayed: server };
        let challenge = client.ask(Method::Allocate, &|writer| writer);
        client.nonce = Message::parse(&challenge).unwrap().find(NONCE).unwrap().to_vec();
        let answer =
            client.ask(Method::Allocate, &|writer| writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]));
        client.relayed = Message::parse(&answer).unwrap().find_address(XOR_RELAYED_ADDRESS).unwrap().unwrap();
        client
    }

    fn bind(&self, channel: u16, peer: SocketAddr) {
        let [high, low] = channel.to_be_bytes();
        let answer = self.ask(Method::ChannelBind, &|writer| {
            writer.bytes(CHANNEL_NUMBER, &[high, low, 0, 0]).address(XOR_PEER_ADDRESS, peer)
        });
        assert_eq!(Message::parse(&answer).unwrap().class(), Class::Success);
    }

    fn send(&self, channel: u16, peer: &UdpSocket) {
        let [high, low] = channel.to_be_bytes();
        self.socket.send_to(&[&[high, low, 0, 5], &b"media"[..]].concat(), self.server).unwrap();
        assert_eq!(receive(peer), b"media");
    }

    fn ask(&self, method: Method, write: &dyn Fn(MessageWriter<'_>) -> MessageWriter<'_>) -> Vec<u8> {
        let mut request = Vec::new();
        let writer =
            write(MessageWriter::begin(&mut request, method, Class::Request, TransactionId([1; 12])));
        if !self.nonce.is_empty() {
            let key = Key::long_term(b"alice", "turnpike", "wonderland");
            writer.bytes(USERNAME, b"alice").bytes(REALM, b"turnpike").bytes(NONCE, &self.nonce).sign(&key);
        }
        self.socket.send_to(&request, self.server).unwrap();
        receive(&self.socket)
    }
}
