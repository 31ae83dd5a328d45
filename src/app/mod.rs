//! Starts the parts, joins them, and stops them in order.
//!
//! In come the settings of every room; out comes a process that serves until it is told to stop. The relay has threads
//! of its own; everything that speaks HTTP shares one tokio runtime, so that neither side can stall the other.

mod alternate_keeper;
mod auth_hook;
mod certificate_keeper;
mod embedded_place;
mod health_keeper;
mod operations;
mod peer_names;
mod policy_keeper;
mod session_link;
mod signals;

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::SystemTime;

use anyhow::Context;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tracing::{error, info, warn};

pub use policy_keeper::peer_policy;

use crate::config::{ConfigErrors, Settings};
use crate::demo::EmbeddedBackend;
use crate::gateway::{Admin, Controls, Door, Drain, Gateway, Handed, Operations, ReloadReport};
use crate::records::Records;
use crate::relay::{HttpClient, HttpTaker, Partners, Relay};
use crate::telemetry::{self, CertificateOwner, LogControl, Metrics, TraceMetrics, TraceSettings, Traces};
use crate::{sys, tls, turn};
use certificate_keeper::CertificateKeeper;
use health_keeper::PendingHealth;
use operations::{Load, ProcessOperations};
use policy_keeper::PolicyKeeper;

/// Serves until a signal comes, with the settings that `load` reads now and whenever it is asked for them; an error says
/// why it could not start or had to stop. `started` is called once everything serves.
pub fn serve(
    load: impl Fn() -> Result<Settings, ConfigErrors> + Send + Sync + 'static,
    started: impl FnOnce(),
) -> anyhow::Result<()> {
    let settings = load()?;
    let log = telemetry::start_logging(&settings.telemetry)?;
    warn_of(&settings);
    let open_files = sys::raise_open_files_limit().context("cannot raise the limit of open files")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(available_parallelism().map_or(1, NonZeroUsize::get).min(MOST_HTTP_THREADS))
        .enable_all()
        .build()
        .context("cannot start the threads that serve HTTP")?;
    let served = runtime.block_on(async {
        let stop = signals::stop_requested().context("cannot listen for signals")?;
        let mut reload = signals::reload_requested().context("cannot listen for signals")?;
        let app = App::start_with(&settings, Arc::new(load), log).await?;
        info!(
            turn = ?app.turn_addrs(),
            turn_tcp = ?app.turn_tcp_addrs(),
            gateway = %app.gateway_addr,
            admin = %app.admin_addr,
            open_files,
            version = env!("CARGO_PKG_VERSION"),
            "turnpike serves"
        );
        started();
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                signal = &mut stop => {
                    info!(signal, "turnpike stops");
                    app.stop().await;
                    return Ok(());
                }
                Some(()) = reload.recv() => {
                    info!("SIGHUP: configuration and certificates are read anew");
                    let operations = Arc::clone(&app.operations);
                    // What is wrong has been logged. Files of a network may not answer for long.
                    tokio::task::spawn_blocking(move || operations.reload());
                }
                () = app.relay_failed.notified() => {
                    error!("a relay worker failed: turnpike stops, so that it can be started anew");
                    app.stop().await;
                    anyhow::bail!("a relay worker failed; the log above says where");
                }
            }
        }
    });
    // A name server that does not answer must not hold up the end.
    runtime.shutdown_background();
    served
}

/// Logs what is probably not meant.
fn warn_of(settings: &Settings) {
    #[expect(clippy::disallowed_methods, reason = "app owns a clock; keys expire by the wall's")]
    let now = SystemTime::now();
    for warning in settings.warnings.iter().chain(&settings.expiring_keys(now)) {
        warn!("{warning}");
    }
}

/// Every part, running.
#[derive(Debug)]
pub struct App {
    relay: Relay,
    gateway: JoinHandle<()>,
    gateway_addr: SocketAddr,
    admin: JoinHandle<()>,
    admin_addr: SocketAddr,
    metrics: Metrics,
    drain: Drain,
    stop_gateway: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    relay_failed: Arc<Notify>,
    /// What looks after the relay, for as long as there is one.
    keepers: [AbortHandle; 3],
    operations: Arc<ProcessOperations>,
    records: Option<Records>,
    traces: Traces,
    /// Serves until it is dropped.
    embedded: Option<EmbeddedBackend>,
}

