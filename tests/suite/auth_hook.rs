//! Users whom only the operator's service knows: how the workers wait for it, and how it is asked over HTTP.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use turnpike::app::App;
use turnpike::relay::{Answer, AuthHook, HookSettings, Partners, Question, Relay};
use turnpike::secret::Secret;
use turnpike::telemetry::Metrics;
use turnpike::turn::credential::UserKey;
use turnpike::wire::attribute::{self, MOBILITY_TICKET, NONCE, REQUESTED_TRANSPORT};
use turnpike::wire::{Class, Key, Message, MessageWriter, Method, TransactionId};

use crate::stream_client::{Certificate, Frames, connect, over_tcp};
use crate::support::*;

/// A relay of four workers, and the questions that it asks.
struct Asking {
    relay: Relay,
    metrics: Metrics,
    questions: Receiver<Question>,
}

fn asking(hook: HookSettings) -> Asking {
    asking_with(hook, "workers = 4\nmobility = true")
}

fn asking_with(hook: HookSettings, options: &str) -> Asking {
    // What strangers are answered is not what is tested here.
    let limits = "[turn.limits]\nunauthenticated_per_second = 0\n";
    let settings = settings(&(CONFIG.replace("workers = 2", options) + limits));
    let (sender, questions) = channel();
    let hook = AuthHook { settings: hook, ask: Box::new(move |question| sender.send(question).unwrap()) };
    let partners = Partners { hook: Some(hook), ..Partners::default() };
    let metrics = Metrics::new();
    let relay = Relay::start(&settings.relay, &settings.turn, &metrics, partners, || ()).unwrap();
    Asking { relay, metrics, questions }
}

impl Asking {
    fn udp(&self) -> SocketAddr {
        self.relay.local_addrs()[0]
    }

    fn question(&self) -> Question {
        self.questions.recv_timeout(DEADLINE).expect("a question within five seconds")
    }

    fn metric(&self, sample: &str) -> f64 {
        let text = self.metrics.exposition().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {sample} in\n{text}")).parse().unwrap()
    }

    fn waiting(&self) -> f64 {
        self.metric("turnpike_auth_hook_waiting_requests")
    }

    fn turned_away(&self, bound: &str) -> f64 {
        self.metric(&format!("turnpike_auth_hook_turned_away_total{{bound=\"{bound}\"}}"))
    }
}

fn granted() -> Answer {
    Answer::Granted { key: UserKey::Password(Secret::new("tea party")), keep_for: None, expires: None }
}

fn carol(server: SocketAddr) -> Client {
    Client::new(server).named("carol".into(), "tea party".into())
}

/// A nonce for requests from this socket.
fn nonce(socket: &UdpSocket, server: SocketAddr) -> Vec<u8> {
    let mut request = Vec::new();
    MessageWriter::begin(&mut request, Method::Allocate, Class::Request, TransactionId([0; 12]));
    socket.send_to(&request, server).unwrap();
    Message::parse(&receive(socket).0).unwrap().find(NONCE).unwrap().to_vec()
}

/// An Allocate request of a user whose password is `tea party`.
fn allocate(username: &str, nonce: &[u8], number: u32) -> Vec<u8> {
    let mut transaction = [1; 12];
    transaction[..4].copy_from_slice(&number.to_be_bytes());
    let mut request = Vec::new();
    MessageWriter::begin(&mut request, Method::Allocate, Class::Request, TransactionId(transaction))
        .bytes(REQUESTED_TRANSPORT, &[attribute::TRANSPORT_UDP, 0, 0, 0])
        .bytes(attribute::USERNAME, username.as_bytes())
        .bytes(attribute::REALM, b"example.org")
        .bytes(NONCE, nonce)
        .sign(&Key::long_term(username.as_bytes(), "example.org", "tea party"));
    request
}

/// Sends such a request from a socket of its own, without waiting for what comes of it.
fn sent_from(ip: &str, username: &str, server: SocketAddr) -> UdpSocket {
    let socket = socket_at(&format!("{ip}:0"));
    let nonce = nonce(&socket, server);
    socket.send_to(&allocate(username, &nonce, 1), server).unwrap();
    socket
}

fn is_silent(socket: &UdpSocket) -> bool {
    socket.set_nonblocking(true).unwrap();
    let is_silent = socket.recv_from(&mut [0; 64]).is_err();
    socket.set_nonblocking(false).unwrap();
    is_silent
}

