//! `[turn]`: the settings of the state machine and of the data plane.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};

use super::credentials::{credentials, password_algorithms};
use super::peers::{anonymous, peer_policy, peers};
use super::{Rules, Unique, certificate, listeners};
use crate::config::addresses::{ExternalIp, TLS_PORT};
use crate::config::error::Cause;
use crate::config::schema::{
    AnonymousMode, ChannelNumbers, Gateway, Lifetimes, NatDiscovery, PeersPolicy, Redirect, Turn,
};
use crate::config::secrets::Source;
use crate::config::units::{BitRate, ByteSize, HumanDuration, PortRange};
use crate::turn::{ExternalAddresses, NonceKeys};
use crate::{relay, turn};

pub(super) fn turn(written: &Turn, rules: &mut Rules<'_>) -> turn::Settings {
    let realm_fits = (1..=MOST_REALM_CHARACTERS).contains(&written.realm.chars().count());
    if !realm_fits || written.realm.contains(['"', '\\']) || written.realm.contains(char::is_control) {
        rules.refuse("turn.realm", Cause::Realm(written.realm.clone()));
    }
    if let Some(name) = &written.token_server_name
        && (!(1..=MOST_SERVER_NAME_BYTES).contains(&name.len()) || name.contains(char::is_control))
    {
        rules.refuse("turn.token_server_name", Cause::ServerName(name.clone()));
    }
    let discovery = &written.nat_discovery;
    if !discovery.addresses.is_empty() && nat_discovery(discovery).is_none() {
        rules.refuse("turn.nat_discovery", Cause::NotTwoPairs);
    }
    anonymous(&written.anonymous, rules);
    peers(written, rules);
    lifetimes(&written.lifetimes, rules);
    rules.in_range("turn.limits.permissions", &written.limits.permissions, 1..=MOST_PER_ALLOCATION);
    let bandwidths = [
        ("bandwidth", written.limits.bandwidth),
        ("bandwidth_per_user", written.limits.bandwidth_per_user),
        ("bandwidth_per_allocation", written.limits.bandwidth_per_allocation),
    ];
    for (name, value) in bandwidths {
        rules.in_range(&format!("turn.limits.{name}"), &value, BitRate(0)..=MOST_BANDWIDTH);
    }
    rules.in_range("turn.limits.channels", &written.limits.channels, 1..=MOST_PER_ALLOCATION);
    rules.in_range("turn.limits.peer_connections", &written.limits.peer_connections, 1..=MOST_PER_ALLOCATION);
    let per_second = [
        ("unauthenticated_per_second", written.limits.unauthenticated_per_second),
        ("bindings_per_second", written.limits.bindings_per_second),
    ];
    for (name, value) in per_second {
        rules.in_range(&format!("turn.limits.{name}"), &value, 0..=MOST_ANSWERS);
    }
    turn::Settings {
        realm: written.realm.clone(),
        credentials: credentials(written, rules),
        password_algorithms: password_algorithms(written, rules),
        hide_usernames: written.hide_usernames,
        credentials_end_sessions: written.credentials_end_sessions,
        // The relay is told by its caller whether there is somebody to ask.
        asks_hook: false,
        token_server_name: written.token_server_name.clone(),
        nonce_keys: nonce_keys(written, rules),
        nonce_lifetime: written.lifetimes.nonce.0,
        allocation_lifetime: written.lifetimes.allocation.0,
        max_allocation_lifetime: written.lifetimes.max_allocation.0,
        permission_lifetime: written.lifetimes.permission.0,
        channel_lifetime: written.lifetimes.channel.0,
        permission_follows_channel: written.permission_follows_channel,
        mobility: written.mobility,
        redirect: match written.redirect {
            Redirect::WhenFull => turn::Redirect::WhenFull,
            Redirect::Always => turn::Redirect::Always,
        },
        alternate_domain: written.alternate_domain.clone(),
        nat_discovery: nat_discovery(&written.nat_discovery),
        channel_numbers: match written.channel_numbers {
            ChannelNumbers::Rfc8656 => turn::ChannelNumbers::Rfc8656,
            ChannelNumbers::Rfc5766 => turn::ChannelNumbers::Rfc5766,
        },
        max_permissions: written.limits.permissions,
        max_channels: written.limits.channels,
        tcp_allocations: written.tcp_allocations,
        max_peer_connections: written.limits.peer_connections,
        peer_connection_patience: written.lifetimes.peer_connection.0,
        server_number: 0,
        unauthenticated_per_second: written.limits.unauthenticated_per_second,
        bindings_per_second: written.limits.bindings_per_second,
        // The relay tells where it listens in the end.
        anonymous_listeners: turn::AnonymousListeners::default(),
        anonymous_await_claims: written.anonymous.mode == AnonymousMode::Claim,
        claim_patience: written.anonymous.claim_patience.0,
        peer_policy: peer_policy(written),
        sessions_name_peers: written.peers.policy == PeersPolicy::Answer,
        external_addresses: external_addresses(&written.external_ip, rules),
    }
}

