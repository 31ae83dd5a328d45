//! What the state machine takes for one input, without sockets: with a few allocations, and with 100,000.
//!
//! `cargo bench --bench core` prints nanoseconds for each. Clients come in no order, so that at 100,000 the tables are not
//! in the processor's caches; the fast path of ChannelData is measured by `relaying` and `compare`, on real sockets, and
//! without them by `src/relay/packet_cost.rs`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports to its user")]

use std::cell::Cell;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use turnpike::secret::Secret;
use turnpike::turn::{
    AllocationId, FiveTuple, Now, OpenedRelay, Output, PerFamily, Server, Settings, StrangerLimit, Transport,
};
use turnpike::wire::attribute::{
    CHANNEL_NUMBER, DATA, LIFETIME, NONCE, REALM, REQUESTED_TRANSPORT, USERNAME, XOR_PEER_ADDRESS,
};
use turnpike::wire::{Class, Key, Message, MessageWriter, Method, TransactionId};

fn main() {
    for allocations in [100, 100_000] {
        let mut bench = Bench::new(allocations);
        println!("{allocations} allocations, nanoseconds each:");
        bench.measure("Binding", |bench, number| {
            bench.request(number, Method::Binding, false, &|writer| writer)
        });
        bench.measure("Refresh", |bench, number| {
            bench.request(number, Method::Refresh, true, &|writer| writer.u32(LIFETIME, 600))
        });
        bench.measure("ChannelBind", |bench, number| bench.request(number, Method::ChannelBind, true, &bind));
        bench.measure("Send indication", |_, number| {
            let mut indication = Vec::with_capacity(256);
            MessageWriter::begin(&mut indication, Method::Send, Class::Indication, TransactionId([7; 12]))
                .address(XOR_PEER_ADDRESS, peer())
                .bytes(DATA, &[0; 160]);
            (client(number), indication)
        });
        bench.measure_peers();
    }
}

struct Bench {
    server: Server,
    now: Now,
    key: Key,
    nonces: Vec<Vec<u8>>,
    ids: Vec<AllocationId>,
    transactions: Cell<u64>,
}

impl Bench {
    /// A server with so many allocations, each with a permission and a channel.
    fn new(allocations: u32) -> Self {
        let mut settings =
            Settings { unauthenticated_per_second: 0, bindings_per_second: 0, ..Settings::default() };
        settings.credentials.add_user("alice", Secret::new("wonderland"));
        let limit = Arc::new(StrangerLimit::new(&settings, 1));
        let mut bench = Self {
            server: Server::new(settings, [1; 32], limit),
            #[allow(clippy::disallowed_methods, reason = "what is measured is time")]
            now: Now { instant: Instant::now(), unix_seconds: 1_800_000_000 },
            key: Key::long_term(b"alice", "turnpike", "wonderland"),
            nonces: Vec::new(),
            ids: Vec::new(),
            transactions: Cell::new(0),
        };
        for number in 0..allocations {
            bench.nonces.push(Vec::new());
            let (path, stranger) = bench.request(number, Method::Allocate, false, &allocate);
            bench.server.handle_client(bench.now, path, &stranger);
            let challenge = bench.drain(number).expect("a challenge");
            bench.nonces[number as usize] = Message::parse(&challenge).unwrap().find(NONCE).unwrap().to_vec();
            for (method, write) in [(Method::Allocate, allocate as Write), (Method::ChannelBind, bind)] {
                let (path, request) = bench.request(number, method, true, &write);
                bench.server.handle_client(bench.now, path, &request);
                let answer = bench.drain(number).expect("an answer");
                assert_eq!(Message::parse(&answer).unwrap().class(), Class::Success, "{method:?}");
            }
        }
        bench
    }

