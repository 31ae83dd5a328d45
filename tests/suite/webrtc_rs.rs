//! webrtc-rs's own client as a judge.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Mutex;
use tokio::time::{Duration, timeout};
use turnpike::wire::stream::{Cut, cut};
use webrtc_turn::client::{Client, ClientConfig};
use webrtc_util::Conn;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn webrtc_rs_allocates_and_relays_both_ways() {
    let app = start(CONFIG).await;
    let server = app.turn_addrs()[0].to_string();
    let client = client(&server, "wonderland").await;
    relays_both_ways(&client).await;
    client.close().await.unwrap();
    let metrics = app.metrics().clone();
    app.stop().await;
    let text = metrics.exposition().unwrap();
    assert!(
        text.contains("turnpike_relay_packets_total{transport=\"udp\",direction=\"to_peer\"} 50\n"),
        "{text}"
    );
    assert!(
        text.contains("turnpike_relay_packets_total{transport=\"udp\",direction=\"to_client\"} 50\n"),
        "{text}"
    );
    assert!(text.contains("turnpike_turn_allocations_ended_total{reason=\"deleted\"} 1\n"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn webrtc_rs_relays_both_ways_over_tcp() {
    let app = start(CONFIG).await;
    let server = app.turn_tcp_addrs()[0];
    let client = client_on(StreamConn::connect(server).await, &server.to_string(), "wonderland").await;
    relays_both_ways(&client).await;
    assert_eq!(metric(&app, "turnpike_relay_connections_accepted_total"), 1.0);
    client.close().await.unwrap();
    app.stop().await;
}

async fn relays_both_ways(client: &Client) {
    let relay = client.allocate().await.unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let peer_addr = peer.local_addr().unwrap();

    // Its first packets are Send indications; once its channel is bound, ChannelData follows.
    let mut buffer = vec![0; 1500];
    for number in 0..50_u8 {
        // Of a length that is padded on a stream.
        let payload = [number; 201];
        relay.send_to(&payload, peer_addr).await.unwrap();
        let (len, from) = timeout(DEADLINE, peer.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!((&buffer[..len], from), (&payload[..], relay.local_addr().unwrap()));
        peer.send_to(&payload, from).await.unwrap();
        let (len, from) = timeout(DEADLINE, relay.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert_eq!((&buffer[..len], from), (&payload[..], peer_addr));
    }
    relay.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn webrtc_rs_learns_its_address_by_binding() {
    let app = start(CONFIG).await;
    let server = app.turn_addrs()[0].to_string();
    let client = client(&server, "wonderland").await;
    let mapped = client.send_binding_request().await.unwrap();
    assert!(mapped.ip().is_loopback());
    client.close().await.unwrap();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn webrtc_rs_is_refused_with_a_wrong_password() {
    let app = start(CONFIG).await;
    let server = app.turn_addrs()[0].to_string();
    let client = client(&server, "looking-glass").await;
    let error = client.allocate().await.err().expect("a refusal");
    assert!(error.to_string().contains("401") || error.to_string().contains("Unauth"), "{error}");
    assert_eq!(metric(&app, "turnpike_turn_allocations_created_total"), 0.0);
    client.close().await.unwrap();
    app.stop().await;
}

async fn client(server: &str, password: &str) -> Client {
    client_on(UdpSocket::bind("127.0.0.1:0").await.unwrap(), server, password).await
}

async fn client_on(conn: impl Conn + Send + Sync + 'static, server: &str, password: &str) -> Client {
    let client = Client::new(ClientConfig {
        stun_serv_addr: server.to_owned(),
        turn_serv_addr: server.to_owned(),
        username: "alice".to_owned(),
        password: password.to_owned(),
        realm: "example.org".to_owned(),
        software: String::new(),
        rto_in_ms: 0,
        conn: Arc::new(conn),
        vnet: None,
    })
    .await
    .unwrap();
    client.listen().await.unwrap();
    client
}

/// A connection on which the client, which knows datagrams alone, finds one frame after the other.
struct StreamConn {
    server: SocketAddr,
    local: SocketAddr,
    /// With what was read of the frames to come.
    reader: Mutex<(OwnedReadHalf, Vec<u8>)>,
    writer: Mutex<OwnedWriteHalf>,
}

impl StreamConn {
    async fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let local = stream.local_addr().unwrap();
        let (reader, writer) = stream.into_split();
        Self { server, local, reader: Mutex::new((reader, Vec::new())), writer: Mutex::new(writer) }
    }
}

#[async_trait]
impl Conn for StreamConn {
    async fn connect(&self, _: SocketAddr) -> webrtc_util::Result<()> {
        Ok(())
    }

    async fn recv(&self, buffer: &mut [u8]) -> webrtc_util::Result<usize> {
        let mut reader = self.reader.lock().await;
        let (stream, unread) = &mut *reader;
        loop {
            match cut(unread) {
                Cut::Frame { len, padded_len } => {
                    buffer[..len].copy_from_slice(&unread[..len]);
                    unread.drain(..padded_len);
                    return Ok(len);
                }
                Cut::Need(_) if stream.read_buf(unread).await? > 0 => {}
                Cut::Need(_) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Cut::Garbage => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
            }
        }
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> webrtc_util::Result<(usize, SocketAddr)> {
        Ok((self.recv(buffer).await?, self.server))
    }

    async fn send(&self, message: &[u8]) -> webrtc_util::Result<usize> {
        // The client pads its ChannelData by itself.
        self.writer.lock().await.write_all(message).await?;
        Ok(message.len())
    }

    async fn send_to(&self, message: &[u8], _: SocketAddr) -> webrtc_util::Result<usize> {
        self.send(message).await
    }

    fn local_addr(&self) -> webrtc_util::Result<SocketAddr> {
        Ok(self.local)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        Some(self.server)
    }

    async fn close(&self) -> webrtc_util::Result<()> {
        Ok(self.writer.lock().await.shutdown().await?)
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

const DEADLINE: Duration = Duration::from_secs(5);
