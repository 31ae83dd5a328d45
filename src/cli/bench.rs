//! `turnpike bench`: a load on a TURN server, from flags to a report.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::values;
use crate::bench::{self, Access, Credential, Load, Trust};
use crate::secret::Secret;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bench {
    /// The server: an address or a name, with its port.
    #[arg(value_name = "HOST:PORT")]
    server: String,
    /// How clients reach it.
    #[arg(long, value_enum, default_value_t = Transport::Udp)]
    transport: Transport,
    /// The user that allocates.
    #[arg(long, requires = "password")]
    user: Option<String>,
    /// Its password.
    #[arg(long, env = "TURNPIKE_BENCH_PASSWORD", hide_env_values = true, value_parser = values::secret)]
    password: Option<Secret>,
    /// In place of a user: the secret that time-limited credentials are computed with (coturn's static-auth-secret). Each
    /// allocation is another user's.
    #[arg(long, env = "TURNPIKE_BENCH_SECRET", hide_env_values = true, value_parser = values::secret,
          conflicts_with_all = ["user", "password"])]
    secret: Option<Secret>,
    /// For TLS: PEM certificates that vouch for the server's; a self-signed one vouches for itself.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// For TLS: take any certificate.
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,

    /// Allocations, each with one flow.
    #[arg(long, default_value_t = 50)]
    allocations: usize,
    /// Which way packets go.
    #[arg(long, value_enum, default_value_t = Direction::ToPeer)]
    direction: Direction,
    /// Bytes of each payload.
    #[arg(long, default_value_t = 160, value_name = "BYTES")]
    payload: usize,
    /// Packets a second, of all flows together; with --find-rate the rate that the search begins with.
    #[arg(long, default_value_t = 10_000.0, value_name = "PACKETS")]
    rate: f64,
    /// Packets that a flow sends at once, as an encoder does with the packets of a video frame.
    #[arg(long, default_value_t = 1, value_name = "PACKETS")]
    frame: usize,
    /// Send the packets of a frame one by one, and not in one piece that the kernel cuts (UDP_SEGMENT).
    #[arg(long)]
    no_segmentation: bool,
    /// Send what is due only so often, all together, such as 500us or 20ms; by default each frame has its own time.
    #[arg(long, value_parser = values::duration, value_name = "TIME")]
    tick: Option<Duration>,
    /// Use Send and Data indications in place of channels.
    #[arg(long)]
    indications: bool,
    /// How long it is measured; with --find-rate, each rate.
    #[arg(long, value_parser = values::duration, default_value = "5s", value_name = "TIME")]
    duration: Duration,
    /// How long the load is on before that.
    #[arg(long, value_parser = values::duration, default_value = "500ms", value_name = "TIME")]
    warm_up: Duration,

    /// Find the highest rate without loss.
    #[arg(long, conflicts_with = "churn")]
    find_rate: bool,
    /// The part of the packets that may get lost at that rate, from 0 to 1.
    #[arg(long, default_value_t = 0.0001, requires = "find_rate", value_name = "PART")]
    most_loss: f64,
    /// Make and end allocations all the time, and relay nothing: how many a second?
    #[arg(long)]
    churn: bool,

    /// Threads that make the load.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Sockets that are peers, for each thread.
    #[arg(long, default_value_t = 1)]
    peers: usize,
    /// The address of the peers; by default that of this machine on the way to the server.
    #[arg(long, value_name = "ADDRESS")]
    peer_address: Option<IpAddr>,
    /// The network namespace that the peers are in (`ip netns`); takes root.
    #[arg(long, value_name = "NAME", requires = "peer_address")]
    peer_netns: Option<String>,
    /// The server's process on this machine: its use of processor and memory is measured too.
    #[arg(long)]
    pid: Option<u32>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Transport {
    Udp,
    Tcp,
    Tls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Direction {
    /// From the clients to their peers.
    ToPeer,
    /// From the peers to their clients.
    ToClient,
    /// Half of them each way.
    Both,
    /// From client to client, by the relayed addresses of both.
    Across,
}

pub(super) fn run(bench: &Bench) -> anyhow::Result<()> {
    let load = bench.load()?;
    if bench.find_rate {
        bench.print(&bench::find_rate(&load, bench.most_loss)?)
    } else if bench.churn {
        bench.print(&bench::churn(&load)?)
    } else {
        bench.print(&bench::relay(&load)?)
    }
}

impl Bench {
    fn load(&self) -> anyhow::Result<Load> {
        Ok(Load {
            access: self.access()?,
            allocations: self.allocations,
            direction: match self.direction {
                Direction::ToPeer => bench::Direction::ToPeer,
                Direction::ToClient => bench::Direction::ToClient,
                Direction::Both => bench::Direction::Both,
                Direction::Across => bench::Direction::Across,
            },
            payload_bytes: self.payload,
            packets_per_second: self.rate,
            frame: self.frame,
            is_segmented: !self.no_segmentation,
            tick: self.tick.unwrap_or_default(),
            uses_indications: self.indications,
            duration: self.duration,
            warm_up: self.warm_up,
            threads: self.threads,
            peers: self.peers,
            peer_address: self.peer_address,
            peer_namespace: self.peer_netns.clone(),
            pid: self.pid,
        })
    }

    fn access(&self) -> anyhow::Result<Access> {
        let credential = match (&self.user, &self.password, &self.secret) {
            (Some(name), Some(password), None) => {
                Credential::User { name: name.clone(), password: password.clone() }
            }
            (None, None, Some(secret)) => Credential::SharedSecret(secret.clone()),
            _ => bail!("who allocates? give --user and --password, or --secret"),
        };
        let transport = match self.transport {
            Transport::Udp => bench::Transport::Udp,
            Transport::Tcp => bench::Transport::Tcp,
            Transport::Tls => bench::Transport::Tls,
        };
        let trust = match &self.ca {
            Some(file) => Trust::Authorities { file: file.clone(), name: self.host().to_owned() },
            None if self.insecure || self.transport != Transport::Tls => Trust::Anybody,
            None => bail!("which certificates are good? give --ca FILE, or --insecure for any"),
        };
        Ok(Access { server: self.server()?, transport, trust, credential })
    }

    fn server(&self) -> anyhow::Result<SocketAddr> {
        let mut addresses = self.server.to_socket_addrs().with_context(|| {
            format!("`{}` leads nowhere; write HOST:PORT, such as 127.0.0.1:3478", self.server)
        })?;
        addresses.next().with_context(|| format!("`{}` has no address", self.server))
    }

    /// The server without its port.
    fn host(&self) -> &str {
        let host = self.server.rsplit_once(':').map_or(&*self.server, |(host, _)| host);
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    #[expect(clippy::print_stdout, reason = "what the command is for")]
    fn print(&self, report: &(impl Serialize + std::fmt::Display)) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(report)?);
        } else {
            println!("{report}");
        }
        Ok(())
    }
}

