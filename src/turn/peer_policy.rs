//! `PeerPolicy`: which addresses may be relayed to, so that the relay is no way into private networks.
//!
//! The order of judgement: our own listeners are never peers; what is allowed wins; what is denied loses; of the rest
//! only public unicast addresses pass. Addresses that carry an IPv4 address inside are judged by that one.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use foldhash::fast::RandomState;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Which peers may be reached; by default every public one.
#[derive(Debug, Clone, Default)]
pub struct PeerPolicy {
    allowed: Vec<PeerRule>,
    denied: Vec<PeerRule>,
    own_listeners: HashSet<SocketAddr, RandomState>,
}

/// Some peers: a network and a range of ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerRule {
    /// Their addresses.
    pub network: IpNet,
    /// Their ports.
    pub ports: RangeInclusive<u16>,
}

/// Why a peer may or may not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// A rule allows it.
    AllowedByRule,
    /// It is a public address that nothing denies.
    AllowedAsPublic,
    /// One of our own listeners.
    OwnListener,
    /// A rule denies it.
    DeniedByRule,
    /// Not a public unicast address, and no rule allows it.
    NotPublic,
}

impl Judgement {
    /// Whether the peer may be reached.
    pub fn is_allowed(self) -> bool {
        matches!(self, Self::AllowedByRule | Self::AllowedAsPublic)
    }
}

impl PeerPolicy {
    /// Lets these peers be reached, whatever else is denied.
    pub fn allow(&mut self, rule: PeerRule) {
        self.allowed.push(rule);
    }

    /// Keeps these peers from being reached, unless a rule allows them.
    pub fn deny(&mut self, rule: PeerRule) {
        self.denied.push(rule);
    }

    /// Names an address and port that this process itself listens on.
    pub fn add_own_listener(&mut self, address: SocketAddr) {
        self.own_listeners.insert(SocketAddr::new(unwrap_embedded(address.ip()), address.port()));
    }

    /// Whether this is an address and port that this process itself listens on.
    pub fn is_own_listener(&self, address: SocketAddr) -> bool {
        let address = SocketAddr::new(unwrap_embedded(address.ip()), address.port());
        self.own_listeners.contains(&address)
    }

    /// Judges a peer.
    pub fn judge(&self, peer: SocketAddr) -> Judgement {
        let ip = unwrap_embedded(peer.ip());
        let port = peer.port();
        if self.is_own_listener(peer) {
            return Judgement::OwnListener;
        }
        self.judge_network(peer.ip(), ip, |rule| rule.ports.contains(&port))
    }

    /// Whether some port of this address may be reached, which is what a permission is for (RFC 8656 §9).
    pub fn may_permit(&self, original: IpAddr) -> bool {
        let ip = unwrap_embedded(original);
        // A denial of some ports leaves the others, and Send and ChannelBind look at the port.
        let is_whole = |rule: &PeerRule| *rule.ports.start() <= 1 && *rule.ports.end() == u16::MAX;
        let is_allowed = self.allowed.iter().any(|rule| rule.network.contains(&ip));
        let is_denied = self.denied.iter().any(|rule| rule.covers(original, ip) && is_whole(rule));
        is_allowed || (!is_denied && is_public(original, ip))
    }

    fn judge_network(&self, original: IpAddr, ip: IpAddr, has_port: impl Fn(&PeerRule) -> bool) -> Judgement {
        if self.allowed.iter().any(|rule| rule.network.contains(&ip) && has_port(rule)) {
            return Judgement::AllowedByRule;
        }
        if self.denied.iter().any(|rule| rule.covers(original, ip) && has_port(rule)) {
            return Judgement::DeniedByRule;
        }
        if is_public(original, ip) { Judgement::AllowedAsPublic } else { Judgement::NotPublic }
    }
}

impl PeerRule {
    fn covers(&self, original: IpAddr, unwrapped: IpAddr) -> bool {
        self.network.contains(&original) || self.network.contains(&unwrapped)
    }
}

/// The IPv4 address inside an IPv6 address that stands for it, or the address itself.
///
/// Without this, `::ffff:127.0.0.1` would pass a list that knows only `127.0.0.0/8`.
fn unwrap_embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let octets = v6.octets();
    let v4 = |at: usize| Ipv4Addr::new(octets[at], octets[at + 1], octets[at + 2], octets[at + 3]);
    let embedded = match v6.segments() {
        // RFC 4291 §2.5.5.2: IPv4-mapped. RFC 2765 §2.1: IPv4-translated. RFC 6052 §2.1: NAT64.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4(12),
        // RFC 4291 §2.5.5.1: IPv4-compatible, of which :: and ::1 are not.
        [0, 0, 0, 0, 0, 0, high, low] if (high, low) != (0, 0) && (high, low) != (0, 1) => v4(12),
        // RFC 3056 §2: 6to4.
        [0x2002, ..] => v4(2),
        // RFC 4380 §4: Teredo hides the client's address by inverting it.
        [0x2001, 0, ..] => Ipv4Addr::from(!u32::from(v4(12))),
        _ => return ip,
    };
    IpAddr::V4(embedded)
}

fn is_public(original: IpAddr, unwrapped: IpAddr) -> bool {
    let is_special = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => SPECIAL_IPV4.iter().any(|network| network.contains(&v4)),
        IpAddr::V6(v6) => {
            let is_nat64 = NAT64.contains(&v6);
            let is_outside = !GLOBAL_UNICAST_IPV6.contains(&v6) && !is_nat64;
            is_outside || SPECIAL_IPV6.iter().any(|network| network.contains(&v6))
        }
    };
    let is_mapped = matches!(original, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    !is_special(unwrapped) && (is_mapped || !is_special(original))
}

