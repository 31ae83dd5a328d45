//! A server in this process, and a TURN client that speaks bytes.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use turnpike::app::App;
use turnpike::config::{self, Settings};
use turnpike::wire::attribute::{self, AttributeType};
use turnpike::wire::{ChannelData, ChannelNumber, Class, Key, Message, MessageWriter, Method, TransactionId};

/// A configuration on free ports of loopback, in which alice may allocate and loopback addresses are peers.
pub(crate) const CONFIG: &str = r#"
[turn]
listen = ["127.0.0.1:0"]
realm = "example.org"
workers = 2
[turn.peers]
allow = ["127.0.0.0/8"]
[[turn.users]]
name = "alice"
password = "wonderland"
[gateway]
listen = "127.0.0.1:0"
[[gateway.keys]]
id = "app"
key = "0123456789abcdef"
[admin]
listen = "127.0.0.1:0"
"#;

/// The settings of a configuration.
pub(crate) fn settings(toml: &str) -> Settings {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    config::load(file.path(), std::iter::empty()).unwrap()
}

/// A server with this configuration.
pub(crate) async fn start(toml: &str) -> App {
    App::start(&settings(toml)).await.unwrap()
}

/// The sum of the samples with this name and at least these labels, such as `turnpike_relay_bytes_total{direction="to_peer"}`.
pub(crate) fn metric(app: &App, sample: &str) -> f64 {
    metric_of(&app.metrics().exposition().unwrap(), sample)
}

/// The same in a scrape.
pub(crate) fn metric_of(text: &str, sample: &str) -> f64 {
    let split = |series: &str| -> (String, Vec<String>) {
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        (name.to_owned(), labels.map(str::to_owned).collect())
    };
    let (name, wanted) = split(sample);
    let samples = text.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (found, labels) = split(series);
        let is_wanted = found == name && wanted.iter().all(|label| labels.contains(label));
        is_wanted.then(|| value.parse::<f64>().unwrap())
    });
    let values: Vec<f64> = samples.collect();
    assert!(!values.is_empty(), "no {sample} in\n{text}");
    values.iter().sum()
}

/// Looks again and again until it is so.
#[expect(clippy::disallowed_methods, reason = "a test has a deadline")]
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within five seconds");
        std::thread::yield_now();
    }
}

/// A datagram socket on loopback that gives up after five seconds.
pub(crate) fn socket() -> UdpSocket {
    socket_at("127.0.0.1:0")
}

/// The same on another address.
pub(crate) fn socket_at(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

/// What comes next, and from where.
pub(crate) fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (len, from) = socket.recv_from(&mut buffer).expect("a datagram within five seconds");
    buffer.truncate(len);
    (buffer, from)
}

/// How messages travel between a client and the server.
pub(crate) trait Link {
    /// Sends a message or ChannelData.
    fn send(&mut self, server: SocketAddr, message: &[u8]);
    /// The next message or ChannelData that comes.
    fn receive(&mut self, server: SocketAddr) -> Vec<u8>;
}

impl Link for UdpSocket {
    fn send(&mut self, server: SocketAddr, message: &[u8]) {
        self.send_to(message, server).unwrap();
    }

    fn receive(&mut self, server: SocketAddr) -> Vec<u8> {
        let (message, from) = receive(self);
        assert_eq!(from, server, "the answer comes from the address that was asked");
        message
    }
}

/// Alice, or whoever she is made to be.
pub(crate) struct Client<L = UdpSocket> {
    pub(crate) socket: L,
    pub(crate) server: SocketAddr,
    username: String,
    password: String,
    nonce: Vec<u8>,
    transaction: u8,
}

impl Client {
    pub(crate) fn new(server: SocketAddr) -> Self {
        Self::on(socket(), server)
    }

    /// The same user on another socket.
    pub(crate) fn on_another_socket(&self) -> Self {
        Self::new(self.server).named(self.username.clone(), self.password.clone())
    }
}

impl<L: Link> Client<L> {
    /// Alice behind this socket.
    pub(crate) fn on(socket: L, server: SocketAddr) -> Self {
        let (username, password) = ("alice".into(), "wonderland".into());
        Self { socket, server, username, password, nonce: Vec::new(), transaction: 0 }
    }

    /// The same client under another name.
    pub(crate) fn named(self, username: String, password: String) -> Self {
        Self { username, password, ..self }
    }

