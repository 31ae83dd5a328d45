//! A copy of the whole that runs for a moment: packets go through its relay, and its gateway asks the backends.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::finding::Finding;
use crate::app::App;
use crate::config::Settings;
use crate::probe::{self, ProbeError, Problem, Step, Target, Transport};
use crate::secret::Secret;

/// Starts the copy, uses it, and stops it.
pub(super) async fn run(settings: &Settings) -> Vec<Finding> {
    let app = match App::start(&copy_of(settings)).await {
        Ok(app) => app,
        Err(error) => {
            return vec![Finding::wrong("start", format!("a copy on free ports does not start: {error:#}"))];
        }
    };
    let mut findings = vec![Finding::good("start", "a copy on free ports serves")];
    for (addresses, transport) in [(app.turn_addrs(), Transport::Udp), (app.turn_tcp_addrs(), Transport::Tcp)]
    {
        if let Some(address) = addresses.first() {
            findings.push(relaying(*address, transport).await);
        }
    }
    findings.push(backends(app.gateway_addr()).await);
    app.stop().await;
    findings
}

/// The same on ports of its own, which leaves neither records nor traces and lets the doctor in.
fn copy_of(settings: &Settings) -> Settings {
    let mut copy = settings.clone();
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let relay = &mut copy.relay;
    (relay.listen, relay.listen_tcp, relay.http) = (vec![free], vec![free], None);
    (relay.anonymous.listen, relay.anonymous.listen_tcp) = (Vec::new(), Vec::new());
    (relay.tls, relay.proxies) = (None, Vec::new());
    copy.turn.credentials.add_user(USER, Secret::new(PASSWORD));
    // Clients reach the copy by loopback, where a relay that follows them is no use to anybody.
    copy.alternates = Vec::new();
    (copy.gateway.listen, copy.gateway.tls) = (Some(free), None);
    copy.gateway.health_needs_key = false;
    copy.gateway.front.proxy_protocol_from = Vec::new();
    copy.admin.listen = free;
    (copy.records, copy.traces) = (None, None);
    copy
}

/// Packets from one relayed address to another, both of which are the configuration's.
async fn relaying(address: SocketAddr, transport: Transport) -> Finding {
    let target = Target { host: address.ip().to_string(), port: address.port(), transport };
    let mut wishes = probe::Settings {
        user: USER.to_owned(),
        password: Secret::new(PASSWORD),
        ca_file: None,
        patience: PATIENCE,
        sends_packets: true,
    };
    let mut is_refused = false;
    let mut report = probe::probe(&target, &wishes).await;
    if let Err(ProbeError { step: Step::Permission, problem: Problem::Refused(403) }) = report {
        is_refused = true;
        wishes.sends_packets = false;
        report = probe::probe(&target, &wishes).await;
    }
    match report {
        Ok(report) if is_refused => Finding::good(
            "relay",
            format!(
                "over {transport}: allocates {}; no packet was sent, as turn.peers refuses that address as a peer",
                report.relayed.ip()
            ),
        ),
        Ok(report) => {
            let packets = report.packets.map_or((0, 0), |packets| (packets.returned, packets.sent));
            let text = format!(
                "over {transport}: allocates {}, and {} of {} packets came back",
                report.relayed.ip(),
                packets.0,
                packets.1
            );
            if packets.0 == packets.1 {
                Finding::good("relay", text)
            } else {
                Finding::doubtful("relay", text)
            }
        }
        Err(error) => Finding::wrong("relay", format!("over {transport}: {error}")),
    }
}

/// What the gateway hears of the backends.
async fn backends(gateway: SocketAddr) -> Finding {
    match timeout(PATIENCE * 5, health(gateway)).await {
        Ok(Ok((StatusCode::OK, _))) => Finding::good("backend", "its health check is answered"),
        Ok(Ok((status, text))) => Finding::wrong(
            "backend",
            format!("its health check gives {status}: {text}; see gateway.backend, and whether it runs"),
        ),
        Ok(Err(error)) => Finding::wrong("backend", format!("the gateway does not answer: {error}")),
        Err(_) => Finding::wrong(
            "backend",
            "its health check is not answered; see gateway.backend, and whether it runs",
        ),
    }
}

async fn health(
    gateway: SocketAddr,
) -> Result<(StatusCode, String), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(gateway).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/skin/webrtc/health")
        .header(header::HOST, gateway.to_string())
        .body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await?.to_bytes();
    let problem: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    Ok((status, detail.unwrap_or("without a reason").to_owned()))
}

/// Nobody else hears of the copy's ports, and it is gone in a moment.
const USER: &str = "turnpike-doctor";
const PASSWORD: &str = "of the copy alone";
const PATIENCE: Duration = Duration::from_secs(3);
const MOST_BYTES: usize = 64 << 10;
