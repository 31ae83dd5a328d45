//! The gate: an allocation is good for what an offer and its answer say of it, and for nothing else.

use std::net::{SocketAddr, UdpSocket};

use turnpike::app::App;
use turnpike::wire::{Class, Integrity, Key, MessageWriter, Method, TransactionId, attribute};

use crate::sessions::{offer, offer_of, request, start_with_answer};
use crate::support::*;

const ANSWERS: &str = "policy = \"answer\"\nallow = [\"127.0.0.0/8\"]";
const CLAIMS: &str = "[turn.anonymous]\nlisten = [\"127.0.0.1:0\"]\nmode = \"claim\"\n";

/// Everything, in front of a backend whose answer has these candidates.
async fn start_naming(peers: &[SocketAddr], change: impl FnOnce(String) -> String) -> App {
    let line =
        |peer: &SocketAddr| format!("a=candidate:1 1 udp 1 {} {} typ host\r\n", peer.ip(), peer.port());
    let candidates: String = peers.iter().map(line).collect();
    let sdp = format!("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n{candidates}");
    start_with_answer(&change(CONFIG.replace("workers = 2", "workers = 4")), 200, sdp).await
}

async fn start_pinning(peers: &[SocketAddr]) -> App {
    start_naming(peers, |config| config.replace("allow = [\"127.0.0.0/8\"]", ANSWERS)).await
}

async fn start_claiming(peers: &[SocketAddr], more: &str) -> App {
    start_naming(peers, |config| config + CLAIMS + more).await
}

fn anonymous(app: &App) -> Client {
    Client::new(app.turn_addrs()[1])
}

fn addr(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().unwrap()
}

fn exchange(client: &mut Client, peer: &UdpSocket) {
    assert_eq!(client.bind(0x4000, addr(peer)), 0);
    client.send_on_channel(0x4000, b"hello");
    let (payload, relayed) = receive(peer);
    assert_eq!(payload, b"hello");
    peer.send_to(b"world", relayed).unwrap();
    assert_eq!(receive(&client.socket).0, b"\x40\0\0\x05world");
}