pub(super) fn relay(written: &Turn, gateway: &Gateway, rules: &mut Rules<'_>) -> relay::Settings {
    let ports = &written.relay_ports.0;
    // Ports below 1024 belong to other services (RFC 8656 §7.2 excludes them).
    if *ports.start() < LEAST_RELAY_PORT {
        let cause = Cause::OutOfRange {
            value: PortRange(ports.clone()).to_string(),
            least: LEAST_RELAY_PORT.to_string(),
            most: u16::MAX.to_string(),
        };
        rules.refuse("turn.relay_ports", cause);
    }
    if let Some(workers) = written.workers.0 {
        rules.in_range("turn.workers", &workers.get(), 1..=MOST_WORKERS);
    }
    rules.in_range("turn.listener_buffer", &written.listener_buffer, LEAST_BUFFER..=MOST_BUFFER);
    rules.in_range("turn.relay_buffer", &written.relay_buffer, LEAST_BUFFER..=MOST_BUFFER);
    rules.in_range("turn.limits.connections", &written.limits.connections, 1..=MOST_CONNECTIONS);
    if written.listen.is_empty() {
        rules.refuse("turn.listen", Cause::EmptyList);
    }
    let tls = certificate("turn.tls", &written.tls, rules);
    let listen_tcp = listen_tcp(written, tls.is_some(), rules);
    relay::Settings {
        listen: match nat_discovery(&written.nat_discovery) {
            Some(discovery) => discovery.listeners().to_vec(),
            None => listeners("turn.listen", &written.listen, rules),
        },
        // Port 0 is some other free one for each listener.
        http: listen_tcp.iter().copied().find(|&address| address == gateway.listen.0 && address.port() != 0),
        listen_tcp,
        anonymous: relay::AnonymousSettings {
            listen: listeners("turn.anonymous.listen", &written.anonymous.listen, rules),
            listen_tcp: listeners("turn.anonymous.listen_tcp", &written.anonymous.listen_tcp, rules),
        },
        tls,
        proxies: written.proxy_protocol_from.iter().map(|network| network.0).collect(),
        max_connections: written.limits.connections,
        connection_lifetime: written.lifetimes.connection.0,
        media_silence: written.lifetimes.media_silence.0,
        relay_addresses: relay_addresses(written, rules),
        relay_ports: ports.clone(),
        workers: written.workers.0,
        listener_buffer_bytes: written.listener_buffer.0,
        relay_buffer_bytes: written.relay_buffer.0,
        quotas: relay::QuotaSettings {
            total: written.limits.allocations,
            per_user: written.limits.allocations_per_user,
            per_source: written.limits.allocations_per_source,
            anonymous: written.anonymous.allocations,
            anonymous_per_source: written.anonymous.allocations_per_source,
        },
        bandwidth: relay::BandwidthSettings {
            per_allocation: written.limits.bandwidth_per_allocation.0,
            per_user: written.limits.bandwidth_per_user.0,
            total: written.limits.bandwidth.0,
        },
    }
}

