//! NAT behaviour discovery on four real sockets (RFC 5780).

use std::net::{SocketAddr, UdpSocket};

use turnpike::wire::attribute::{CHANGE_REQUEST, RESPONSE_PORT};
use turnpike::wire::{Class, MessageWriter, Method, TransactionId};

use crate::support::*;

fn ask(socket: &UdpSocket, server: SocketAddr, write: impl Fn(MessageWriter<'_>) -> MessageWriter<'_>) {
    let mut request = Vec::new();
    write(MessageWriter::begin(&mut request, Method::Binding, Class::Request, TransactionId([7; 12])));
    socket.send_to(&request, server).unwrap();
}

// RFC 5780 §6.1
#[tokio::test(flavor = "multi_thread")]
async fn answers_come_from_the_other_address_and_port() {
    // Two ports that are free on both addresses, mostly: the listeners of one worker take what was free a moment ago.
    let ports =
        [socket_at("0.0.0.0:0"), socket_at("0.0.0.0:0")].map(|socket| socket.local_addr().unwrap().port());
    let section =
        format!("[turn.nat_discovery]\naddresses = [\"127.0.0.1\", \"127.0.0.2\"]\nports = {ports:?}\n");
    let app = start(&CONFIG.replace("[turn.peers]", &(section + "[turn.peers]"))).await;
    assert_eq!(app.turn_addrs().len(), 4);
    let server = SocketAddr::from(([127, 0, 0, 1], ports[0]));
    let client = socket_at("0.0.0.0:0");
    for (flags, ip, port) in [(0, 1, 0), (2, 1, 1), (4, 2, 0), (6, 2, 1)] {
        ask(&client, server, |writer| writer.u32(CHANGE_REQUEST, flags));
        let (answer, from) = receive(&client);
        assert_eq!((code(&answer), from), (0, SocketAddr::from(([127, 0, 0, ip], ports[port]))));
    }
    let elsewhere = socket();
    let [high, low] = elsewhere.local_addr().unwrap().port().to_be_bytes();
    ask(&client, server, |writer| writer.bytes(RESPONSE_PORT, &[high, low, 0, 0]));
    assert_eq!(receive(&elsewhere).1, server);
    // TURN is served on each of them.
    for &server in app.turn_addrs() {
        assert_eq!(code(&Client::on(socket_at("0.0.0.0:0"), server).allocate()), 0);
    }
    app.stop().await;
}
