//! `Shared`: the little that workers share; data on its way touches none of it, but for the bandwidth's atomics.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::bandwidth::SharedBandwidth;
use super::budget::Budget;
use super::crossings::Backlog;
use super::grants::Grants;
use super::handshakes::{Handshakes, Mailbox};
use super::http_client::HttpTaker;
use super::ports::RelayPorts;
use super::questions::{AuthHook, Questions};
use super::quotas::Quotas;
use super::session_events::SessionEvents;
use super::settings::Settings;
use super::worker::random_seed;
use crate::telemetry::HookMetrics;
use crate::turn::{self, StrangerLimit};

/// One for the whole relay; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// Which relay ports are taken.
    pub(super) ports: Arc<RelayPorts>,
    /// How many allocations users and sources have.
    pub(super) quotas: Arc<Quotas>,
    /// How many connections may still be opened.
    pub(super) budget: Budget,
    /// What works on TLS handshakes; `None` where TLS is not spoken.
    pub(super) handshakes: Option<Handshakes>,
    /// Who takes the clients that speak HTTP.
    pub(super) http: Option<HttpTaker>,
    /// Where each worker gets its commands, once all of them run.
    pub(super) mailboxes: Arc<OnceLock<Vec<Mailbox>>>,
    /// How much is under way from worker to worker.
    pub(super) backlog: Arc<Backlog>,
    /// How often strangers were answered.
    pub(super) stranger_limit: Arc<StrangerLimit>,
    /// What is asked about users whom nobody here knows, if somebody can be asked.
    pub(super) questions: Option<Arc<Questions>>,
    /// Who is told what becomes of the allocations of sessions.
    pub(super) sessions: Option<SessionEvents>,
    /// Which sessions have which grants.
    pub(super) grants: Arc<Grants>,
    /// How much users and all together relay, if that is limited.
    pub(super) bandwidth: Option<Arc<SharedBandwidth>>,
}

impl Shared {
    pub(super) fn new(
        settings: &Settings,
        turn: &turn::Settings,
        workers: usize,
        handshakes: Option<Handshakes>,
        http: Option<HttpTaker>,
        hook: Option<(AuthHook, HookMetrics)>,
        sessions: Option<SessionEvents>,
    ) -> io::Result<Self> {
        let seed = random_seed()?;
        let stranger_seed = seed.iter().fold(0, |seed, &byte| seed << 8 | u64::from(byte));
        let mailboxes = Arc::default();
        let questions = hook
            .map(|(hook, metrics)| {
                Questions::new(hook, turn.prepared_realm(), metrics, Arc::clone(&mailboxes))
            })
            .map(Arc::new);
        Ok(Self {
            ports: Arc::new(RelayPorts::new(settings.relay_ports.clone())),
            quotas: Arc::new(Quotas::new(settings.quotas)),
            budget: Budget::new(settings.max_connections),
            handshakes,
            http,
            mailboxes,
            backlog: Arc::new(Backlog::new(workers)),
            questions,
            sessions,
            grants: Arc::default(),
            stranger_limit: Arc::new(StrangerLimit::new(turn, stranger_seed)),
            bandwidth: SharedBandwidth::new(&settings.bandwidth, workers, Instant::now()).map(Arc::new),
        })
    }
}