/// Where streams come in: what was written, or the addresses of the datagrams and the port that TLS has by custom.
fn listen_tcp(written: &Turn, has_tls: bool, rules: &mut Rules<'_>) -> Vec<SocketAddr> {
    if let Some(listen) = &written.listen_tcp {
        return listeners("turn.listen_tcp", listen, rules);
    }
    let mut addresses: Vec<SocketAddr> = written.listen.iter().map(|address| address.0).collect();
    for address in &written.listen {
        let secure = SocketAddr::new(address.0.ip(), TLS_PORT);
        if has_tls && !addresses.contains(&secure) {
            addresses.push(secure);
        }
    }
    addresses
}

/// Two addresses and two ports, if they are given and good for it.
fn nat_discovery(written: &NatDiscovery) -> Option<turn::NatDiscovery> {
    let (&[first, second], &[low, high]) = (&written.addresses[..], &written.ports[..]) else {
        return None;
    };
    let are_two = first != second && first.0.is_ipv4() == second.0.is_ipv4() && low != high;
    let are_usable = is_host(first.0) && is_host(second.0) && low.min(high) > 0;
    (are_two && are_usable)
        .then_some(turn::NatDiscovery { addresses: [first.0, second.0], ports: [low, high] })
}

/// The other servers, each of which must be one that can be asked.
pub(super) fn alternates(written: &Turn, rules: &mut Rules<'_>) -> Vec<SocketAddr> {
    let mut seen = Unique::new();
    for (index, server) in written.alternate_servers.iter().enumerate() {
        let key = format!("turn.alternate_servers[{index}]");
        if !is_host(server.0.ip()) || server.0.port() == 0 {
            rules.refuse(&key, Cause::NotAHost(server.to_string()));
        }
        if let Some(first) = seen.claim(server.0, &key) {
            rules.refuse(&key, Cause::Duplicate { value: server.to_string(), first });
        }
    }
    if let Some(domain) = &written.alternate_domain
        && (!(1..=MOST_SERVER_NAME_BYTES).contains(&domain.len()) || domain.contains(char::is_control))
    {
        rules.refuse("turn.alternate_domain", Cause::ServerName(domain.clone()));
    }
    written.alternate_servers.iter().map(|server| server.0).collect()
}

fn lifetimes(written: &Lifetimes, rules: &mut Rules<'_>) {
    let bounds = [
        ("allocation", written.allocation, SECOND, DAY),
        ("max_allocation", written.max_allocation, written.allocation.clamp(SECOND, DAY), DAY),
        ("permission", written.permission, SECOND, HOUR),
        ("channel", written.channel, SECOND, HOUR),
        ("peer_connection", written.peer_connection, SECOND, HOUR),
        // RFC 8656 §5 recommends a new nonce at least every hour.
        ("nonce", written.nonce, SECOND, HOUR),
        ("connection", written.connection, SECOND, HOUR),
        ("media_silence", written.media_silence, SECOND, HOUR),
    ];
    for (name, value, least, most) in bounds {
        let key = format!("turn.lifetimes.{name}");
        if value.0.subsec_nanos() != 0 {
            rules.refuse(&key, Cause::NotWholeSeconds(value.to_string()));
        } else {
            rules.in_range(&key, &value, least..=most);
        }
    }
}

/// The keys of the nonces: from shared secrets, so that replicas agree, or else random.
fn nonce_keys(written: &Turn, rules: &mut Rules<'_>) -> NonceKeys {
    let issuing = Source {
        key: "nonce_secret",
        value: written.nonce_secret.as_ref(),
        file: written.nonce_secret_file.as_ref(),
    };
    let previous = Source {
        key: "previous_nonce_secret",
        value: written.previous_nonce_secret.as_ref(),
        file: written.previous_nonce_secret_file.as_ref(),
    };
    let previous = nonce_key(&previous, rules);
    if let Some(issuing) = nonce_key(&issuing, rules) {
        return NonceKeys { issuing, previous };
    }
    let mut issuing = [0; 32];
    if let Err(error) = SysRng.try_fill_bytes(&mut issuing) {
        rules.refuse("turn.nonce_secret", Cause::NoRandomness(error));
    }
    NonceKeys { issuing, previous }
}

