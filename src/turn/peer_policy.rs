//! `PeerPolicy`: which addresses may be relayed to, so that the relay is no way into private networks.
//!
//! The order of judgement: our own listeners are never peers; what is allowed wins; what is denied loses; of the rest
//! only public unicast addresses pass. Addresses that carry an IPv4 address inside are judged by that one. Rules may
//! name hosts; their addresses are looked up elsewhere and told by [`PeerPolicy::set_addresses`].

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;

use foldhash::fast::RandomState;
use ipnet::{Ipv4Net, Ipv6Net};

pub use super::peer_rule::{ALL_PORTS, AnyRule, NamedRule, PeerRule};

/// Which peers may be reached; by default every public one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    allowed: Rules,
    denied: Rules,
    /// Those that clients without credentials may reach.
    backends: Rules,
    /// Those that allocations may reach whose session names its peers, without being named.
    of_every_session: Rules,
    own_listeners: HashMap<SocketAddr, OwnListener, RandomState>,
}

/// What a listener of this process takes, and sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnListener {
    /// Connections.
    Streams,
    /// Datagrams, and perhaps connections too.
    Datagrams,
}

/// The rules that say one thing, in the order of their writing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rules {
    networks: Vec<PeerRule>,
    names: Vec<NamedRule>,
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

