//! What metrics count is what was relayed: to the packet and to the byte, while the allocations live.

use std::net::{SocketAddr, UdpSocket};

use turnpike::app::App;

use crate::stream_client::*;
use crate::support::*;

/// Bytes of the payloads that each client sends, and those that its peer sends.
const SENT: [usize; 4] = [1, 160, 1200, 17];
const RETURNED: [usize; 3] = [3, 900, 1100];

#[tokio::test(flavor = "multi_thread")]
async fn traffic_is_counted_exactly_and_live_for_each_transport() {
    let certificate = Certificate::new();
    let app = start(&certificate.config()).await;
    let streams = app.turn_tcp_addrs()[0];
    let mut udp = Client::new(app.turn_addrs()[0]);
    let mut tcp = over_tcp(streams);
    let mut tls = certificate.over_tls(streams);

    relay_some(&mut udp, 1);
    relay_some(&mut tcp, 2);
    relay_some(&mut tls, 3);

    for (transport, times) in [("udp", 1), ("tcp", 2), ("tls", 3)] {
        assert_counted(&app, transport, "to_peer", times, &SENT);
        assert_counted(&app, transport, "to_client", times, &RETURNED);
        let allocations = format!("turnpike_turn_allocations{{transport=\"{transport}\",family=\"ipv4\"}}");
        assert_eq!(metric(&app, &allocations), 1.0);
    }
    let live = app.metrics().live();
    assert_eq!((live.allocations, live.packets_to_peer), (3, 6 * SENT.len() as u64));
    assert_eq!(live.bytes_to_client, 6 * RETURNED.iter().sum::<usize>() as u64);
    udp.delete();
    tcp.delete();
    tls.delete();
    eventually(|| metric(&app, "turnpike_turn_allocations") == 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_let_in_is_counted_by_cause() {
    let app = start(CONFIG).await;
    let count =
        |cause: &str| metric(&app, &format!("turnpike_turn_auth_failures_total{{cause=\"{cause}\"}}"));
    let client = || Client::new(app.turn_addrs()[0]);

    // Each asks without credentials first, as it does not know the realm.
    assert_eq!(code(&client().allocate()), 0);
    assert_eq!(code(&client().named("alice".into(), "looking-glass".into()).allocate()), 401);
    assert_eq!(code(&client().named("eve".into(), "wonderland".into()).allocate()), 401);

    assert_eq!(count("no_credentials"), 3.0);
    assert_eq!((count("wrong_password"), count("unknown_user")), (1.0, 1.0));
    assert_eq!(metric(&app, "turnpike_turn_auth_failures_total"), 5.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn coturns_names_count_the_same() {
    let config = format!("{CONFIG}[metrics]\ncompat = [\"coturn\"]\n");
    let app = start(&config).await;
    let mut client = Client::new(app.turn_addrs()[0]);

    relay_some(&mut client, 1);

    let sent = SENT.iter().sum::<usize>() as f64;
    eventually(|| metric(&app, "turn_traffic_rcvb{realm=\"example.org\"}") == sent);
    assert_eq!(metric(&app, "turn_total_traffic_peer_sentb"), sent);
    eventually(|| metric(&app, "turn_total_traffic_sentp") == RETURNED.len() as f64);
    assert_eq!(metric(&app, "turn_total_allocations{type=\"UDP\"}"), 1.0);
    app.stop().await;
}

/// Sends all payloads both ways, so many times, and sees to it that each arrives.
fn relay_some<L: Link>(client: &mut Client<L>, times: usize) {
    let relayed = client.allocated();
    let peer: UdpSocket = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    for _ in 0..times {
        for length in SENT {
            client.send_on_channel(0x4000, &vec![7; length]);
            assert_eq!(receive(&peer).0.len(), length);
        }
        for length in RETURNED {
            peer.send_to(&vec![9; length], relayed).unwrap();
            let server: SocketAddr = client.server;
            let frame = client.socket.receive(server);
            assert_eq!(frame[..4], [0x40, 0, (length >> 8) as u8, length as u8]);
        }
    }
}

/// The last packet has arrived, so it is counted, or about to be.
fn assert_counted(app: &App, transport: &str, direction: &str, times: usize, lengths: &[usize]) {
    let labels = format!("{{transport=\"{transport}\",direction=\"{direction}\"}}");
    let expected = [times * lengths.len(), times * lengths.iter().sum::<usize>()].map(|count| count as f64);
    let counted =
        || ["packets", "bytes"].map(|unit| metric(app, &format!("turnpike_relay_{unit}_total{labels}")));
    eventually(|| counted() == expected);
}
