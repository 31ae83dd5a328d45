//! `turnpike probe`: asks a TURN server for all that its clients need, one step after the other, and says where it ends.
//!
//! In: a server and how to get in. Out: a [`Report`] with the time of each step, or a [`ProbeError`] that names the step. The client
//! is the one of webrtc-rs, so that what it says of turnpike is not turnpike's own opinion.
//!
//! ```text
//! Target ─▶ Connection (UDP, TCP, TLS) ─▶ Watched, which times each exchange ─▶ two webrtc-rs clients
//!                                         one allocation sends to the other's relayed address, which sends back
//! ```

mod connection;
mod error;
mod session;
mod target;
mod watched;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::time::{sleep, timeout};

use crate::secret::Secret;
pub use error::{ProbeError, Problem, Step};
use session::Session;
pub use target::{Target, TargetError, Transport};

/// How to get in, and how long to wait.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The user that allocates.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// For TLS: PEM certificates to trust; without them those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// How long each step may take.
    pub patience: Duration,
    /// Whether to send packets: that takes two allocations, and a server that relays to its own relayed addresses.
    pub sends_packets: bool,
}

/// What there is to say of a server that works.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The server.
    pub server: SocketAddr,
    /// How it was reached.
    pub transport: Transport,
    /// The address that it sees this machine at (XOR-MAPPED-ADDRESS).
    pub mapped: Option<SocketAddr>,
    /// The relayed address of the allocation.
    pub relayed: SocketAddr,
    /// Time to look up the name, and to connect.
    pub connect: Duration,
    /// Time to allocate, both requests of it.
    pub allocate: Duration,
    /// What became of packets, if any were sent.
    pub packets: Option<Packets>,
}

/// Packets from one allocation to the other, and back.
#[derive(Debug, Clone, PartialEq)]
pub struct Packets {
    /// Time of CreatePermission.
    pub permission: Duration,
    /// Time of ChannelBind.
    pub channel: Duration,
    /// Packets that were sent in ChannelData.
    pub sent: usize,
    /// Those that came back.
    pub returned: usize,
    /// The median time there and back: from this machine to the server and back, twice.
    pub round_trip: Duration,
}

/// Goes through all steps.
pub async fn probe(target: &Target, settings: &Settings) -> Result<Report, ProbeError> {
    let server = within(Step::Resolve, settings.patience, resolve(target)).await?;
    let (session, relayed) = Session::begin(target, server, settings).await?;
    let report = Report {
        server,
        transport: target.transport,
        mapped: session.watched.mapped(),
        relayed,
        connect: session.connect,
        allocate: session.allocate,
        packets: None,
    };
    let packets = if settings.sends_packets {
        let (other, other_relayed) = Session::begin(target, server, settings).await?;
        let packets = echo(&session, relayed, &other, other_relayed, settings.patience).await;
        other.end().await;
        packets.map(Some)
    } else {
        Ok(None)
    };
    session.end().await;
    Ok(Report { packets: packets?, ..report })
}

async fn resolve(target: &Target) -> Result<SocketAddr, Problem> {
    let mut addresses = lookup_host((target.host.as_str(), target.port)).await.map_err(Problem::Io)?;
    addresses.next().ok_or(Problem::NoAddress)
}

/// Sends packets from one allocation to the other, which sends them back.
async fn echo(
    one: &Session,
    one_relayed: SocketAddr,
    other: &Session,
    other_relayed: SocketAddr,
    patience: Duration,
) -> Result<Packets, ProbeError> {
    // The first packet to a peer has the client ask for a permission, and begin to bind a channel.
    for (from, to) in [(other, one_relayed), (one, other_relayed)] {
        let sent = from.relay.send_to(GREETING, to);
        within(Step::Permission, patience, async { sent.await.map_err(|error| from.problem(error)) }).await?;
    }
    let channel = within(Step::Channel, patience, async {
        loop {
            match (one.watched.channel(), other.watched.channel()) {
                (Some(Ok(time)), Some(Ok(_))) => return Ok(time),
                (Some(Err(code)), _) | (_, Some(Err(code))) => return Err(Problem::Refused(code)),
                _ => sleep(POLL).await,
            }
        }
    })
    .await?;
    let answering = async {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = other.relay.recv_from(&mut buffer).await {
            let is_greeting = &buffer[..length] == GREETING;
            if !is_greeting && other.relay.send_to(&buffer[..length], from).await.is_err() {
                break;
            }
        }
        // Without answers the question is whether any comes back at all.
        std::future::pending::<()>().await;
    };
    let mut trips = tokio::select! {
        trips = ask(one, other_relayed, patience) => trips,
        () = answering => Vec::new(),
    };
    let Some(permission) = one.watched.permission() else {
        return Err(ProbeError { step: Step::Permission, problem: Problem::Silence(patience) });
    };
    trips.sort_unstable();
    let Some(&round_trip) = trips.get(trips.len() / 2) else {
        return Err(ProbeError { step: Step::Packet, problem: Problem::Silence(patience) });
    };
    Ok(Packets { permission, channel, sent: PACKETS, returned: trips.len(), round_trip })
}

/// Sends packets one after the other, and returns how long each took that came back.
#[expect(clippy::disallowed_methods, reason = "this room owns a clock: it measures")]
async fn ask(one: &Session, peer: SocketAddr, patience: Duration) -> Vec<Duration> {
    let mut trips = Vec::new();
    let mut buffer = [0; 2048];
    // All of them share the patience, so that a server that loses everything is found out in that time.
    let patience = patience / PACKETS as u32;
    for number in 0..PACKETS {
        let packet = [PACKET, &[number as u8]].concat();
        let began = Instant::now();
        if one.relay.send_to(&packet, peer).await.is_err() {
            continue;
        }
        let answer = timeout(patience, async {
            loop {
                match one.relay.recv_from(&mut buffer).await {
                    Ok((length, _)) if buffer[..length] == *packet => return true,
                    // A greeting, or one that comes late.
                    Ok(_) => {}
                    Err(_) => return false,
                }
            }
        });
        if answer.await == Ok(true) {
            trips.push(began.elapsed());
        }
    }
    trips
}

/// A step that may take so long.
async fn within<T>(
    step: Step,
    patience: Duration,
    action: impl Future<Output = Result<T, Problem>>,
) -> Result<T, ProbeError> {
    match timeout(patience, action).await {
        Ok(result) => result.map_err(|problem| ProbeError { step, problem }),
        Err(_) => Err(ProbeError { step, problem: Problem::Silence(patience) }),
    }
}

const GREETING: &[u8] = b"turnpike probe greets";
const PACKET: &[u8] = b"turnpike probe packet ";
const PACKETS: usize = 10;
const POLL: Duration = Duration::from_millis(2);
