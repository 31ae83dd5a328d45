//! ICE candidates (RFC 8839 §5.1): `a=candidate:1 1 udp 2130706431 203.0.113.7 5000 typ host`.

use std::net::{IpAddr, SocketAddr};

use super::line::Lines;

/// One candidate, as far as it is understood; extensions are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Alike for candidates of one kind, base and server. Clients write more than the 32 characters of the RFC.
    pub foundation: &'a str,
    /// 1 for RTP and data, 2 for RTCP.
    pub component: u16,
    /// How packets go.
    pub transport: Transport,
    /// The higher, the sooner it is tried.
    pub priority: u32,
    /// Where packets go.
    pub address: Host<'a>,
    /// Where packets go; 9 for TCP candidates that only dial.
    pub port: u16,
    /// Where the address comes from.
    pub kind: CandidateKind,
    /// What the address was made from: for a relayed address the client's address as the TURN server saw it, or zeros
    /// where the client hides it.
    pub related: Option<(Host<'a>, u16)>,
    /// Who dials, for TCP.
    pub tcp_role: Option<TcpRole>,
    /// The ICE session that the candidate belongs to, where the client writes it.
    pub ufrag: Option<&'a str>,
}

/// How packets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// RFC 6544.
    Tcp,
    /// Whatever else; peers pass over such candidates.
    Other,
}

/// Where an address comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CandidateKind {
    /// An address of the client's own.
    Host,
    /// What a STUN server saw.
    ServerReflexive,
    /// What the peer saw.
    PeerReflexive,
    /// A relayed address of a TURN server.
    Relayed,
    /// Whatever else; peers pass over such candidates.
    Other,
}

/// Who dials (RFC 6544 §4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpRole {
    /// The client.
    Active,
    /// The peer.
    Passive,
    /// Both at once.
    SimultaneousOpen,
}

/// An address, or a name for one: browsers hide addresses behind names that end in `.local`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host<'a> {
    /// An address.
    Ip(IpAddr),
    /// Anything else.
    Name(&'a str),
}

/// What a candidate lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CandidateFlaw {
    /// Too few parts, or no `typ`.
    #[error("has a foundation, a component, a transport, a priority, an address, a port, typ and its kind")]
    Form,
    /// Not 1 to 256.
    #[error("has a component from 1 to 256")]
    Component,
    /// Not a number of 32 bits.
    #[error("has a priority that is a number of 32 bits")]
    Priority,
    /// No port.
    #[error("has a port up to 65535")]
    Port,
}

/// The candidates that a text names, whatever else stands in it; lines that cannot be read are passed over.
pub fn candidates(text: &str) -> impl Iterator<Item = Candidate<'_>> {
    Lines::new(text, 1).filter_map(|line| match line.ok()?.attribute()? {
        ("candidate", value) => Candidate::parse(value.trim_ascii()).ok(),
        _ => None,
    })
}

impl<'a> Candidate<'a> {
    /// Reads what follows `a=candidate:`.
    pub fn parse(value: &'a str) -> Result<Self, CandidateFlaw> {
        let mut words = value.split_ascii_whitespace();
        let mut word = || words.next().ok_or(CandidateFlaw::Form);
        let foundation = word()?;
        let component = word()?.parse().ok().filter(|component| (1..=256).contains(component));
        let component = component.ok_or(CandidateFlaw::Component)?;
        let transport = Transport::of(word()?);
        let priority = word()?.parse().map_err(|_| CandidateFlaw::Priority)?;
        let address = Host::of(word()?);
        let port = word()?.parse().map_err(|_| CandidateFlaw::Port)?;
        if !word()?.eq_ignore_ascii_case("typ") {
            return Err(CandidateFlaw::Form);
        }
        let kind = CandidateKind::of(word()?);
        let mut candidate = Self {
            foundation,
            component,
            transport,
            priority,
            address,
            port,
            kind,
            related: None,
            tcp_role: None,
            ufrag: None,
        };
        let mut related = (None, None);
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            match name {
                "raddr" => related.0 = Some(Host::of(value)),
                "rport" => related.1 = Some(value.parse().map_err(|_| CandidateFlaw::Port)?),
                "tcptype" => candidate.tcp_role = TcpRole::of(value),
                "ufrag" => candidate.ufrag = Some(value),
                _ => {}
            }
        }
        candidate.related = related.0.zip(related.1);
        Ok(candidate)
    }

    /// Where packets go, unless that is a name.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        self.address.ip().map(|ip| SocketAddr::new(ip, self.port))
    }

    /// What the address was made from, unless that is missing, a name, or hidden.
    pub fn related_addr(&self) -> Option<SocketAddr> {
        let (host, port) = self.related?;
        host.ip().filter(|ip| !ip.is_unspecified()).map(|ip| SocketAddr::new(ip, port))
    }
}

impl<'a> Host<'a> {
    fn of(text: &'a str) -> Self {
        text.parse().map_or(Self::Name(text), Self::Ip)
    }

    /// The address, unless it is a name.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

/// RFC 8839 §5.1 quotes its words, and quoted words of ABNF come in capitals as well: Firefox writes `UDP`.
impl Transport {
    fn of(word: &str) -> Self {
        if word.eq_ignore_ascii_case("udp") {
            Self::Udp
        } else if word.eq_ignore_ascii_case("tcp") {
            Self::Tcp
        } else {
            Self::Other
        }
    }
}

impl CandidateKind {
    fn of(word: &str) -> Self {
        let kinds = [
            ("host", Self::Host),
            ("srflx", Self::ServerReflexive),
            ("relay", Self::Relayed),
            ("prflx", Self::PeerReflexive),
        ];
        kinds
            .into_iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name))
            .map_or(Self::Other, |(_, kind)| kind)
    }
}

impl TcpRole {
    fn of(word: &str) -> Option<Self> {
        match word {
            "active" => Some(Self::Active),
            "passive" => Some(Self::Passive),
            "so" => Some(Self::SimultaneousOpen),
            _ => None,
        }
    }
}