impl App {
    /// Binds everything, then serves; what was bound before an error is freed again. The settings stay as they are.
    pub async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let unchanged = settings.clone();
        Self::start_with(settings, Arc::new(move || Ok(unchanged.clone())), LogControl::detached()).await
    }

    /// The same for settings that can be read anew, and a log that can be changed.
    async fn start_with(settings: &Settings, load: Arc<Load>, log: LogControl) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        for &other in &settings.telemetry.compatible_with {
            metrics.show_as(other, &settings.turn.realm);
        }
        let embedded = match &settings.embedded {
            Some(settings) => Some(EmbeddedBackend::start(settings, metrics.embedded().clone()).await?),
            None => None,
        };
        let place = embedded_place::Place::of(embedded.as_ref());
        let settings = &place.put_into(settings.clone());
        let load = place.put_into_all(load);
        let gateway = Gateway::bind(&settings.gateway, &metrics).await?;
        let own_addr = gateway.local_addr()?;
        let records = match &settings.records {
            Some(settings) => Some(Records::open(settings, metrics.records().clone())?),
            None => None,
        };
        if let Some(records) = &records {
            gateway.join_records(records.clone());
        }
        let traces = match &settings.traces {
            Some(settings) => start_traces(settings, metrics.traces().clone())?,
            None => Traces::default(),
        };
        gateway.join_traces(traces.clone());
        let drain = gateway.drain();
        let relay_health = PendingHealth::default();
        let readiness = health_keeper::readiness(drain.clone(), Arc::clone(&relay_health));
        let reload_certificates = watch::Sender::new(());
        let operations = Arc::new(ProcessOperations::new(
            load,
            settings,
            gateway.updater(),
            log,
            reload_certificates.clone(),
            metrics.config().clone(),
        ));
        let controls = Controls::new(&gateway, Arc::clone(&operations) as Arc<dyn Operations>);
        let admin = Admin::bind(&settings.admin, &metrics, readiness, controls).await?;
        let admin_addr = admin.local_addr()?;

        // The relay knows its own listeners, which the gateway may share.
        let listeners = own_addr.into_iter().chain([admin_addr]).collect();
        let mut policy_keeper = PolicyKeeper::new(&settings.turn, listeners);
        policy_keeper.look_up().await;
        let peer_policy = policy_keeper.policy().context("cannot list the addresses of this machine")?;
        let turn = turn::Settings { peer_policy, ..settings.turn.clone() };
        let relay_failed = Arc::new(Notify::new());
        let hook = match &settings.auth_hook {
            Some(hook) => Some(auth_hook::auth_hook(hook, Handle::current())?),
            None => None,
        };
        let http = settings.relay.http.map(|_| takes_http(gateway.door()));
        let (session_events, told_of_sessions) = session_link::events();
        let partners = Partners { http, hook, sessions: Some(session_events) };
        let relay = Relay::start(&settings.relay, &turn, &metrics, partners, {
            let relay_failed = Arc::clone(&relay_failed);
            move || relay_failed.notify_one()
        })?;
        let _ = relay_health.set(relay.health());
        gateway.join(Box::new(relay.claims_handle()));
        tokio::spawn(session_link::keep(told_of_sessions, gateway.sessions()));
        let gateway_addr = own_addr
            .or(relay.http_addr())
            .context("the gateway has no address: name one in gateway.listen")?;

        let alternates = alternate_keeper::keep(settings.alternates.clone(), relay.alternates_handle());
        let keepers = [
            tokio::spawn(policy_keeper.keep(relay.policy_handle())).abort_handle(),
            tokio::spawn(alternates).abort_handle(),
            tokio::spawn(health_keeper::keep(relay_health, metrics.clone())).abort_handle(),
        ];

        for (owner, certificate) in [
            (CertificateOwner::Relay, relay.certificate()),
            (CertificateOwner::Gateway, gateway.certificate()),
        ] {
            let Some(store) = certificate.cloned() else { continue };
            let keeper = CertificateKeeper::new(owner, store, metrics.certificates().clone());
            tokio::spawn(keeper.keep(reload_certificates.subscribe()));
        }

        let (stop_gateway, gateway_stopped) = watch::channel(false);
        let (stop_admin, admin_stopped) = watch::channel(false);
        Ok(Self {
            relay,
            gateway: tokio::spawn(gateway.serve(told(gateway_stopped))),
            gateway_addr,
            admin: tokio::spawn(admin.serve(told(admin_stopped))),
            admin_addr,
            metrics,
            drain,
            stop_gateway,
            stop_admin,
            relay_failed,
            keepers,
            operations,
            records,
            traces,
            embedded,
        })
    }

    /// Where TURN clients are served over UDP.
    pub fn turn_addrs(&self) -> &[SocketAddr] {
        self.relay.local_addrs()
    }

    /// Where TURN clients are served over TCP and TLS.
    pub fn turn_tcp_addrs(&self) -> &[SocketAddr] {
        self.relay.stream_addrs()
    }

    /// Where signaling clients are served.
    pub fn gateway_addr(&self) -> SocketAddr {
        self.gateway_addr
    }

    /// Where operators are served.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Reads the configuration and the certificates anew, and puts into effect what can change.
    pub fn reload(&self) -> Result<ReloadReport, String> {
        self.operations.reload()
    }

    /// Stops in order: no longer ready, then no more offers, then no more media, then what is known of them goes where it
    /// belongs, then nobody watches any more.
    pub async fn stop(self) {
        self.drain.set(true);
        self.relay.drain();
        let _ = self.stop_gateway.send(true);
        report_panic("gateway", self.gateway.await);
        drop(self.embedded);
        self.keepers.iter().for_each(AbortHandle::abort);
        let relay = self.relay;
        report_panic("relay", tokio::task::spawn_blocking(move || relay.stop()).await);
        if let Some(records) = self.records {
            report_panic("records", tokio::task::spawn_blocking(move || records.close()).await);
        }
        self.traces.close().await;
        let _ = self.stop_admin.send(true);
        report_panic("admin", self.admin.await);
    }
}

/// Begins to send traces to their collector.
fn start_traces(settings: &TraceSettings, metrics: TraceMetrics) -> anyhow::Result<Traces> {
    let tls = match settings.is_secure() {
        true => tls::client_config(settings.ca_file.as_deref()).context("traces")?,
        false => tls::client_config_of_nobody(),
    };
    Ok(Traces::start(settings, tls, metrics))
}

/// Leads clients of the relay's ports that speak HTTP to the gateway.
fn takes_http(door: Door) -> HttpTaker {
    HttpTaker::new(move |HttpClient { socket, client, protection, received }| {
        door.hand_over(Handed { socket, client, protection, received })
    })
}

/// Completes when the channel says so, or its sender is gone.
async fn told(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|&stop| stop).await;
}

fn report_panic(part: &str, ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        error!(part, %error, "part did not end well");
    }
}

/// Signaling is a few requests per session: two threads keep one slow request from delaying the others. On a single core
/// a second one would only cost waking it.
const MOST_HTTP_THREADS: usize = 2;