/// A judgement with what led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation<'a> {
    /// The judgement.
    pub judgement: Judgement,
    /// The address that was judged, without the disguises of IPv6.
    pub canonical: IpAddr,
    /// The rule that decided, if one did.
    pub rule: Option<AnyRule<'a>>,
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
        self.allowed.networks.push(rule);
    }

    /// Keeps these peers from being reached, unless a rule allows them.
    pub fn deny(&mut self, rule: PeerRule) {
        self.denied.networks.push(rule);
    }

    /// Lets the addresses of a name be reached, once they are known.
    pub fn allow_name(&mut self, rule: NamedRule) {
        self.allowed.names.push(rule);
    }

    /// Keeps the addresses of a name from being reached, once they are known.
    pub fn deny_name(&mut self, rule: NamedRule) {
        self.denied.names.push(rule);
    }

    /// Lets these peers be reached by clients without credentials too, if they may be reached at all.
    pub fn add_backend(&mut self, rule: PeerRule) {
        self.backends.networks.push(rule);
    }

    /// The same for the addresses of a name, once they are known.
    pub fn add_backend_name(&mut self, rule: NamedRule) {
        self.backends.names.push(rule);
    }

    /// Lets allocations reach these peers whose session names its peers, if they may be reached at all.
    pub fn add_to_every_session(&mut self, rule: PeerRule) {
        self.of_every_session.networks.push(rule);
    }

    /// The same for the addresses of a name, once they are known.
    pub fn add_name_to_every_session(&mut self, rule: NamedRule) {
        self.of_every_session.names.push(rule);
    }

    /// The names of the rules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let rules = self.allowed.names.iter().chain(&self.denied.names);
        let rules = rules.chain(&self.backends.names).chain(&self.of_every_session.names);
        rules.map(|rule| rule.name.as_str())
    }

    /// Tells which addresses a name has now.
    pub fn set_addresses(&mut self, name: &str, addresses: &[IpAddr]) {
        let rules = self.allowed.names.iter_mut().chain(&mut self.denied.names);
        let rules = rules.chain(&mut self.backends.names).chain(&mut self.of_every_session.names);
        for rule in rules.filter(|rule| rule.name == name) {
            rule.addresses = addresses.iter().copied().map(unwrap_embedded).collect();
        }
    }

    /// Names an address and port that this process itself listens on.
    pub fn add_own_listener(&mut self, address: SocketAddr, takes: OwnListener) {
        let address = SocketAddr::new(unwrap_embedded(address.ip()), address.port());
        // The same port may be there for both.
        if self.own_listeners.get(&address) != Some(&OwnListener::Datagrams) {
            self.own_listeners.insert(address, takes);
        }
    }

    /// Whether this is an address and port that this process itself listens on.
    pub fn is_own_listener(&self, address: SocketAddr) -> bool {
        self.own_listener(address).is_some()
    }

    /// Whether this process itself sends datagrams from here.
    pub(super) fn sends_from(&self, address: SocketAddr) -> bool {
        self.own_listener(address) == Some(OwnListener::Datagrams)
    }

    fn own_listener(&self, address: SocketAddr) -> Option<OwnListener> {
        let address = SocketAddr::new(unwrap_embedded(address.ip()), address.port());
        self.own_listeners.get(&address).copied()
    }

    /// Judges a peer.
    pub fn judge(&self, peer: SocketAddr) -> Judgement {
        self.explain(peer).judgement
    }

    /// Whether some port of this address may be reached, which is what a permission is for (RFC 8656 §9).
    pub fn may_permit(&self, peer: IpAddr) -> bool {
        self.explain_address(peer).judgement.is_allowed()
    }

    /// The rule by which clients without credentials may reach this peer, if it may be reached at all.
    pub fn backend(&self, peer: SocketAddr) -> Option<AnyRule<'_>> {
        self.backends.find_inside(peer.ip(), |ports| ports.contains(&peer.port()))
    }

    /// The same for some port of this address.
    pub fn backend_at(&self, peer: IpAddr) -> Option<AnyRule<'_>> {
        self.backends.find_inside(peer, |_| true)
    }

    /// Whether every session may have this peer, if it may be reached at all.
    pub(super) fn is_of_every_session(&self, peer: SocketAddr) -> bool {
        self.of_every_session.find_inside(peer.ip(), |ports| ports.contains(&peer.port())).is_some()
    }

    /// The same for some port of this address.
    pub(super) fn is_of_every_session_at(&self, peer: IpAddr) -> bool {
        self.of_every_session.find_inside(peer, |_| true).is_some()
    }

    /// Whether there are peers for clients without credentials.
    pub fn has_backends(&self) -> bool {
        !(self.backends.networks.is_empty() && self.backends.names.is_empty())
    }

    /// Judges a peer and says why.
    pub fn explain(&self, peer: SocketAddr) -> Explanation<'_> {
        if self.is_own_listener(peer) {
            let canonical = unwrap_embedded(peer.ip());
            return Explanation { judgement: Judgement::OwnListener, canonical, rule: None };
        }
        let has_port = |ports: &RangeInclusive<u16>| ports.contains(&peer.port());
        self.explain_by_rules(peer.ip(), has_port, has_port)
    }

    /// Judges an address as [`may_permit`](Self::may_permit) does and says why.
    pub fn explain_address(&self, peer: IpAddr) -> Explanation<'_> {
        // A denial of some ports leaves the others, and Send and ChannelBind look at the port.
        let is_whole = |ports: &RangeInclusive<u16>| *ports.start() <= 1 && *ports.end() == u16::MAX;
        self.explain_by_rules(peer, |_| true, is_whole)
    }

    fn explain_by_rules(
        &self,
        original: IpAddr,
        is_allowed_at: impl Fn(&RangeInclusive<u16>) -> bool,
        is_denied_at: impl Fn(&RangeInclusive<u16>) -> bool,
    ) -> Explanation<'_> {
        let canonical = unwrap_embedded(original);
        let explain = |judgement, rule| Explanation { judgement, canonical, rule };
        // An allowed wrapper, such as all of NAT64, does not allow the private addresses that it may hold.
        if let Some(rule) = self.allowed.find(canonical, canonical, is_allowed_at) {
            return explain(Judgement::AllowedByRule, Some(rule));
        }
        if let Some(rule) = self.denied.find(original, canonical, is_denied_at) {
            return explain(Judgement::DeniedByRule, Some(rule));
        }
        if is_public(original, canonical) {
            explain(Judgement::AllowedAsPublic, None)
        } else {
            explain(Judgement::NotPublic, None)
        }
    }
}