#[test]
fn one_question_lets_all_requests_of_a_user_go_on() {
    let net = asking(HookSettings::default());
    let (udp, tcp) = (net.udp(), net.relay.stream_addrs()[0]);
    let over_udp: Vec<UdpSocket> = (0..12).map(|_| sent_from("127.0.0.1", "carol", udp)).collect();
    let over_tcp = std::thread::spawn(move || {
        let mut client = over_tcp(tcp).named("carol".into(), "tea party".into());
        (code(&client.allocate()), client)
    });
    let question = net.question();
    assert_eq!((question.username(), question.realm()), ("carol", "example.org"));
    assert_eq!(question.client().ip(), udp.ip());
    eventually(|| net.waiting() == 13.0);
    assert!(over_udp.iter().all(is_silent), "nobody is answered before it is decided");
    question.answer(granted());
    assert!(over_udp.iter().all(|socket| code(&receive(socket).0) == 0));
    let (code_over_tcp, _client) = over_tcp.join().unwrap();
    assert_eq!(code_over_tcp, 0, "nobody had to send again");
    assert_eq!(code(&carol(udp).allocate()), 0, "from now on carol is known");
    assert!(net.questions.try_recv().is_err());
    assert_eq!(net.metric("turnpike_auth_hook_questions_total{result=\"granted\"}"), 1.0);
    assert_eq!(net.metric("turnpike_auth_hook_answers{answer=\"granted\"}"), 1.0);
    assert_eq!(net.waiting(), 0.0);
    net.relay.stop();
}

#[test]
fn a_retransmission_waits_only_once() {
    let net = asking(HookSettings::default());
    let client = socket();
    let nonce = nonce(&client, net.udp());
    for number in [1, 1, 1, 2] {
        client.send_to(&allocate("carol", &nonce, number), net.udp()).unwrap();
    }
    let question = net.question();
    eventually(|| net.waiting() == 2.0);
    question.answer(granted());
    assert_eq!(code(&receive(&client).0), 0);
    assert_eq!(code(&receive(&client).0), 437);
    assert!(is_silent(&client));
    net.relay.stop();
}

#[test]
fn whoever_is_refused_or_has_another_password_is_401_and_not_asked_about_again() {
    let hook = HookSettings { negative_cache: Duration::from_secs(1), ..HookSettings::default() };
    let net = asking(hook);
    let dora = sent_from("127.0.0.1", "dora", net.udp());
    net.question().answer(Answer::Refused { keep_for: None });
    assert_eq!(code(&receive(&dora).0), 401);
    for _ in 0..8 {
        assert_eq!(code(&receive(&sent_from("127.0.0.1", "dora", net.udp())).0), 401);
    }
    let wrong =
        Answer::Granted { key: UserKey::Password(Secret::new("coffee")), keep_for: None, expires: None };
    let carol = sent_from("127.0.0.1", "carol", net.udp());
    net.question().answer(wrong);
    assert_eq!(code(&receive(&carol).0), 401);
    assert_eq!(code(&receive(&sent_from("127.0.0.1", "carol", net.udp())).0), 401);
    assert!(net.questions.try_recv().is_err());
    assert_eq!(net.metric("turnpike_auth_hook_answers{answer=\"denied\"}"), 1.0);

    // A refusal ends sooner than what is known of a user.
    let mut again = None;
    eventually(|| {
        sent_from("127.0.0.1", "dora", net.udp());
        again = net.questions.try_recv().ok();
        again.is_some()
    });
    assert_eq!(again.unwrap().username(), "dora");
    net.relay.stop();
}

#[test]
fn a_question_without_an_answer_is_500_and_asked_again_after_a_while() {
    let net = asking(HookSettings::default());
    let first = sent_from("127.0.0.1", "carol", net.udp());
    drop(net.question());
    assert_eq!(code(&receive(&first).0), 500);
    let next = sent_from("127.0.0.1", "carol", net.udp());
    assert_eq!(code(&receive(&next).0), 500, "at once");
    assert!(net.questions.try_recv().is_err());
    // From one socket: an answer to one of many would come to whoever gets its port next.
    let socket = socket_at("127.0.0.2:0");
    let nonce = nonce(&socket, net.udp());
    let mut numbers = 1..;
    let mut again = None;
    eventually(|| {
        let request = allocate("carol", &nonce, numbers.next().unwrap());
        socket.send_to(&request, net.udp()).unwrap();
        again = net.questions.try_recv().ok();
        again.is_some()
    });
    assert_eq!(net.metric("turnpike_auth_hook_questions_total{result=\"failed\"}"), 1.0);
    net.relay.stop();
}

