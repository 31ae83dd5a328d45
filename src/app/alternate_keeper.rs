//! Asks the other servers whether they serve, and tells the relay.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use crate::relay::AlternatesHandle;
use crate::turn;

/// Keeps the relay's list of servers that serve up to date for ever.
pub(super) async fn keep(servers: Vec<SocketAddr>, relay: AlternatesHandle) {
    if servers.is_empty() {
        return;
    }
    let mut healthy: Vec<SocketAddr> = Vec::new();
    let mut ticks = tokio::time::interval(ASK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = healthy_of(&servers).await;
        if now == healthy {
            continue;
        }
        for server in servers.iter().filter(|server| healthy.contains(server) != now.contains(server)) {
            match now.contains(server) {
                true => info!(%server, "alternate server serves"),
                false => warn!(%server, "alternate server does not answer; clients are not sent there"),
            }
        }
        relay.set(&now);
        healthy = now;
    }
}

/// Those of the servers that answer, in their order.
async fn healthy_of(servers: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut asked: JoinSet<(SocketAddr, bool)> = JoinSet::new();
    for &server in servers {
        asked.spawn(async move { (server, serves(server).await.unwrap_or(false)) });
    }
    let mut healthy = Vec::new();
    while let Some(answer) = asked.join_next().await {
        if let Ok((server, true)) = answer {
            healthy.push(server);
        }
    }
    servers.iter().copied().filter(|server| healthy.contains(server)).collect()
}

/// Whether a server answers one of some Binding requests.
async fn serves(server: SocketAddr) -> io::Result<bool> {
    let here: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(here).await?;
    socket.connect(server).await?;
    let transaction = transaction();
    let request = turn::probe(transaction);
    let mut answer = [0; 1500];
    for _ in 0..TRIES {
        socket.send(&request).await?;
        if let Ok(len) = tokio::time::timeout(ANSWER_DEADLINE, socket.recv(&mut answer)).await
            && turn::is_answer_to(transaction, &answer[..len?])
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Nobody off the path can guess it, so nobody can answer in the place of a server that is down.
fn transaction() -> [u8; 12] {
    let mut transaction = [0; 12];
    // Each state has random keys.
    let random = || RandomState::new().build_hasher().finish().to_be_bytes();
    transaction[..8].copy_from_slice(&random());
    transaction[8..].copy_from_slice(&random()[..4]);
    transaction
}

/// Soon enough that few clients are sent to a server that has just gone.
const ASK_INTERVAL: Duration = Duration::from_secs(5);
/// A server that is up answers within this, wherever on earth.
const ANSWER_DEADLINE: Duration = Duration::from_secs(1);
/// One packet may be lost.
const TRIES: usize = 2;