impl Rules {
    fn find(
        &self,
        original: IpAddr,
        canonical: IpAddr,
        has_ports: impl Fn(&RangeInclusive<u16>) -> bool,
    ) -> Option<AnyRule<'_>> {
        let mut networks = self.networks.iter();
        let network = networks.find(|rule| rule.covers(original, canonical) && has_ports(&rule.ports));
        let mut names = self.names.iter();
        network.map(AnyRule::Network).or_else(|| {
            let name = names.find(|rule| rule.addresses.contains(&canonical) && has_ports(&rule.ports));
            name.map(AnyRule::Name)
        })
    }

    /// The same where a network of wrappers is no way to the addresses inside.
    fn find_inside(
        &self,
        peer: IpAddr,
        has_ports: impl Fn(&RangeInclusive<u16>) -> bool,
    ) -> Option<AnyRule<'_>> {
        let canonical = unwrap_embedded(peer);
        self.find(canonical, canonical, has_ports)
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
        policy.add_own_listener("10.0.0.1:3478".parse().unwrap(), OwnListener::Datagrams);
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

    #[test]
    fn a_name_stands_for_the_addresses_that_it_has_now() {
        let mut policy = PeerPolicy::default();
        let name = |name: &str, ports| NamedRule { name: name.into(), ports, addresses: Vec::new() };
        policy.allow_name(name("inference.internal", 5000..=5000));
        policy.deny_name(name("bad.example", ALL_PORTS));
        assert_eq!(policy.names().collect::<Vec<_>>(), ["inference.internal", "bad.example"]);
        assert_eq!(judge(&policy, "10.0.0.7"), Judgement::NotPublic);

        policy
            .set_addresses("inference.internal", &["10.0.0.7".parse().unwrap(), "fd00::7".parse().unwrap()]);
        policy.set_addresses("bad.example", &["8.8.8.8".parse().unwrap()]);
        assert_eq!(judge(&policy, "10.0.0.7"), Judgement::AllowedByRule);
        assert_eq!(judge(&policy, "::ffff:10.0.0.7"), Judgement::AllowedByRule);
        assert_eq!(judge(&policy, "fd00::7"), Judgement::AllowedByRule);
        assert_eq!(policy.judge("10.0.0.7:5001".parse().unwrap()), Judgement::NotPublic);
        assert_eq!(judge(&policy, "8.8.8.8"), Judgement::DeniedByRule);
        assert!(policy.may_permit("10.0.0.7".parse().unwrap()));
        assert!(!policy.may_permit("8.8.8.8".parse().unwrap()));

        policy.set_addresses("inference.internal", &["10.0.0.8".parse().unwrap()]);
        assert_eq!(judge(&policy, "10.0.0.7"), Judgement::NotPublic);
    }

    #[test]
    fn an_explanation_names_the_rule_and_the_address_that_was_judged() {
        let mut policy = PeerPolicy::default();
        policy.allow(rule("10.0.0.0/8", 5000..=6000));
        policy.deny(rule("10.1.0.0/16", ALL_PORTS));
        let explain = |peer: &str| {
            let explanation = policy.explain(peer.parse().unwrap());
            let rule = explanation.rule.map(|rule| rule.to_string()).unwrap_or_default();
            format!("{:?} {} {rule}", explanation.judgement, explanation.canonical)
        };
        assert_eq!(explain("[::ffff:10.0.0.7]:5000"), "AllowedByRule 10.0.0.7 10.0.0.0/8:5000-6000");
        assert_eq!(explain("10.1.0.7:80"), "DeniedByRule 10.1.0.7 10.1.0.0/16");
        assert_eq!(explain("[2002:7f00:1::]:80"), "NotPublic 127.0.0.1 ");
        assert_eq!(explain("8.8.8.8:80"), "AllowedAsPublic 8.8.8.8 ");
    }
}