    /// Sends a request, authenticating when asked to; returns the answer.
    pub(crate) fn request(
        &mut self,
        method: Method,
        write: impl Fn(MessageWriter<'_>) -> MessageWriter<'_>,
    ) -> Vec<u8> {
        let answer = self.ask(method, &write);
        if !matches!(code(&answer), 401 | 438) {
            return answer;
        }
        self.nonce = Message::parse(&answer).unwrap().find(attribute::NONCE).unwrap().to_vec();
        self.ask(method, &write)
    }

    fn ask(&mut self, method: Method, write: impl Fn(MessageWriter<'_>) -> MessageWriter<'_>) -> Vec<u8> {
        self.transaction += 1;
        let transaction = TransactionId([self.transaction; 12]);
        let mut request = Vec::new();
        let writer = write(MessageWriter::begin(&mut request, method, Class::Request, transaction));
        if !self.nonce.is_empty() {
            writer
                .bytes(attribute::USERNAME, self.username.as_bytes())
                .bytes(attribute::REALM, b"example.org")
                .bytes(attribute::NONCE, &self.nonce)
                .sign(&Key::long_term(self.username.as_bytes(), "example.org", &self.password));
        }
        self.socket.send(self.server, &request);
        let answer = self.socket.receive(self.server);
        assert_eq!(Message::parse(&answer).unwrap().transaction(), transaction);
        answer
    }

    pub(crate) fn allocate(&mut self) -> Vec<u8> {
        self.request(Method::Allocate, |writer| {
            writer.bytes(attribute::REQUESTED_TRANSPORT, &[attribute::TRANSPORT_UDP, 0, 0, 0])
        })
    }

    /// Allocates, and returns the relayed address.
    pub(crate) fn allocated(&mut self) -> SocketAddr {
        let answer = self.allocate();
        assert_eq!(code(&answer), 0);
        address(&answer, attribute::XOR_RELAYED_ADDRESS)
    }

    pub(crate) fn delete(&mut self) -> u16 {
        code(&self.request(Method::Refresh, |writer| writer.u32(attribute::LIFETIME, 0)))
    }

    pub(crate) fn permit(&mut self, peer: SocketAddr) -> u16 {
        code(
            &self.request(Method::CreatePermission, |writer| {
                writer.address(attribute::XOR_PEER_ADDRESS, peer)
            }),
        )
    }

    pub(crate) fn bind(&mut self, channel: u16, peer: SocketAddr) -> u16 {
        let [high, low] = channel.to_be_bytes();
        code(&self.request(Method::ChannelBind, |writer| {
            writer
                .bytes(attribute::CHANNEL_NUMBER, &[high, low, 0, 0])
                .address(attribute::XOR_PEER_ADDRESS, peer)
        }))
    }

    pub(crate) fn send_on_channel(&mut self, channel: u16, payload: &[u8]) {
        let mut datagram =
            ChannelData::header(ChannelNumber::new(channel).unwrap(), payload.len() as u16).to_vec();
        datagram.extend_from_slice(payload);
        self.socket.send(self.server, &datagram);
    }

    pub(crate) fn send_indication(&mut self, peer: SocketAddr, payload: &[u8]) {
        self.indicate(peer, payload, |writer| writer);
    }

    /// Sends data that the network must not cut into fragments.
    pub(crate) fn send_indication_whole(&mut self, peer: SocketAddr, payload: &[u8]) {
        self.indicate(peer, payload, |writer| writer.bytes(attribute::DONT_FRAGMENT, b""));
    }

    fn indicate(
        &mut self,
        peer: SocketAddr,
        payload: &[u8],
        write: impl FnOnce(MessageWriter<'_>) -> MessageWriter<'_>,
    ) {
        let mut datagram = Vec::new();
        let writer =
            MessageWriter::begin(&mut datagram, Method::Send, Class::Indication, TransactionId([0xdd; 12]))
                .address(attribute::XOR_PEER_ADDRESS, peer)
                .bytes(attribute::DATA, payload);
        write(writer);
        self.socket.send(self.server, &datagram);
    }
}

/// The error code of an answer, or 0 for a success.
pub(crate) fn code(answer: &[u8]) -> u16 {
    let message = Message::parse(answer).unwrap();
    message.find(attribute::ERROR_CODE).map_or(0, |value| u16::from(value[2]) * 100 + u16::from(value[3]))
}

pub(crate) fn address(answer: &[u8], kind: AttributeType) -> SocketAddr {
    Message::parse(answer).unwrap().find_address(kind).unwrap().unwrap()
}

pub(crate) const DEADLINE: Duration = Duration::from_secs(5);
