//! The limits on real sockets, where four workers have to agree on them.

#![expect(
    clippy::disallowed_methods,
    reason = "credentials expire, and rates are measured, by the real clock"
)]

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use turnpike::app::App;
use turnpike::secret::Secret;
use turnpike::turn::credential::rest_password;
use turnpike::wire::attribute::{EVEN_PORT, REQUESTED_TRANSPORT, RESERVATION_TOKEN};
use turnpike::wire::{Class, Message, MessageWriter, Method, TransactionId};

use crate::support::*;

/// The usual configuration with four workers, a shared secret and these limits.
fn config(limits: &str) -> String {
    let secret = "[[turn.secrets]]\nsecret = \"north\"\n";
    CONFIG.replace("workers = 2", "workers = 4") + secret + "[turn.limits]\n" + limits
}

/// Carol with a credential that was handed out this many seconds ago.
fn carol(app: &App, seconds_ago: u64) -> Client {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let username = format!("{}:carol", now + 3600 - seconds_ago);
    let password = rest_password(&Secret::new("north"), username.as_bytes()).expose().to_owned();
    Client::new(app.turn_addrs()[0]).named(username, password)
}

fn refused(app: &App, reason: &str) -> f64 {
    metric(app, &format!("turnpike_turn_allocations_refused_total{{reason=\"{reason}\"}}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_fresh_credentials_each_time_is_still_one_user() {
    let app = start(&config("allocations_per_user = 12")).await;
    let mut clients: Vec<Client> = (0..20).map(|i| carol(&app, i)).collect();
    let codes: Vec<u16> = clients.iter_mut().map(|client| code(&client.allocate())).collect();
    assert_eq!((codes[..12].to_vec(), codes[12..].to_vec()), (vec![0; 12], vec![486; 8]));
    assert_eq!(refused(&app, "user_quota"), 8.0);
    assert_eq!(code(&Client::new(app.turn_addrs()[0]).allocate()), 0, "alice has a quota of her own");

    assert_eq!(clients[3].delete(), 0);
    assert_eq!(code(&clients[15].allocate()), 0);
    assert_eq!(code(&clients[16].allocate()), 486);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserved_port_counts_until_its_allocation_ends() {
    let app = start(&config("allocations_per_user = 2")).await;
    let mut clients: Vec<Client> = (0..3).map(|_| Client::new(app.turn_addrs()[0])).collect();
    let answer = clients[0].request(Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(EVEN_PORT, &[0x80])
    });
    let token = Message::parse(&answer).unwrap().find(RESERVATION_TOKEN).unwrap().to_vec();
    assert_eq!(code(&clients[1].allocate()), 486);
    let claimed = clients[2].request(Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(RESERVATION_TOKEN, &token)
    });
    assert_eq!(code(&claimed), 0);
    assert_eq!(code(&clients[1].allocate()), 486);
    assert_eq!(clients[2].delete(), 0);
    assert_eq!(code(&clients[1].allocate()), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_has_as_many_allocations_as_it_may() {
    let app = start(&config("allocations_per_source = 3")).await;
    let server = app.turn_addrs()[0];
    let mut clients: Vec<Client> = (0..4).map(|_| Client::new(server)).collect();
    let codes: Vec<u16> = clients.iter_mut().map(|client| code(&client.allocate())).collect();
    assert_eq!(codes, [0, 0, 0, 486]);
    assert_eq!(refused(&app, "source_quota"), 1.0);
    assert_eq!(code(&Client::on(socket_at("127.0.0.9:0"), server).allocate()), 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_workers_together_hold_as_many_allocations_as_they_may() {
    let app = start(&config("allocations = 10")).await;
    let server = app.turn_addrs()[0];
    let asked: Vec<_> = (0..24)
        .map(|_| {
            tokio::task::spawn_blocking(move || {
                let mut client = Client::new(server);
                let code = code(&client.allocate());
                (client, code)
            })
        })
        .collect();
    let mut clients = Vec::new();
    for client in asked {
        clients.push(client.await.unwrap());
    }
    let mut codes: Vec<u16> = clients.iter().map(|(_, code)| *code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [[0; 10].as_slice(), &[508; 14]].concat());
    assert_eq!(refused(&app, "capacity"), 14.0);
    assert_eq!(metric(&app, "turnpike_turn_allocations"), 10.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_is_answered_a_little_and_leaves_others_alone() {
    let app = start(&config("")).await;
    let server = app.turn_addrs()[0];
    let began = std::time::Instant::now();
    // Several ports, so that the flood reaches every worker.
    let flood: Vec<_> = (0..8).map(|_| socket_at("127.0.0.7:0")).collect();
    for _ in 0..100 {
        for socket in &flood {
            socket.send_to(&unsigned_allocate(), server).unwrap();
        }
    }
    let mut other = Client::on(socket_at("127.0.0.8:0"), server);
    other.allocated();

    let answered: usize = flood.iter().map(count_waiting).sum();
    // Workers that find no counter at the same moment may each begin one.
    let most = 4 * 30 + 10 * (began.elapsed().as_secs() as usize + 1);
    assert!((30..=most).contains(&answered), "{answered}");
    let dropped = metric(&app, "turnpike_relay_dropped_packets_total{reason=\"rate_limited\"}");
    assert_eq!(answered + dropped as usize, 800);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_relays_as_much_as_its_bandwidth_lets_it() {
    let app = start(&config("bandwidth_per_allocation = \"8Mbit\"")).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    // 800 kB at once are four times what 200 ms of 8 Mbit/s hold; small batches, so that no socket's buffer fills.
    let began = std::time::Instant::now();
    let mut received = 0;
    for _ in 0..40 {
        (0..20).for_each(|_| client.send_on_channel(0x4000, &[7; 1000]));
        // The answer comes after all that was sent before it is relayed or dropped.
        client.request(Method::Binding, |writer| writer);
        received += drain(&peer);
    }
    received += count_waiting(&peer);
    let most = 200 + began.elapsed().as_millis() as usize + 1;
    assert!((200..=most).contains(&received), "{received} of {most}");
    let dropped = metric(&app, "turnpike_relay_dropped_packets_total{reason=\"bandwidth_allocation\"}");
    assert_eq!(received + dropped as usize, 800);
    app.stop().await;
}

/// How many datagrams have come.
fn drain(socket: &std::net::UdpSocket) -> usize {
    socket.set_nonblocking(true).unwrap();
    let received = std::iter::from_fn(|| socket.recv_from(&mut [0; 2048]).ok()).count();
    socket.set_nonblocking(false).unwrap();
    received
}

fn unsigned_allocate() -> Vec<u8> {
    let mut request = Vec::new();
    MessageWriter::begin(&mut request, Method::Allocate, Class::Request, TransactionId([1; 12]));
    request
}

/// How many datagrams have come, when no more come for a while.
fn count_waiting(socket: &std::net::UdpSocket) -> usize {
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut buffer = [0; 2048];
    let received: Vec<SocketAddr> =
        std::iter::from_fn(|| socket.recv_from(&mut buffer).ok().map(|(_, from)| from)).collect();
    received.len()
}