const EXAMPLES: &str = "\
Examples:
  turnpike bench 127.0.0.1:3478 --secret north --rate 50000 --pid $(pidof turnpike)
      50,000 packets a second of 160 bytes, over 50 allocations
  turnpike bench 127.0.0.1:3478 --secret north --payload 1200 --frame 8 --find-rate
      how much video is relayed without loss
  turnpike bench turn.example.org:5349 --transport tls --ca ca.pem --user alice --password wonderland --direction both
      over TLS, both ways";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        bench: Bench,
    }

    fn load(arguments: &str) -> anyhow::Result<Load> {
        let arguments = std::iter::once("bench").chain(arguments.split(' '));
        Command::try_parse_from(arguments)?.bench.load()
    }

    #[test]
    fn flags_make_a_load() {
        let load = load(
            "127.0.0.1:3478 --secret north --tick 500us --duration 2s --frame 8 --no-segmentation --direction across",
        )
        .unwrap();
        assert_eq!(load.access.server, "127.0.0.1:3478".parse::<SocketAddr>().unwrap());
        assert_eq!((load.tick, load.duration), (Duration::from_micros(500), Duration::from_secs(2)));
        assert_eq!((load.frame, load.is_segmented), (8, false));
        assert_eq!(load.direction, bench::Direction::Across);
        assert!(matches!(load.access.credential, Credential::SharedSecret(_)));
    }

    #[test]
    fn a_certificate_is_for_the_host() {
        let tls = "--transport tls --ca ca.pem --user alice --password wonderland";
        for (server, host) in [("127.0.0.1:5349", "127.0.0.1"), ("[::1]:5349", "::1")] {
            let load = load(&format!("{server} {tls}")).unwrap();
            let Trust::Authorities { name, .. } = load.access.trust else { panic!("no authorities") };
            assert_eq!(name, host);
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        for (arguments, why) in [
            ("127.0.0.1:3478", "who allocates? give --user and --password, or --secret"),
            (
                "127.0.0.1:5349 --secret north --transport tls",
                "which certificates are good? give --ca FILE, or --insecure for any",
            ),
            ("nowhere --secret north", "`nowhere` leads nowhere; write HOST:PORT, such as 127.0.0.1:3478"),
        ] {
            assert_eq!(load(arguments).unwrap_err().to_string(), why);
        }
        assert!(load("127.0.0.1:3478 --secret a --user b").is_err());
        assert!(load("127.0.0.1:3478 --user b").is_err());
    }
}
