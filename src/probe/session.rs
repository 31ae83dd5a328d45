//! `Session`: one allocation of a probe.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use webrtc_turn::client::{Client, ClientConfig};
use webrtc_util::Conn;

use super::connection::Connection;
use super::error::{ProbeError, Problem, Step};
use super::target::Target;
use super::watched::Watched;
use super::{Settings, within};

pub(super) struct Session {
    pub(super) watched: Arc<Watched>,
    /// Sends from the relayed address, and receives there.
    pub(super) relay: Box<dyn Conn + Send + Sync>,
    pub(super) connect: Duration,
    pub(super) allocate: Duration,
    client: Client,
}

impl Session {
    /// Connects and allocates.
    #[expect(clippy::disallowed_methods, reason = "this room owns a clock: it measures")]
    pub(super) async fn begin(
        target: &Target,
        server: SocketAddr,
        settings: &Settings,
    ) -> Result<(Self, SocketAddr), ProbeError> {
        let patience = settings.patience;
        let began = Instant::now();
        let connection = within(Step::Connect, patience, Connection::open(target, server, settings)).await?;
        let connect = began.elapsed();
        let watched = Arc::new(Watched::new(connection, server));
        let conn: Arc<dyn Conn + Send + Sync> = Arc::<Watched>::clone(&watched);
        let client = within(Step::Allocate, patience, async {
            let client = Client::new(ClientConfig {
                stun_serv_addr: server.to_string(),
                turn_serv_addr: server.to_string(),
                username: settings.user.clone(),
                password: settings.password.expose().to_owned(),
                // The server's, which it tells.
                realm: String::new(),
                software: String::new(),
                // Its default.
                rto_in_ms: 0,
                conn,
                vnet: None,
            });
            let client = client.await.map_err(|error| Problem::Client(error.to_string()))?;
            client.listen().await.map_err(|error| Problem::Client(error.to_string()))?;
            Ok(client)
        })
        .await?;
        let began = Instant::now();
        let relay = within(Step::Allocate, patience, async {
            client.allocate().await.map_err(|error| problem(&watched, error))
        })
        .await?;
        let allocate = began.elapsed();
        let unknown = |error: webrtc_util::Error| ProbeError {
            step: Step::Allocate,
            problem: Problem::Client(error.to_string()),
        };
        let relayed = relay.local_addr().map_err(unknown)?;
        Ok((Self { watched, relay: Box::new(relay), connect, allocate, client }, relayed))
    }

    /// Why something was not sent.
    pub(super) fn problem(&self, error: webrtc_util::Error) -> Problem {
        problem(&self.watched, error)
    }

    /// Gives the allocation back.
    pub(super) async fn end(self) {
        // What is left behind expires by itself.
        let _ = timeout(GOODBYE, self.relay.close()).await;
        let _ = timeout(GOODBYE, self.client.close()).await;
    }
}

/// What the connection has seen of it, or else what the client makes of it.
fn problem(watched: &Watched, error: impl ToString) -> Problem {
    watched.problem().unwrap_or_else(|| Problem::Client(error.to_string()))
}

const GOODBYE: Duration = Duration::from_secs(1);