#[tokio::test(flavor = "multi_thread")]
async fn media_reaches_whom_the_answer_names_and_nobody_else() {
    let (peer, other) = (socket(), socket());
    let app = start_pinning(&[addr(&peer)]).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    assert_eq!(client.permit(addr(&peer)), 403, "nobody has answered yet");

    assert_eq!(offer(&app, &[relayed]).await, 200);
    exchange(&mut client, &peer);

    assert_eq!(client.bind(0x4001, addr(&other)), 403);
    assert_eq!(client.permit("127.0.0.2:5000".parse().unwrap()), 403);
    assert_eq!(client.permit(addr(&other)), 0, "it is the same host");
    other.send_to(b"let me in", relayed).unwrap();
    eventually(|| metric(&app, "turnpike_relay_dropped_packets_total{reason=\"peer_forbidden\"}") == 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_lets_media_through_before_the_client_has_its_answer() {
    let peer = socket();
    let app = start_pinning(&[addr(&peer)]).await;
    for _ in 0..24 {
        let mut client = Client::new(app.turn_addrs()[0]);
        let relayed = client.allocated();
        assert_eq!(offer(&app, &[relayed]).await, 200);
        assert_eq!(client.permit(addr(&peer)), 0);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_opens_no_way_to_what_the_rules_refuse() {
    let named = ["169.254.169.254:80", "10.0.0.1:22", "[::1]:80", "0.0.0.0:80"];
    let named = named.map(|peer| peer.parse().unwrap());
    let app = start_pinning(&named).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    assert_eq!(offer(&app, &[relayed]).await, 200);
    for peer in named.into_iter().filter(SocketAddr::is_ipv4) {
        assert_eq!(client.permit(peer), 403, "{peer}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_names_somebody_elses_address_gets_nothing_by_it() {
    let peer = socket();
    let app = start_claiming(&[addr(&peer)], "").await;
    let mut victim = Client::on(socket_at("127.0.0.9:0"), app.turn_addrs()[1]);
    let relayed = victim.allocated();

    assert_eq!(offer(&app, &[relayed]).await, 200, "an address of another relay would look the same");

    eventually(|| metric(&app, "turnpike_turn_allocation_claims_total{result=\"not_proven\"}") == 1.0);
    assert_eq!(victim.permit(addr(&peer)), 403);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_takes_the_place_of_credentials() {
    let peer = socket();
    let app = start_claiming(&[addr(&peer)], "").await;
    let mut client = anonymous(&app);
    let relayed = client.allocated();
    assert_eq!(client.permit(addr(&peer)), 403);
    assert_eq!(metric(&app, "turnpike_turn_allocations_anonymous"), 1.0);

    assert_eq!(offer(&app, &[relayed]).await, 200);

    exchange(&mut client, &peer);
    assert_eq!(metric(&app, "turnpike_turn_allocations_anonymous"), 0.0, "the session answers for it");
    assert_eq!(client.delete(), 0);
    eventually(|| metric(&app, "turnpike_sessions_ended_total{reason=\"relay\"}") == 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_without_an_offer_ends_and_leaves_its_place() {
    let app = start_claiming(&[], "claim_patience = \"1s\"\nallocations_per_source = 2\n").await;
    let mut clients: Vec<Client> = (0..3).map(|_| anonymous(&app)).collect();
    let codes: Vec<u16> = clients.iter_mut().map(|client| code(&client.allocate())).collect();
    assert_eq!(codes, [0, 0, 486]);
    // A flood from one address keeps no other from being served.
    assert_eq!(code(&Client::on(socket_at("127.0.0.9:0"), app.turn_addrs()[1]).allocate()), 0);

    eventually(|| metric(&app, "turnpike_turn_allocations_ended_total{reason=\"unclaimed\"}") == 3.0);

    assert_eq!(metric(&app, "turnpike_turn_allocations_anonymous"), 0.0);
    assert_eq!(code(&clients[2].allocate()), 0);
    app.stop().await;
}

/// Credentials of the gateway for a user, at the first listener.
async fn granted(app: &App, user_id: &str) -> Client {
    let path = format!("/skin/webrtc/ice-servers?user_id={user_id}");
    let key = "api-key: 0123456789abcdef\r\n";
    let (status, body) = request(app.gateway_addr(), "GET", &path, key, "").await;
    assert_eq!(status, 200, "{body}");
    let list: serde_json::Value = serde_json::from_str(&body).unwrap();
    let server = &list["iceServers"][0];
    let text = |name: &str| server[name].as_str().unwrap().to_owned();
    Client::new(app.turn_addrs()[0]).named(text("username"), text("credential"))
}

fn granting_config() -> String {
    let urls = "[gateway.ice_servers]\nurls = [\"turn:127.0.0.1:3478?transport=udp\"]\n";
    let secret = "[[turn.secrets]]\nsecret = \"0123456789abcdef\"\n";
    let config = CONFIG.replace("[admin]", &format!("{urls}[admin]"));
    config.replace("[gateway]", &format!("{secret}[gateway]"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_of_one_session_and_over_with_it() {
    let app = start_with_answer(&granting_config(), 200, "v=0\r\n".to_owned()).await;
    let mut client = granted(&app, "ann").await;
    let relayed = client.allocated();
    assert_eq!(offer_of(&app, &[relayed], Some("ann")).await, 200);
    eventually(|| metric(&app, "turnpike_sessions{state=\"claimed\"}") == 1.0);

    // What else the grant allocates is the session's.
    let mut second = client.on_another_socket();
    second.allocated();
    eventually(|| metric(&app, "turnpike_turn_allocation_claims_total{result=\"claimed\"}") == 2.0);

    let (_, list) = request(app.admin_addr(), "GET", "/admin/v1/sessions?state=claimed", "", "").await;
    let listed: serde_json::Value = serde_json::from_str(&list).unwrap();
    let id = listed["sessions"][0]["id"].as_str().unwrap();
    assert_eq!(request(app.admin_addr(), "DELETE", &format!("/admin/v1/sessions/{id}"), "", "").await.0, 204);

    eventually(|| metric(&app, "turnpike_turn_allocations_ended_total{reason=\"session_ended\"}") == 2.0);
    assert_eq!(metric(&app, "turnpike_turn_grants_blocked"), 1.0);
    assert_eq!(code(&client.on_another_socket().allocate()), 401, "played again after the end");
    assert_eq!(metric(&app, "turnpike_turn_allocations_refused_total{reason=\"grant_ended\"}"), 1.0);
    assert_eq!(code(&granted(&app, "ann").await.allocate()), 0, "a new one is good");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_need_not_name_all_that_its_grant_has_allocated() {
    let config = granting_config().replace("workers = 2", "workers = 4");
    let app = start_with_answer(&config, 200, "v=0\r\n".to_owned()).await;
    let mut client = granted(&app, "ann").await;
    let relayed = client.allocated();
    // On any of the workers.
    let mut unnamed: Vec<Client> = (0..8).map(|_| client.on_another_socket()).collect();
    for client in &mut unnamed {
        client.allocated();
    }

    assert_eq!(offer_of(&app, &[relayed], Some("ann")).await, 200);

    eventually(|| metric(&app, "turnpike_turn_allocation_claims_total{result=\"claimed\"}") == 9.0);
    let (_, list) = request(app.admin_addr(), "GET", "/admin/v1/sessions?state=claimed", "", "").await;
    let listed: serde_json::Value = serde_json::from_str(&list).unwrap();
    let id = listed["sessions"][0]["id"].as_str().unwrap();
    assert_eq!(request(app.admin_addr(), "DELETE", &format!("/admin/v1/sessions/{id}"), "", "").await.0, 204);
    eventually(|| metric(&app, "turnpike_turn_allocations_ended_total{reason=\"session_ended\"}") == 9.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_offer_names_all_that_its_grant_has_allocated_ends_with_them() {
    let config = granting_config().replace("workers = 2", "workers = 4");
    let app = start_with_answer(&config, 200, "v=0\r\n".to_owned()).await;
    let client = granted(&app, "ann").await;
    let mut clients: Vec<Client> = (0..6).map(|_| client.on_another_socket()).collect();
    let relayed: Vec<SocketAddr> = clients.iter_mut().map(Client::allocated).collect();
    let twice = [relayed.clone(), relayed].concat();

    assert_eq!(offer_of(&app, &twice, Some("ann")).await, 200);
    eventually(|| metric(&app, "turnpike_sessions{state=\"claimed\"}") == 1.0);
    for client in &mut clients {
        assert_eq!(client.delete(), 0);
    }

    eventually(|| metric(&app, "turnpike_sessions_ended_total{reason=\"relay\"}") == 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_goes_on_with_another_offer() {
    let peer = socket();
    let line = format!("a=candidate:1 1 udp 1 127.0.0.1 {} typ host\r\n", addr(&peer).port());
    let config = granting_config().replace("allow = [\"127.0.0.0/8\"]", ANSWERS);
    let sdp = format!("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n{line}");
    let app = start_with_answer(&config, 200, sdp).await;
    let mut client = granted(&app, "ann").await;
    let relayed = client.allocated();
    assert_eq!(offer_of(&app, &[relayed], Some("ann")).await, 200);
    eventually(|| metric(&app, "turnpike_sessions{state=\"claimed\"}") == 1.0);

    // Its page has lost the connection, and begins anew with what it has.
    let mut second = client.on_another_socket();
    let relayed_too = second.allocated();
    assert_eq!(offer_of(&app, &[relayed, relayed_too], Some("ann")).await, 200);

    eventually(|| metric(&app, "turnpike_sessions_ended_total{reason=\"relay\"}") == 1.0);
    assert_eq!(metric(&app, "turnpike_sessions{state=\"claimed\"}"), 1.0);
    exchange(&mut second, &peer);
    assert_eq!(code(&client.on_another_socket().allocate()), 0, "the grant is the new session's");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_of_another_user_proves_nothing() {
    let app = start_with_answer(&granting_config(), 200, "v=0\r\n".to_owned()).await;
    let mut client = granted(&app, "ann").await;
    let relayed = client.allocated();

    assert_eq!(offer_of(&app, &[relayed], Some("mallory")).await, 200);

    eventually(|| metric(&app, "turnpike_turn_allocation_claims_total{result=\"not_proven\"}") == 1.0);
    assert_eq!(offer_of(&app, &[relayed], Some("ann")).await, 200);
    eventually(|| metric(&app, "turnpike_turn_allocation_claims_total{result=\"claimed\"}") == 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_that_fails_leaves_the_grant() {
    let app = start_with_answer(&granting_config(), 500, "v=0\r\n".to_owned()).await;
    let mut client = granted(&app, "ann").await;
    let relayed = client.allocated();
    for _ in 0..2 {
        assert_eq!(offer_of(&app, &[relayed], Some("ann")).await, 500);
    }
    eventually(|| metric(&app, "turnpike_turn_allocation_claims_total{result=\"claimed\"}") == 2.0);
    assert_eq!(code(&client.on_another_socket().allocate()), 0);
    app.stop().await;
}

const BACKEND_PWD: &str = "backendbackendbackend0";

/// Everything, in front of a backend that answers with ICE credentials.
async fn start_with_ice(config: &str) -> App {
    let sdp = format!("v=0\r\nm=video 9 RTP 0\r\na=ice-ufrag:back\r\na=ice-pwd:{BACKEND_PWD}\r\n");
    start_with_answer(config, 200, sdp).await
}

/// A connectivity check of a client to the backend (RFC 8445 §7.2.2).
fn check(username: &str, password: &str) -> Vec<u8> {
    let mut message = Vec::new();
    MessageWriter::begin(&mut message, Method::Binding, Class::Request, TransactionId([7; 12]))
        .bytes(attribute::USERNAME, username.as_bytes())
        .sign(&Key::new(Integrity::Sha1, password.as_bytes()));
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_that_no_offer_names_is_known_by_its_first_check() {
    let peer = socket();
    let app = start_with_ice(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    // Its client sends the offer before it has any candidates.
    assert_eq!(offer(&app, &[]).await, 200);
    client.allocated();
    assert_eq!(client.bind(0x4000, addr(&peer)), 0);

    // Without the password of the answer, and with fragments of nobody, it is nobody's.
    for (username, password) in [("back:1ZMZ", "0123456789abcdefghijkl"), ("back:else", BACKEND_PWD)] {
        client.send_on_channel(0x4000, &check(username, password));
        receive(&peer);
    }
    client.send_on_channel(0x4000, &check("back:1ZMZ", BACKEND_PWD));
    receive(&peer);

    eventually(|| metric(&app, "turnpike_sessions{state=\"claimed\"}") == 1.0);
    assert_eq!(metric(&app, "turnpike_turn_allocation_claims_total{result=\"claimed\"}"), 1.0);
    assert_eq!(metric(&app, "turnpike_turn_allocation_claims_total{result=\"not_proven\"}"), 0.0);
    assert_eq!(client.delete(), 0);
    eventually(|| metric(&app, "turnpike_sessions_ended_total{reason=\"relay\"}") == 1.0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_checks_of_an_allocation_are_looked_at() {
    let peer = socket();
    let app = start_with_ice(CONFIG).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    client.allocated();
    assert_eq!(client.bind(0x4000, addr(&peer)), 0);
    for _ in 0..8 {
        client.send_on_channel(0x4000, &check("back:1ZMZ", BACKEND_PWD));
        receive(&peer);
    }
    assert_eq!(offer(&app, &[]).await, 200);

    client.send_on_channel(0x4000, &check("back:1ZMZ", BACKEND_PWD));
    receive(&peer);
    let mut other = client.on_another_socket();
    other.allocated();
    assert_eq!(other.bind(0x4000, addr(&peer)), 0);
    other.send_on_channel(0x4000, &check("back:1ZMZ", BACKEND_PWD));

    eventually(|| metric(&app, "turnpike_sessions{state=\"claimed\"}") == 1.0);
    assert_eq!(metric(&app, "turnpike_turn_allocation_claims_total{result=\"claimed\"}"), 1.0, "the other's");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_takes_along_what_it_was_granted() {
    let app = start_with_answer(&granting_config(), 200, "v=0\r\n".to_owned()).await;
    let mut client = granted(&app, "ann").await;
    client.allocated();

    let revoke = request(app.admin_addr(), "POST", "/admin/v1/keys/app/revoke", "", "").await;

    assert_eq!(revoke.0, 200, "{}", revoke.1);
    eventually(|| metric(&app, "turnpike_turn_allocations_ended_total{reason=\"session_ended\"}") == 1.0);
    assert_eq!(code(&client.on_another_socket().allocate()), 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_one_name_have_each_their_own_bandwidth_once_an_offer_names_them() {
    let config =
        CONFIG.replace("[turn.peers]", "[turn.limits]\nbandwidth_per_user = \"80kbit\"\n[turn.peers]");
    let app = start_with_answer(&config, 200, "v=0\r\n".to_owned()).await;
    let (peer, mut passed) = (socket(), Vec::new());
    for user in ["ann", "bob"] {
        let mut client = Client::new(app.turn_addrs()[0]);
        let relayed = client.allocated();
        assert_eq!(offer_of(&app, &[relayed], Some(user)).await, 200);
        assert_eq!(client.bind(0x4000, addr(&peer)), 0);
        let before = metric(&app, "turnpike_relay_dropped_packets_total{reason=\"bandwidth_user\"}");
        (0..100).for_each(|_| client.send_on_channel(0x4000, &[0; 1000]));
        // What the server answers next, it does after these.
        assert_eq!(client.bind(0x4000, addr(&peer)), 0);
        let after = metric(&app, "turnpike_relay_dropped_packets_total{reason=\"bandwidth_user\"}");
        passed.push(100.0 - (after - before));
    }
    assert!(passed[0] < 50.0, "ann is limited: {passed:?}");
    assert!(passed[1] >= passed[0] / 2.0 && passed[1] > 1.0, "bob has his own: {passed:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_is_refused_while_the_relay_has_no_bandwidth_left() {
    let config = CONFIG.replace("[turn.peers]", "[turn.limits]\nbandwidth = \"800kbit\"\n[turn.peers]");
    let app = start_with_answer(&config, 200, "v=0\r\n".to_owned()).await;
    let peer = socket();
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    assert_eq!(offer(&app, &[relayed]).await, 200);
    assert_eq!(client.bind(0x4000, addr(&peer)), 0);

    let mut status = 200;
    for _ in 0..50 {
        // Far more than there is, until it has been too much for a second.
        for _ in 0..10 {
            (0..20).for_each(|_| client.send_on_channel(0x4000, &[0; 1000]));
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        status = offer(&app, &[]).await;
        if status != 200 {
            break;
        }
    }

    assert_eq!(status, 503);
    assert_eq!(metric(&app, "turnpike_sessions_refused_total{cause=\"relay_busy\"}"), 1.0);
    app.stop().await;
}