#[test]
fn questions_are_bounded_and_what_is_beyond_is_not_asked() {
    let hook = HookSettings { max_questions: 3, max_questions_per_source: 2, ..HookSettings::default() };
    let net = asking(hook);
    let mut waiting =
        vec![sent_from("127.0.0.1", "one", net.udp()), sent_from("127.0.0.1", "two", net.udp())];
    let mut questions = vec![net.question(), net.question()];
    let third = sent_from("127.0.0.1", "three", net.udp());
    eventually(|| net.turned_away("questions_of_source") == 1.0);
    waiting.push(sent_from("127.0.0.2", "four", net.udp()));
    questions.push(net.question());
    let fifth = sent_from("127.0.0.3", "five", net.udp());
    eventually(|| net.turned_away("questions") == 1.0);
    let over_tcp = over_tcp(net.relay.stream_addrs()[0]);
    let mut over_tcp = over_tcp.named("six".into(), "tea party".into());
    assert_eq!(code(&over_tcp.allocate()), 500, "a client that does not send again is told");
    assert!(is_silent(&third) && is_silent(&fifth));

    questions.into_iter().for_each(|question| question.answer(granted()));
    assert!(waiting.iter().all(|socket| code(&receive(socket).0) == 0));
    let third = sent_from("127.0.0.1", "three", net.udp());
    net.question().answer(granted());
    assert_eq!(code(&receive(&third).0), 0, "there is room again");
    net.relay.stop();
}

#[test]
fn requests_that_wait_are_bounded() {
    let net = asking_with(HookSettings::default(), "workers = 1");
    let mut sent = 0;
    // 64 of each source, but the last of all only until 1024 wait.
    let clients: Vec<UdpSocket> = (1..=17).map(|host| socket_at(&format!("127.0.2.{host}:0"))).collect();
    for client in &clients {
        let nonce = nonce(client, net.udp());
        for number in 1..=70 {
            client.send_to(&allocate("carol", &nonce, number), net.udp()).unwrap();
        }
        sent += 70;
        let turned_away =
            || net.turned_away("waiting_requests") + net.turned_away("waiting_requests_of_source");
        eventually(|| net.waiting() + turned_away() == f64::from(sent));
    }
    assert_eq!(net.waiting(), 1024.0);
    assert_eq!(net.turned_away("waiting_requests_of_source"), 16.0 * 6.0);
    assert_eq!(net.turned_away("waiting_requests"), 70.0);
    net.question().answer(granted());
    assert_eq!(code(&receive(&clients[0]).0), 0);
    eventually(|| net.waiting() == 0.0);
    net.relay.stop();
}

#[test]
fn a_client_that_leaves_while_it_waits_is_forgotten() {
    let net = asking(HookSettings::default());
    let server = net.relay.stream_addrs()[0];
    let mut client = Frames::new(connect(server));
    let mut stranger = Vec::new();
    MessageWriter::begin(&mut stranger, Method::Allocate, Class::Request, TransactionId([0; 12]));
    client.send(server, &stranger);
    let nonce = Message::parse(&client.next()).unwrap().find(NONCE).unwrap().to_vec();
    client.send(server, &allocate("carol", &nonce, 1));
    let question = net.question();
    drop(client);
    eventually(|| net.metric("turnpike_relay_connections{transport=\"tcp\"}") == 0.0);
    question.answer(granted());
    eventually(|| net.waiting() == 0.0);
    assert_eq!(net.metric("turnpike_turn_allocations_created_total"), 0.0);
    net.relay.stop();
}

// RFC 8016 §3.2.2
#[test]
fn sessions_move_between_workers_by_what_is_known_of_their_user() {
    let net = asking(HookSettings::default());
    let waits = sent_from("127.0.0.1", "carol", net.udp());
    net.question().answer(granted());
    assert_eq!(code(&receive(&waits).0), 0);
    let mut client = carol(net.udp());
    let answer = client.request(Method::Allocate, |writer| {
        writer.bytes(REQUESTED_TRANSPORT, &[17, 0, 0, 0]).bytes(MOBILITY_TICKET, b"")
    });
    let ticket_of = |answer: &[u8]| {
        assert_eq!(code(answer), 0);
        Message::parse(answer).unwrap().find(MOBILITY_TICKET).unwrap().to_vec()
    };
    let mut ticket = ticket_of(&answer);
    for _ in 0..12 {
        client = carol(net.udp());
        ticket = ticket_of(&client.request(Method::Refresh, |writer| writer.bytes(MOBILITY_TICKET, &ticket)));
    }
    assert!(net.questions.try_recv().is_err());
    assert_eq!(net.metric("turnpike_turn_allocations_moved_total"), 12.0);
    net.relay.stop();
}