/// The IPv4 networks that are no public unicast addresses, by the IANA special-purpose registry.
const SPECIAL_IPV4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),       // this network, RFC 791
    v4([10, 0, 0, 0], 8),      // private, RFC 1918
    v4([100, 64, 0, 0], 10),   // shared, RFC 6598
    v4([127, 0, 0, 0], 8),     // loopback, RFC 1122
    v4([169, 254, 0, 0], 16),  // link-local and cloud metadata, RFC 3927
    v4([172, 16, 0, 0], 12),   // private, RFC 1918
    v4([192, 0, 0, 0], 24),    // protocol assignments, RFC 6890
    v4([192, 0, 2, 0], 24),    // documentation, RFC 5737
    v4([192, 88, 99, 0], 24),  // 6to4 relay anycast, RFC 7526
    v4([192, 168, 0, 0], 16),  // private, RFC 1918
    v4([198, 18, 0, 0], 15),   // benchmarking, RFC 2544
    v4([198, 51, 100, 0], 24), // documentation, RFC 5737
    v4([203, 0, 113, 0], 24),  // documentation, RFC 5737
    v4([224, 0, 0, 0], 4),     // multicast, RFC 5771
    v4([240, 0, 0, 0], 4),     // reserved and broadcast, RFC 1112
];

/// All that is global unicast today (RFC 4291 §2.4); the rest is loopback, link-local, ULA, multicast or reserved.
const GLOBAL_UNICAST_IPV6: Ipv6Net = v6([0x2000, 0, 0], 3);
/// NAT64 (RFC 6052 §2.1), which is as public as the IPv4 address inside.
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0], 96);
/// The parts of global unicast that are no public addresses.
const SPECIAL_IPV6: [Ipv6Net; 4] = [
    v6([0x2001, 0, 0], 23),     // Teredo, benchmarking, ORCHID: RFC 2928
    v6([0x2001, 0xdb8, 0], 32), // documentation, RFC 3849
    v6([0x2002, 0, 0], 16),     // 6to4, RFC 3056
    v6([0x3fff, 0, 0], 20),     // documentation, RFC 9637
];

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]), prefix)
}

const fn v6(segments: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(segments[0], segments[1], segments[2], 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(network: &str, ports: RangeInclusive<u16>) -> PeerRule {
        PeerRule { network: network.parse().unwrap(), ports }
    }

    fn judge(policy: &PeerPolicy, ip: &str) -> Judgement {
        policy.judge(SocketAddr::new(ip.parse().unwrap(), 5000))
    }

    #[test]
    fn refuses_what_is_not_public_by_default() {
        let policy = PeerPolicy::default();
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "192.0.2.7",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "100::1",
            "64:ff9b:1::1",
            "4000::1",
        ] {
            assert_eq!(judge(&policy, ip), Judgement::NotPublic, "{ip}");
            assert!(!policy.may_permit(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn refuses_private_addresses_in_every_disguise() {
        let policy = PeerPolicy::default();
        for ip in [
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2001:0:0:0:0:0:80ff:fffe",
        ] {
            assert!(!judge(&policy, ip).is_allowed(), "{ip}");
        }
    }

    #[test]
    fn lets_public_addresses_through() {
        let policy = PeerPolicy::default();
        for ip in ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "172.32.0.1"] {
            assert_eq!(judge(&policy, ip), Judgement::AllowedAsPublic, "{ip}");
            assert!(policy.may_permit(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn an_allowed_network_wins_over_a_denied_one() {
        let mut policy = PeerPolicy::default();
        policy.deny(rule("8.0.0.0/8", 0..=65535));
        policy.allow(rule("8.8.0.0/16", 0..=65535));
        assert_eq!(judge(&policy, "8.8.8.8"), Judgement::AllowedByRule);
        assert_eq!(judge(&policy, "8.9.8.8"), Judgement::DeniedByRule);
        assert!(policy.may_permit("8.8.8.8".parse().unwrap()));
        assert!(!policy.may_permit("8.9.8.8".parse().unwrap()));
    }

    #[test]
    fn a_rule_holds_for_its_ports_alone() {
        let mut policy = PeerPolicy::default();
        policy.allow(rule("10.0.0.0/8", 5000..=5001));
        policy.deny(rule("8.8.8.8/32", 53..=53));
        let at = |text: &str| policy.judge(text.parse().unwrap()).is_allowed();
        assert!(at("10.0.0.1:5000"));
        assert!(!at("10.0.0.1:4999"));
        assert!(at("8.8.8.8:443"));
        assert!(!at("8.8.8.8:53"));
        assert!(policy.may_permit("10.0.0.1".parse().unwrap()));
        assert!(policy.may_permit("8.8.8.8".parse().unwrap()));
    }

    #[test]
    fn our_own_listeners_are_never_peers() {
        let mut policy = PeerPolicy::default();
        policy.allow(rule("0.0.0.0/0", 0..=65535));
        policy.add_own_listener("10.0.0.1:3478".parse().unwrap());
        assert_eq!(policy.judge("10.0.0.1:3478".parse().unwrap()), Judgement::OwnListener);
        assert_eq!(policy.judge("[::ffff:10.0.0.1]:3478".parse().unwrap()), Judgement::OwnListener);
        assert_eq!(policy.judge("10.0.0.1:3479".parse().unwrap()), Judgement::AllowedByRule);
    }

    #[test]
    fn a_denied_wrapper_is_denied() {
        let mut policy = PeerPolicy::default();
        policy.deny(rule("64:ff9b::/96", 0..=65535));
        assert_eq!(judge(&policy, "64:ff9b::808:808"), Judgement::DeniedByRule);
    }
}
