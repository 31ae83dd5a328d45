//! `Load`: what is asked of a server.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::stamp::Stamp;
use crate::secret::Secret;

/// How to reach a server, and as whom.
#[derive(Debug, Clone)]
pub struct Access {
    /// Where it listens.
    pub server: SocketAddr,
    /// How clients get there.
    pub transport: Transport,
    /// What it takes for TLS to be trusted.
    pub trust: Trust,
    /// Who allocates.
    pub credential: Credential,
}

/// How clients reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream in the clear.
    Tcp,
    /// A stream through TLS.
    Tls,
}

/// Which certificates are good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those that this file's certificates vouch for, under this name.
    Authorities {
        /// PEM, one certificate or several; a self-signed one vouches for itself.
        file: PathBuf,
        /// The name that the server's certificate must be for.
        name: String,
    },
    /// Any: whoever answers is measured.
    Anybody,
}

/// Who allocates.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A user with a password.
    User {
        /// The name.
        name: String,
        /// The password.
        password: Secret,
    },
    /// Names that expire, each allocation with a user of its own, whose passwords come from a shared secret.
    SharedSecret(Secret),
}

/// Which way packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the clients to their peers.
    ToPeer,
    /// From the peers to their clients.
    ToClient,
    /// Half of them each way.
    Both,
    /// From client to client, by the relayed addresses of both.
    Across,
}

/// What is to be relayed.
#[derive(Debug, Clone)]
pub struct Load {
    /// The server.
    pub access: Access,
    /// Allocations, each with one flow; even for [`Direction::Across`].
    pub allocations: usize,
    /// Which way packets go.
    pub direction: Direction,
    /// Bytes of each payload.
    pub payload_bytes: usize,
    /// Packets a second, of all flows together.
    pub packets_per_second: f64,
    /// Packets that one flow sends at once.
    pub frame: usize,
    /// Whether the packets of a frame are given to the kernel in one piece, as WebRTC stacks do with segmentation offload.
    pub is_segmented: bool,
    /// How often packets are sent, all together that are due; zero sends each frame at its own time.
    pub tick: Duration,
    /// Whether clients use Send and Data indications in place of channels.
    pub uses_indications: bool,
    /// How long it is measured.
    pub duration: Duration,
    /// How long the load is on before that.
    pub warm_up: Duration,
    /// Threads that make the load.
    pub threads: usize,
    /// Sockets that are peers, for all flows of a thread.
    pub peers: usize,
    /// The address of the peers; that of this machine on the way to the server if not given.
    pub peer_address: Option<IpAddr>,
    /// The network namespace (`ip netns`) that the peers are in; the clients' own if not given.
    pub peer_namespace: Option<String>,
    /// The server's process, if its use of the processor and memory is to be measured.
    pub pid: Option<u32>,
}

/// Why a load makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Nothing would flow.
    #[error("{0} must be more than zero")]
    Zero(&'static str),
    /// A payload has no room for what the measurement puts into it, or is none.
    #[error("a payload of {bytes} bytes cannot be measured; take {least} to {most}")]
    Payload {
        /// What was asked for.
        bytes: usize,
        /// The shortest.
        least: usize,
        /// The longest.
        most: usize,
    },
    /// Allocations that are each other's peers come in pairs.
    #[error("{0} allocations make no pairs for --direction across; take an even number for each thread")]
    Odd(usize),
    /// There would be threads without work.
    #[error("{threads} threads cannot share {allocations} allocations; take a multiple")]
    Threads {
        /// How many.
        threads: usize,
        /// For so many.
        allocations: usize,
    },
    /// Allocations are not refreshed.
    #[error(
        "{0:?} is longer than permissions live without being renewed; take 4 minutes at most, warm-up included"
    )]
    TooLong(Duration),
}

impl Load {
    /// Says what is wrong with the load, if anything is.
    pub fn check(&self) -> Result<(), LoadError> {
        let counts = [
            ("--allocations", self.allocations),
            ("--frame", self.frame),
            ("--threads", self.threads),
            ("--peers", self.peers),
        ];
        if let Some((name, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(LoadError::Zero(name));
        }
        if !(self.packets_per_second > 0.0 && self.packets_per_second.is_finite()) {
            return Err(LoadError::Zero("--rate"));
        }
        if self.duration.is_zero() {
            return Err(LoadError::Zero("--duration"));
        }
        let (bytes, least, most) = (self.payload_bytes, Stamp::LEN, MAX_PAYLOAD / self.frame);
        if !(least..=most).contains(&bytes) {
            return Err(LoadError::Payload { bytes, least, most });
        }
        if !self.allocations.is_multiple_of(self.threads) {
            return Err(LoadError::Threads { threads: self.threads, allocations: self.allocations });
        }
        if self.direction == Direction::Across && !(self.allocations / self.threads).is_multiple_of(2) {
            return Err(LoadError::Odd(self.allocations));
        }
        let whole = self.duration + self.warm_up;
        if whole > LONGEST { Err(LoadError::TooLong(whole)) } else { Ok(()) }
    }
}

/// A frame with its headers must fit one message to the kernel.
const MAX_PAYLOAD: usize = 60_000;
/// A permission lives 5 minutes (RFC 8656 §9).
const LONGEST: Duration = Duration::from_secs(240);

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A load that makes sense, on a server that is nowhere.
    pub(in crate::bench) fn load() -> Load {
        Load {
            access: Access {
                server: "127.0.0.1:3478".parse().unwrap(),
                transport: Transport::Udp,
                trust: Trust::Anybody,
                credential: Credential::SharedSecret(Secret::new("north")),
            },
            allocations: 4,
            direction: Direction::ToPeer,
            payload_bytes: 160,
            packets_per_second: 1000.0,
            frame: 1,
            is_segmented: false,
            tick: Duration::ZERO,
            uses_indications: false,
            duration: Duration::from_millis(200),
            warm_up: Duration::ZERO,
            threads: 1,
            peers: 1,
            peer_address: None,
            peer_namespace: None,
            pid: None,
        }
    }

    #[test]
    fn says_what_makes_no_sense() {
        assert_eq!(load().check(), Ok(()));
        for (wrong, why) in [
            (Load { allocations: 0, ..load() }, "--allocations must be more than zero"),
            (Load { packets_per_second: 0.0, ..load() }, "--rate must be more than zero"),
            (Load { packets_per_second: f64::NAN, ..load() }, "--rate must be more than zero"),
            (
                Load { payload_bytes: 10, ..load() },
                "a payload of 10 bytes cannot be measured; take 24 to 60000",
            ),
            (
                Load { payload_bytes: 1200, frame: 64, ..load() },
                "a payload of 1200 bytes cannot be measured; take 24 to 937",
            ),
            (Load { threads: 3, ..load() }, "3 threads cannot share 4 allocations; take a multiple"),
            (
                Load { threads: 4, direction: Direction::Across, ..load() },
                "4 allocations make no pairs for --direction across; take an even number for each thread",
            ),
            (
                Load { duration: Duration::from_secs(241), ..load() },
                "241s is longer than permissions live without being renewed; take 4 minutes at most, warm-up included",
            ),
        ] {
            assert_eq!(wrong.check().unwrap_err().to_string(), why);
        }
    }
}
