//! How many allocations one core makes and ends per second, and what each costs in memory while it is held.
//!
//! `cargo bench --bench allocations` prints both. The rate counts the processor time of the relay's one worker, so that
//! a busy machine changes it little: a challenge, an Allocate and a Refresh of zero for each. The memory is what this
//! process allocates for an allocation with a permission and a channel, without the kernel's part of its socket.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports to its user")]
#![allow(unsafe_code, reason = "a counting allocator has to be one")]

mod one_worker;

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use turnpike::wire::attribute::{
    CHANNEL_NUMBER, LIFETIME, NONCE, REALM, REQUESTED_TRANSPORT, USERNAME, XOR_PEER_ADDRESS,
};
use turnpike::wire::{Class, Key, Message, MessageWriter, Method, TransactionId};

use one_worker::{start, worker_cpu};

fn main() {
    turnpike::sys::raise_open_files_limit().unwrap();
    let relay = start();
    let server = relay.local_addrs()[0];
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::new(server)).collect();

    // Once to warm up, so that tables and buffers have their size.
    churn(&mut clients, 2);
    let before = worker_cpu();
    churn(&mut clients, ROUNDS);
    let cpu = worker_cpu() - before;
    let count = (CLIENTS * ROUNDS) as f64;
    println!("challenge, Allocate, Refresh 0: {:.0} per second of one core", count / cpu.as_secs_f64());

    let mut held: Vec<Client> = (0..HELD).map(|_| Client::new(server)).collect();
    let before = ALLOCATED.load(Ordering::Relaxed);
    for client in &mut held {
        client.ask(Method::Allocate, false, allocate);
        client.ask(Method::Allocate, true, allocate);
        client.ask(Method::ChannelBind, true, bind);
    }
    let after = ALLOCATED.load(Ordering::Relaxed);
    println!("held with permission and channel: {} bytes each", (after - before) / HELD as i64);
    for client in &mut held {
        client.ask(Method::Refresh, true, end);
    }
    let left = ALLOCATED.load(Ordering::Relaxed) - before;
    println!("after their end: {} bytes each stay for the next ones", left / HELD as i64);
    relay.stop();
}

/// Lets every client make and end an allocation, again and again; all of them at once, so that the worker reads batches.
fn churn(clients: &mut [Client], rounds: usize) {
    for _ in 0..rounds {
        for (method, is_signed, write) in [
            (Method::Allocate, false, allocate as Write),
            (Method::Allocate, true, allocate),
            (Method::Refresh, true, end),
        ] {
            for client in &mut *clients {
                client.send(method, is_signed, write);
            }
            for client in &mut *clients {
                client.receive();
            }
        }
    }
}

type Write = fn(MessageWriter<'_>) -> MessageWriter<'_>;

fn allocate(writer: MessageWriter<'_>) -> MessageWriter<'_> {
    writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0])
}

fn bind(writer: MessageWriter<'_>) -> MessageWriter<'_> {
    writer
        .bytes(CHANNEL_NUMBER, &[0x40, 0, 0, 0])
        .address(XOR_PEER_ADDRESS, SocketAddr::from(([127, 0, 0, 1], 9)))
}

fn end(writer: MessageWriter<'_>) -> MessageWriter<'_> {
    writer.u32(LIFETIME, 0)
}

struct Client {
    socket: UdpSocket,
    key: Key,
    nonce: Vec<u8>,
    transaction: u64,
    buffer: Vec<u8>,
}

impl Client {
    fn new(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self {
            socket,
            key: Key::long_term(b"alice", "turnpike", "wonderland"),
            nonce: Vec::with_capacity(32),
            transaction: 0,
            buffer: Vec::with_capacity(512),
        }
    }

    fn ask(&mut self, method: Method, is_signed: bool, write: Write) {
        self.send(method, is_signed, write);
        self.receive();
    }

    fn send(&mut self, method: Method, is_signed: bool, write: Write) {
        self.transaction += 1;
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.transaction.to_be_bytes());
        self.buffer.clear();
        let writer = write(MessageWriter::begin(&mut self.buffer, method, Class::Request, TransactionId(id)));
        if is_signed {
            writer
                .bytes(USERNAME, b"alice")
                .bytes(REALM, b"turnpike")
                .bytes(NONCE, &self.nonce)
                .sign(&self.key);
        }
        self.socket.send(&self.buffer).unwrap();
    }

    fn receive(&mut self) {
        let mut answer = [0; 512];
        let len = self.socket.recv(&mut answer).expect("an answer within five seconds");
        let message = Message::parse(&answer[..len]).unwrap();
        match message.find(NONCE) {
            Some(nonce) => {
                self.nonce.clear();
                self.nonce.extend_from_slice(nonce);
            }
            None => assert_eq!(message.class(), Class::Success),
        }
    }
}

/// Counts what is allocated and not yet freed.
struct Counting;

static ALLOCATED: AtomicI64 = AtomicI64::new(0);

// SAFETY: every call is the system allocator's own; only a count is added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: the caller keeps GlobalAlloc's contract, which is System's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) };
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Clients at once: as many as one batch takes.
const CLIENTS: usize = 64;
/// Enough for half a second or more of the worker's time.
const ROUNDS: usize = 500;
/// Allocations held at once; each has a file descriptor here and one there.
const HELD: usize = 5000;
