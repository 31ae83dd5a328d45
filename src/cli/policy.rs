//! `turnpike policy test`: says whether a peer may be reached, and why.

use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::ConfigFile;
use crate::app;
use crate::turn::peer_policy::{Explanation, Judgement, PeerPolicy};

/// What may be asked about the peer policy.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Says whether media may be relayed to an address, and why; exits with 0 if it may, with 1 if not.
    Test(Test),
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// The peer, such as `10.0.0.7`, `10.0.0.7:5000` or `[fd00::7]:5000`; without a port, whether some port may be reached.
    #[arg(value_name = "ADDRESS[:PORT]")]
    peer: Peer,
    #[command(flatten)]
    file: ConfigFile,
}

/// A peer as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Peer {
    ip: IpAddr,
    port: Option<u16>,
}

/// Why a text names no peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address; write one such as 10.0.0.7, 10.0.0.7:5000 or [fd00::7]:5000")]
struct PeerError(String);

impl FromStr for Peer {
    type Err = PeerError;

    fn from_str(text: &str) -> Result<Self, PeerError> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self { ip: address.ip(), port: Some(address.port()) });
        }
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        bare.parse().map(|ip| Self { ip, port: None }).map_err(|_| PeerError(text.to_owned()))
    }
}

pub(super) fn run(command: &PolicyCommand) -> ExitCode {
    let PolicyCommand::Test(test) = command;
    let policy = test.file.read().and_then(|written| written.resolve()).map_err(anyhow::Error::from);
    let policy = match policy.and_then(|settings| app::peer_policy(&settings)) {
        Ok(policy) => policy,
        Err(error) => {
            super::print_error(&error);
            // 1 would say that the peer is refused.
            return ExitCode::from(2);
        }
    };
    let (explanation, text) = explain(&policy, test.peer);
    #[expect(clippy::print_stdout, reason = "what the command is for")]
    {
        println!("{text}");
    }
    if explanation.judgement.is_allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn explain(policy: &PeerPolicy, peer: Peer) -> (Explanation<'_>, String) {
    let explanation = match peer.port {
        Some(port) => policy.explain(SocketAddr::new(peer.ip, port)),
        None => policy.explain_address(peer.ip),
    };
    let rule = explanation.rule.map(|rule| rule.to_string()).unwrap_or_default();
    let why = match explanation.judgement {
        Judgement::AllowedByRule => format!("allowed: turn.peers.allow has {rule}"),
        Judgement::AllowedAsPublic => "allowed: it is a public address, and nothing denies it".to_owned(),
        Judgement::OwnListener => "refused: turnpike itself listens there".to_owned(),
        Judgement::DeniedByRule => format!("refused: turn.peers.deny has {rule}"),
        Judgement::NotPublic => {
            "refused: it is no public unicast address, and turn.peers.allow does not have it".to_owned()
        }
    };
    let shown = match peer.port {
        Some(port) => SocketAddr::new(peer.ip, port).to_string(),
        None => peer.ip.to_string(),
    };
    let canonical = match explanation.canonical {
        canonical if canonical == peer.ip => String::new(),
        canonical => format!(" (judged as {canonical})"),
    };
    let backend = match peer.port {
        Some(port) => policy.backend(SocketAddr::new(peer.ip, port)),
        None => policy.backend_at(peer.ip),
    };
    let anonymously = match backend {
        _ if !(explanation.judgement.is_allowed() && policy.has_backends()) => String::new(),
        Some(rule) => format!("; without credentials too: turn.anonymous.backends has {rule}"),
        None => "; not without credentials: turn.anonymous.backends does not have it".to_owned(),
    };
    (explanation, format!("{shown}{canonical} is {why}{anonymously}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::peer_policy::{ALL_PORTS, NamedRule, OwnListener, PeerRule};

    fn policy() -> PeerPolicy {
        let mut policy = PeerPolicy::default();
        policy.allow(PeerRule { network: "10.0.0.0/8".parse().unwrap(), ports: 5000..=6000 });
        policy.deny(PeerRule { network: "8.8.8.0/24".parse().unwrap(), ports: ALL_PORTS });
        policy.allow_name(NamedRule { name: "backend".into(), ports: ALL_PORTS, addresses: Vec::new() });
        policy.set_addresses("backend", &["192.168.0.7".parse().unwrap()]);
        policy.add_own_listener("10.0.0.1:5349".parse().unwrap(), OwnListener::Streams);
        policy
    }

    #[test]
    fn says_what_and_why() {
        for (peer, expected) in [
            ("10.0.0.7:5000", "10.0.0.7:5000 is allowed: turn.peers.allow has 10.0.0.0/8:5000-6000"),
            ("10.0.0.7", "10.0.0.7 is allowed: turn.peers.allow has 10.0.0.0/8:5000-6000"),
            ("192.168.0.7:1", "192.168.0.7:1 is allowed: turn.peers.allow has backend"),
            ("9.9.9.9:53", "9.9.9.9:53 is allowed: it is a public address, and nothing denies it"),
            ("8.8.8.8", "8.8.8.8 is refused: turn.peers.deny has 8.8.8.0/24"),
            ("10.0.0.1:5349", "10.0.0.1:5349 is refused: turnpike itself listens there"),
            (
                "[::ffff:127.0.0.1]:80",
                "[::ffff:127.0.0.1]:80 (judged as 127.0.0.1) is refused: \
                 it is no public unicast address, and turn.peers.allow does not have it",
            ),
        ] {
            let policy = policy();
            let (explanation, text) = explain(&policy, peer.parse().unwrap());
            assert_eq!(text, expected);
            assert_eq!(explanation.judgement.is_allowed(), expected.contains("is allowed"));
        }
    }

    #[test]
    fn reads_peers_with_and_without_ports() {
        for text in ["10.0.0.7", "::1", "[::1]", "10.0.0.7:1", "[::1]:1"] {
            assert!(text.parse::<Peer>().is_ok(), "{text}");
        }
        for text in ["", "host", "10.0.0.7:", "10.0.0.7:99999", "10.0.0.0/8"] {
            assert_eq!(text.parse::<Peer>(), Err(PeerError(text.into())));
        }
    }
}
