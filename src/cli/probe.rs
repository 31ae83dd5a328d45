//! `turnpike probe`: whether a TURN server gives its clients what they need; for people, and for health checks.

use std::fmt::{self, Write as _};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use serde::Serialize;

use super::values;
use crate::probe::{self, Packets, Report, Settings, Target};
use crate::secret::Secret;
use crate::turn::credential::rest_password;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group(ArgGroup::new("who").args(["user", "secret"]).required(true)))]
pub(super) struct Probe {
    /// The server: `turn:HOST`, `turn:HOST:PORT?transport=tcp`, or `turns:HOST`.
    #[arg(value_name = "URI")]
    server: Target,
    /// The user that allocates.
    #[arg(long, requires = "password")]
    user: Option<String>,
    /// Its password.
    #[arg(long, env = "TURNPIKE_PROBE_PASSWORD", hide_env_values = true, value_parser = values::secret)]
    password: Option<Secret>,
    /// In place of a user: the secret that time-limited credentials are computed with (coturn's static-auth-secret).
    #[arg(long, env = "TURNPIKE_PROBE_SECRET", hide_env_values = true, value_parser = values::secret,
          conflicts_with_all = ["user", "password"])]
    secret: Option<Secret>,
    /// For TLS: PEM certificates to trust, in place of those that the system trusts.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How long each step may take.
    #[arg(long, value_parser = values::duration, default_value = "5s", value_name = "TIME")]
    timeout: Duration,
    /// End after the allocation: for servers that refuse their own relayed addresses as peers.
    #[arg(long)]
    allocate_only: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct ReportView {
    server: String,
    transport: String,
    mapped_address: Option<String>,
    relayed_address: String,
    connect_ms: f64,
    allocate_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<PacketsView>,
}

#[derive(Debug, Serialize)]
struct PacketsView {
    permission_ms: f64,
    channel_ms: f64,
    sent: usize,
    returned: usize,
    round_trip_ms: f64,
}

pub(super) fn run(probe: &Probe) -> anyhow::Result<()> {
    let settings = probe.settings()?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let report = runtime.block_on(probe::probe(&probe.server, &settings))?;
    let text = if probe.json {
        serde_json::to_string(&ReportView::from(&report)).context("cannot write the report")?
    } else {
        explain(&report)?
    };
    #[expect(clippy::print_stdout, reason = "the report")]
    {
        println!("{text}");
    }
    match report.packets {
        Some(Packets { sent, returned, .. }) if returned < sent => {
            bail!(
                "{} of {sent} packets did not come back; look at the network and the server's load",
                sent - returned
            )
        }
        _ => Ok(()),
    }
}

impl Probe {
    fn settings(&self) -> anyhow::Result<Settings> {
        let (user, password) = match (&self.user, &self.password, &self.secret) {
            (Some(user), Some(password), _) => (user.clone(), password.clone()),
            (_, _, Some(secret)) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the command line has a clock: when do credentials expire?"
                )]
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let user = format!("{}:probe", (now + LIFETIME).as_secs());
                let password = rest_password(secret, user.as_bytes());
                (user, password)
            }
            _ => bail!("who allocates? give --user and --password, or --secret"),
        };
        Ok(Settings {
            user,
            password,
            ca_file: self.ca.clone(),
            patience: self.timeout,
            sends_packets: !self.allocate_only,
        })
    }
}

fn explain(report: &Report) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let Report { server, transport, mapped, relayed, connect, allocate, packets } = report;
    writeln!(text, "{server} over {transport}")?;
    writeln!(text, "connection  {:8.1} ms", in_ms(*connect))?;
    write!(text, "allocation  {:8.1} ms  relayed address {relayed}", in_ms(*allocate))?;
    if let Some(mapped) = mapped {
        write!(text, ", this machine is seen at {mapped}")?;
    }
    if let Some(Packets { permission, channel, sent, returned, round_trip }) = packets {
        writeln!(text, "\npermission  {:8.1} ms", in_ms(*permission))?;
        writeln!(text, "channel     {:8.1} ms", in_ms(*channel))?;
        write!(
            text,
            "packets     {:8.1} ms  there and back through the relay, twice; {returned} of {sent} came back",
            in_ms(*round_trip)
        )?;
    }
    Ok(text)
}

impl From<&Report> for ReportView {
    fn from(report: &Report) -> Self {
        Self {
            server: report.server.to_string(),
            transport: report.transport.to_string().to_lowercase(),
            mapped_address: report.mapped.map(|address| address.to_string()),
            relayed_address: report.relayed.to_string(),
            connect_ms: in_ms(report.connect),
            allocate_ms: in_ms(report.allocate),
            packets: report.packets.as_ref().map(|packets| PacketsView {
                permission_ms: in_ms(packets.permission),
                channel_ms: in_ms(packets.channel),
                sent: packets.sent,
                returned: packets.returned,
                round_trip_ms: in_ms(packets.round_trip),
            }),
        }
    }
}

fn in_ms(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

/// As long as the longest probe.
const LIFETIME: Duration = Duration::from_secs(600);

const EXAMPLES: &str = "\
Exit code: 0 if all went well, 1 if a step failed or packets were lost, 2 if the arguments make no sense.

Examples:
  turnpike probe turn:turn.example.org --user alice --password wonderland
  TURNPIKE_PROBE_SECRET=… turnpike probe 'turn:turn.example.org?transport=tcp'
  turnpike probe turns:turn.example.org --secret north --timeout 2s --json";