    /// A request of a client.
    fn request(
        &self,
        number: u32,
        method: Method,
        is_signed: bool,
        write: &dyn Fn(MessageWriter<'_>) -> MessageWriter<'_>,
    ) -> (FiveTuple, Vec<u8>) {
        let mut id = [0; 12];
        self.transactions.set(self.transactions.get() + 1);
        id[..8].copy_from_slice(&self.transactions.get().to_be_bytes());
        let mut request = Vec::with_capacity(256);
        let writer = write(MessageWriter::begin(&mut request, method, Class::Request, TransactionId(id)));
        if is_signed {
            writer
                .bytes(USERNAME, b"alice")
                .bytes(REALM, b"turnpike")
                .bytes(NONCE, &self.nonces[number as usize])
                .sign(&self.key);
        }
        (client(number), request)
    }

    /// Does what the server wants done; returns its answer, if it has one.
    fn drain(&mut self, number: u32) -> Option<Vec<u8>> {
        let mut answer = None;
        while let Some(output) = self.server.poll_output() {
            if let Output::OpenRelay(request) = output {
                let relayed = SocketAddr::from((Ipv4Addr::from(0xc633_0000 + number), 50_000));
                let local = PerFamily { v4: Some(relayed), v6: None };
                let opened = OpenedRelay { local, missing: None, reservation: None };
                self.ids.extend(self.server.relay_opened(self.now, request, Ok(opened)));
            } else if let Output::Reply { message, .. } = output {
                answer = Some(self.server.scratch(message).to_vec());
            }
        }
        answer
    }

    /// Prints what an input takes that each client sends in turn, made beforehand.
    fn measure(&mut self, name: &str, input: impl Fn(&Self, u32) -> (FiveTuple, Vec<u8>)) {
        let inputs: Vec<_> = shuffled(self.ids.len()).map(|number| input(self, number)).collect();
        let taken = time(|| {
            for (path, datagram) in &inputs {
                self.server.handle_client(self.now, *path, datagram);
                self.discard();
            }
        });
        report(name, taken);
    }

    /// The same for data that peers send and that no channel leads on.
    fn measure_peers(&mut self) {
        let other_port = SocketAddr::new(peer().ip(), 6000);
        let ids: Vec<_> = shuffled(self.ids.len()).map(|number| self.ids[number as usize]).collect();
        let taken = time(|| {
            for &id in &ids {
                self.server.handle_peer(self.now, id, other_port, 160);
                self.discard();
            }
        });
        report("Data indication", taken);
    }

    fn discard(&mut self) {
        while let Some(output) = self.server.poll_output() {
            black_box(&output);
        }
    }
}

type Write = fn(MessageWriter<'_>) -> MessageWriter<'_>;

fn allocate(writer: MessageWriter<'_>) -> MessageWriter<'_> {
    writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0])
}

fn bind(writer: MessageWriter<'_>) -> MessageWriter<'_> {
    writer.bytes(CHANNEL_NUMBER, &[0x40, 0, 0, 0]).address(XOR_PEER_ADDRESS, peer())
}

fn client(number: u32) -> FiveTuple {
    FiveTuple {
        transport: Transport::Udp,
        client: SocketAddr::from((Ipv4Addr::from(0x0808_0000 + number), 4000)),
        server: SocketAddr::from(([192, 0, 2, 1], 3478)),
    }
}

fn peer() -> SocketAddr {
    SocketAddr::from(([9, 9, 9, 9], 5000))
}

/// As many inputs as make the time long, from clients in no order.
fn shuffled(clients: usize) -> impl Iterator<Item = u32> {
    (0..INPUTS).map(move |number| (number.wrapping_mul(2_654_435_761) as usize % clients) as u32)
}

fn report(name: &str, taken: Duration) {
    println!("  {name:16} {:6.0}", taken.as_nanos() as f64 / f64::from(INPUTS));
}

#[allow(clippy::disallowed_methods, reason = "what is measured is time")]
fn time(mut work: impl FnMut()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

const INPUTS: u32 = 200_000;