/// What the service is to answer about each name.
async fn answer_as_named(headers: http::HeaderMap, body: axum::body::Bytes) -> axum::response::Response {
    use axum::response::IntoResponse;
    assert_eq!(headers["authorization"], "Bearer 0123456789abcdef");
    assert_eq!(headers["content-type"], "application/json");
    let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(asked["realm"], "example.org");
    assert_eq!((&asked["client_ip"], &asked["transport"]), (&"127.0.0.1".into(), &"udp".into()));
    match asked["username"].as_str().unwrap() {
        "by password" => r#"{"password": "tea party"}"#.into_response(),
        // printf 'by key:example.org:tea party' | md5sum
        "by key" => {
            r#"{"key": "af3255055cb39a132fe9a6d1dd96c4d0", "ttl_seconds": 60, "expires_at": 4000000000}"#
                .into_response()
        }
        "not allowed" => r#"{"allow": false}"#.into_response(),
        "forbidden" => http::StatusCode::FORBIDDEN.into_response(),
        "not found" => http::StatusCode::NOT_FOUND.into_response(),
        "moved" => (http::StatusCode::FOUND, [("location", "/elsewhere")]).into_response(),
        "broken" => http::StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "malformed" => "{".into_response(),
        "too large" => {
            format!(r#"{{"password": "tea party", "more": "{}"}}"#, "x".repeat(20_000)).into_response()
        }
        "slow" => std::future::pending().await,
        other => panic!("asked about {other}"),
    }
}

/// A server that asks a service at this URL.
async fn asking_at(url: &str, more: &str) -> App {
    let hook =
        format!("[turn.auth_hook]\nurl = {url:?}\ntoken = \"0123456789abcdef\"\ntimeout = \"500ms\"\n{more}");
    start(&(CONFIG.to_owned() + &hook)).await
}

/// The code that an Allocate request of this user is answered with.
fn code_of(app: &App, username: &str) -> u16 {
    code(&receive(&sent_from("127.0.0.1", username, app.turn_addrs()[0])).0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_asked_over_http() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = listener.local_addr().unwrap();
    let router = axum::Router::new().route("/turn", axum::routing::post(answer_as_named));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let app = asking_at(&format!("http://{service}/turn"), "").await;
    for (username, code) in [
        ("by password", 0),
        ("by key", 0),
        ("not allowed", 401),
        ("forbidden", 401),
        ("not found", 401),
        ("moved", 500),
        ("broken", 500),
        ("malformed", 500),
        ("too large", 500),
        ("slow", 500),
    ] {
        assert_eq!(code_of(&app, username), code, "{username}");
    }
    let results = ["granted", "refused", "failed", "timed_out"]
        .map(|result| metric(&app, &format!("turnpike_auth_hook_questions_total{{result=\"{result}\"}}")));
    assert_eq!(results, [2.0, 3.0, 4.0, 1.0]);
    assert_eq!(code(&Client::new(app.turn_addrs()[0]).allocate()), 0, "alice is known here");
    serving.abort();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_no_service_is_there_only_those_get_in_who_are_known_here() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let app = asking_at(&format!("http://{nobody}/turn"), "").await;
    assert_eq!(code_of(&app, "carol"), 500);
    assert_eq!(code(&Client::new(app.turn_addrs()[0]).allocate()), 0);
    app.stop().await;
}

/// Serves connections with TLS for ever, and answers each request with this body.
fn serve_tls(certificate: &Certificate, body: &'static str) -> SocketAddr {
    use std::io::{Read, Write};
    #[expect(clippy::disallowed_methods, reason = "the certificate is judged by the real clock")]
    let now = std::time::SystemTime::now();
    let config = turnpike::tls::CertificateStore::load(&certificate.files(), &[], now).unwrap().config();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(session, stream.unwrap());
            let mut request = [0; 4096];
            let mut len = 0;
            while !request[..len].ends_with(b"}") {
                match stream.read(&mut request[len..]) {
                    Ok(more) if more > 0 => len += more,
                    // A client that does not trust us goes away in the middle.
                    Ok(_) | Err(_) => break,
                }
            }
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_asked_over_https_if_its_certificate_is_trusted() {
    let certificate = Certificate::new();
    let service = serve_tls(&certificate, r#"{"password": "tea party"}"#);
    let url = format!("https://{service}/turn");
    let trusting = format!("ca_file = {:?}\n", certificate.files().certificate);
    let app = asking_at(&url, &trusting).await;
    assert_eq!(code_of(&app, "carol"), 0);
    app.stop().await;

    let stranger = Certificate::new();
    let other = format!("ca_file = {:?}\n", stranger.files().certificate);
    let app = asking_at(&url, &other).await;
    assert_eq!(code_of(&app, "carol"), 500);
    app.stop().await;
}
