//! The load generator, on this very server.

use std::time::Duration;

use turnpike::app::App;
use turnpike::bench::{self, Access, Credential, Direction, Load, Transport, Trust};
use turnpike::secret::Secret;

use crate::stream_client::Certificate;
use crate::support::*;

/// A load of eight allocations that lasts a fifth of a second.
fn load(app: &App, transport: Transport) -> Load {
    let server = match transport {
        Transport::Udp => app.turn_addrs()[0],
        Transport::Tcp | Transport::Tls => app.turn_tcp_addrs()[0],
    };
    let credential = Credential::User { name: "alice".into(), password: Secret::new("wonderland") };
    Load {
        access: Access { server, transport, trust: Trust::Anybody, credential },
        allocations: 8,
        direction: Direction::ToPeer,
        payload_bytes: 200,
        packets_per_second: 2000.0,
        frame: 1,
        is_segmented: true,
        tick: Duration::ZERO,
        uses_indications: false,
        duration: Duration::from_millis(200),
        warm_up: Duration::from_millis(20),
        threads: 1,
        peers: 2,
        peer_address: None,
        peer_namespace: None,
        pid: Some(std::process::id()),
    }
}

/// Whatever a busy machine does to the rate, all that was sent must arrive.
fn assert_arrives(load: &Load) {
    let report = bench::relay(load).unwrap();
    assert!(report.sent > 0, "{load:?}");
    assert_eq!((report.arrived, report.loss), (report.sent, 0.0), "{load:?}");
    let latency = report.latency.unwrap();
    assert!(latency.p50_us > 0.0 && latency.p50_us <= latency.p999_us && latency.p99_us <= latency.max_us);
    assert!(report.server.unwrap().cpu_us_per_packet > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_packet_arrives_over_every_transport_and_in_every_direction() {
    let certificate = Certificate::new();
    let app = start(&certificate.config()).await;
    for transport in [Transport::Udp, Transport::Tcp, Transport::Tls] {
        for direction in [Direction::ToPeer, Direction::ToClient, Direction::Both, Direction::Across] {
            let load = load(&app, transport);
            assert_arrives(&Load { direction, frame: 5, ..load.clone() });
            assert_arrives(&Load { direction, uses_indications: true, ..load });
        }
    }
    eventually(|| metric(&app, "turnpike_turn_allocations") == 0.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_share_the_load() {
    let app = start(CONFIG).await;
    let load = load(&app, Transport::Udp);
    let tick = Duration::from_millis(5);
    assert_arrives(&Load { threads: 2, tick, frame: 4, is_segmented: false, ..load });
    assert_eq!(metric(&app, "turnpike_turn_allocations_created_total"), 8.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_is_loss_and_not_the_load() {
    // 8 kbit/s for each allocation: a packet of 200 bytes in 200 ms, and some at once at first.
    let app = start(
        &CONFIG.replace("[turn.peers]", "[turn.limits]\nbandwidth_per_allocation = \"8kbit\"\n[turn.peers]"),
    )
    .await;
    let report = bench::relay(&load(&app, Transport::Udp)).unwrap();
    assert!(report.loss > 0.1, "{report:?}");
    assert_eq!(report.dropped_here, 0);
    let found = bench::find_rate(&load(&app, Transport::Udp), 0.0).unwrap();
    assert_eq!((found.packets_per_second, found.is_limited_by_load), (0.0, false));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn allocations_come_and_go() {
    // Each allocation begins as a stranger's.
    let limits = "[turn.limits]\nunauthenticated_per_second = 0\n[turn.peers]";
    let app = start(&CONFIG.replace("[turn.peers]", limits)).await;
    let report = bench::churn(&load(&app, Transport::Udp)).unwrap();
    assert!(report.allocations > 0 && report.allocations.is_multiple_of(8), "{report:?}");
    assert!(report.server_cpu_us_each.unwrap() > 0.0);
    let created = metric(&app, "turnpike_turn_allocations_created_total");
    assert!(created >= report.allocations as f64);
    assert_eq!(metric(&app, "turnpike_turn_allocations_ended_total{reason=\"deleted\"}"), created);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_is_quoted() {
    let app = start(&CONFIG.replace("allow = [\"127.0.0.0/8\"]", "")).await;
    let load = load(&app, Transport::Udp);
    let server = load.access.server;
    let refusal = bench::relay(&load).unwrap_err().to_string();
    assert_eq!(
        refusal,
        format!(
            "{server} refuses ChannelBind: 403 Forbidden; \
             the server must be allowed to relay to the address of the peers"
        )
    );
    let credential = Credential::User { name: "alice".into(), password: Secret::new("looking-glass") };
    let stranger = Load { access: Access { credential, ..load.access.clone() }, ..load };
    let refusal = bench::relay(&stranger).unwrap_err().to_string();
    assert!(refusal.contains("refuses Allocate: 401") && refusal.contains("check the user"), "{refusal}");
    let port = socket().local_addr().unwrap();
    let access = Access { server: port, transport: Transport::Tcp, ..stranger.access.clone() };
    let refusal = bench::relay(&Load { access, ..stranger }).unwrap_err().to_string();
    assert!(refusal.starts_with(&format!("cannot connect to {port}: ")), "{refusal}");
    app.stop().await;
}