/// The key that comes of a secret, if it is given.
fn nonce_key(source: &Source<'_>, rules: &mut Rules<'_>) -> Option<[u8; 32]> {
    let secret = rules.secret("turn", source)?;
    if secret.expose().chars().count() < LEAST_SECRET_CHARACTERS {
        let key = format!("turn.{}", source.written_key());
        rules.refuse(&key, Cause::ShortSecret { least: LEAST_SECRET_CHARACTERS });
    }
    // The label keeps the key apart from others that may come from the same secret.
    Some(Sha256::new_with_prefix(b"turnpike nonce key\0").chain_update(secret.expose()).finalize().into())
}

fn external_addresses(written: &[ExternalIp], rules: &mut Rules<'_>) -> ExternalAddresses {
    let mut addresses = ExternalAddresses::default();
    let mut privates = Unique::new();
    let mut alone = Unique::new();
    for (index, ip) in written.iter().enumerate() {
        let key = format!("turn.external_ip[{index}]");
        if let Some(stranger) = [Some(ip.public), ip.private].into_iter().flatten().find(|ip| !is_host(*ip)) {
            rules.refuse(&key, Cause::NotAHost(stranger.to_string()));
        }
        match ip.private {
            Some(private) => {
                if let Some(first) = privates.claim(private, &key) {
                    rules.refuse(&key, Cause::Duplicate { value: private.to_string(), first });
                }
            }
            None => {
                if alone.claim(ip.public.is_ipv4(), &key).is_some() {
                    rules.refuse(&key, Cause::SecondOfFamily(ip.to_string()));
                }
            }
        }
        addresses.add(ip.public, ip.private);
    }
    addresses
}

fn relay_addresses(written: &Turn, rules: &mut Rules<'_>) -> Vec<IpAddr> {
    let mut families = Unique::new();
    for (index, address) in written.relay_addresses.iter().enumerate() {
        let key = format!("turn.relay_addresses[{index}]");
        if !is_host(address.0) {
            rules.refuse(&key, Cause::NotAHost(address.to_string()));
        }
        if families.claim(address.0.is_ipv4(), &key).is_some() {
            rules.refuse(&key, Cause::SecondOfFamily(address.to_string()));
        }
    }
    written.relay_addresses.iter().map(|address| address.0).collect()
}

/// Whether one host can have the address.
fn is_host(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    !(ip.is_unspecified() || ip.is_multicast() || is_broadcast)
}

/// RFC 8489 §14.9: a realm has fewer than 128 characters.
const MOST_REALM_CHARACTERS: usize = 127;

/// As long as the name of a host can be.
const MOST_SERVER_NAME_BYTES: usize = 255;

/// As many as RFC 8656 §12 has channel numbers; a client that talks to more peers is no media client.
const MOST_PER_ALLOCATION: usize = 4096;

/// The limit counts in microseconds; more than this is no limit.
const MOST_ANSWERS: u32 = 100_000;

/// Beyond any network card; keeps the arithmetic of the buckets within 64 bits.
const MOST_BANDWIDTH: BitRate = BitRate(1_000_000_000_000);

/// As random hexadecimal digits this is 64 bits, the least that nobody guesses.
const LEAST_SECRET_CHARACTERS: usize = 16;

const LEAST_RELAY_PORT: u16 = 1024;

/// As many files as Linux lets a process open by default at most.
const MOST_CONNECTIONS: usize = 1_000_000;

/// Beyond any machine of today; catches a port or a size that was written into the wrong line.
const MOST_WORKERS: usize = 256;

/// Less holds no burst of video packets.
const LEAST_BUFFER: ByteSize = ByteSize(4 << 10);

/// The kernel keeps the size in an `int` and doubles it.
const MOST_BUFFER: ByteSize = ByteSize(512 << 20);

const SECOND: HumanDuration = HumanDuration(Duration::from_secs(1));
const HOUR: HumanDuration = HumanDuration(Duration::from_secs(3600));
const DAY: HumanDuration = HumanDuration(Duration::from_secs(86_400));
