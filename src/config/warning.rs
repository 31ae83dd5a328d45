//! What a configuration may say, and probably does not mean.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::HookUrl;
use super::addresses::{ListenAddress, PeerPattern, TLS_PORT};
use super::moment::Moment;
use super::schema::{Anonymous, AnonymousMode, PasswordAlgorithm, Schema, Turn, User};
use super::units::HumanDuration;
use crate::gateway::{self, ApiKey, Scope};
use crate::turn::peer_policy::PeerPolicy;

/// Something that is allowed, and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// The relay lets nobody in.
    #[error(
        "nobody can allocate a relay: there are no users and no secrets; add [[turn.users]] or [[turn.secrets]]"
    )]
    NobodyMayAllocate,
    /// A user has no key for an algorithm that clients are told to use.
    #[error(
        "{user} has no {algorithm}_key: clients that use {algorithm} cannot log in as this user; \
         give the key, or strike {algorithm} from turn.password_algorithms"
    )]
    UserWithoutKey {
        /// The section of the user.
        user: String,
        /// The algorithm.
        algorithm: PasswordAlgorithm,
    },
    /// Clients are told to hide names that nobody can find then.
    #[error(
        "turn.hide_usernames goes with turn.users only: clients that hide their name cannot use \
         turn.secrets, turn.token_keys or turn.auth_hook; set it to false"
    )]
    NamesHidden,
    /// Keys of users cross the network for all to see.
    #[error(
        "turn.auth_hook.url is {0}: its answers, which hold keys of users, cross the network unprotected; use https"
    )]
    HookInTheClear(HookUrl),
    /// What shows a collector who we are crosses the network for all to see.
    #[error("traces.endpoint is {0}: the fields of traces.headers cross the network unprotected; use https")]
    TracesInTheClear(HookUrl),
    /// Collectors have a path for each kind of thing that they take.
    #[error("traces.endpoint is {0}, without a path: collectors take traces at /v1/traces; add it")]
    TracesWithoutPath(HookUrl),
    /// The gateway lets nobody in.
    #[error("every offer is refused with 401: there are no keys; add [[gateway.keys]]")]
    NobodyMayOffer,
    /// Nobody can be told where the relay is.
    #[error(
        "GET /skin/webrtc/ice-servers is 404: turn.listen does not say where clients reach the relay; \
         name it in gateway.ice_servers.urls, such as \"turn:relay.example.org:3478\", or set turn.external_ip"
    )]
    NoIceServers,
    /// A key that opens nothing any more.
    #[error("key {id} expired at {at}: whoever still has it gets 401; remove it")]
    KeyExpired {
        /// The key's id.
        id: String,
        /// When.
        at: Moment,
    },
    /// A key that will soon open nothing any more.
    #[error(
        "key {id} expires at {at}: give its client another one before, for example from `turnpike key new`"
    )]
    KeyExpiresSoon {
        /// The key's id.
        id: String,
        /// When.
        at: Moment,
    },
    /// A lifetime on which clients count is shorter.
    #[error(
        "turn.lifetimes.{name} is {value}: clients count on {standard} and will lose their media; use this in tests only"
    )]
    ShortLifetime {
        /// The last part of the key.
        name: &'static str,
        /// What was written.
        value: HumanDuration,
        /// What the RFC says.
        standard: HumanDuration,
    },
    /// The peer policy is switched off.
    #[error(
        "turn.peers.allow has {0}: users can reach every private address from here; name single networks instead"
    )]
    EveryPeerAllowed(PeerPattern),
    /// TLS is expected where there is none.
    #[error(
        "turn.listen_tcp has port {TLS_PORT}, where clients expect TLS, but there is no certificate; add [turn.tls]"
    )]
    TlsPortWithoutCertificate,
    /// A relay port is a listening port too.
    #[error("turn.{name} has port {port}, which is one of turn.relay_ports too; keep them apart")]
    ListensAmongRelayPorts {
        /// The last part of the key.
        name: &'static str,
        /// The port.
        port: u16,
    },
    /// Strangers may reach a listener that asks for no credentials.
    #[error(
        "turn.anonymous.{name} has {address}: whoever reaches it relays to turn.anonymous.backends without \
         credentials; choose a private address, or have a firewall let in only those who may"
    )]
    AnonymousToAll {
        /// The last part of the key.
        name: &'static str,
        /// The listener.
        address: ListenAddress,
    },
    /// An address of the embedded backend that no allocation reaches.
    #[error(
        "embedded.media_addresses has {0}, which turn.peers refuses, so that no video gets there through the relay; \
         add it to turn.peers.allow"
    )]
    EmbeddedRefused(IpAddr),
    /// A backend that clients without credentials cannot reach.
    #[error(
        "turn.anonymous.backends has {0}, which turn.peers refuses, so that nobody reaches it; \
         add it to turn.peers.allow"
    )]
    BackendRefused(PeerPattern),
}

/// Finds them.
pub(super) fn find(schema: &Schema, policy: &PeerPolicy, gateway: &gateway::Settings) -> Vec<Warning> {
    let mut found = Vec::new();
    let turn = &schema.turn;
    let has_short_lived = !turn.secrets.is_empty() || !turn.token_keys.is_empty();
    let serves_anonymously = !(turn.anonymous.listen.is_empty() && turn.anonymous.listen_tcp.is_empty());
    let asks_hook = turn.auth_hook.url.is_some();
    if turn.users.is_empty() && !has_short_lived && !serves_anonymously && !asks_hook {
        found.push(Warning::NobodyMayAllocate);
    }
    for (index, user) in turn.users.iter().enumerate() {
        let missing = turn.password_algorithms.iter().filter(|algorithm| !has_key(user, **algorithm));
        found.extend(
            missing.map(|&algorithm| Warning::UserWithoutKey {
                user: format!("turn.users[{index}]"),
                algorithm,
            }),
        );
    }
    if let Some(url) = turn.auth_hook.url.as_ref().filter(|url| !url.is_secure() && !url.is_local()) {
        found.push(Warning::HookInTheClear(url.clone()));
    }
    if let Some(url) = &schema.traces.endpoint {
        if !schema.traces.headers.is_empty() && !url.is_secure() && !url.is_local() {
            found.push(Warning::TracesInTheClear(url.clone()));
        }
        if url.uri().path() == "/" {
            found.push(Warning::TracesWithoutPath(url.clone()));
        }
    }
    if turn.hide_usernames && (has_short_lived || asks_hook) {
        found.push(Warning::NamesHidden);
    }
    if schema.gateway.keys.is_empty() {
        found.push(Warning::NobodyMayOffer);
    }
    let ice_servers = &gateway.ice_servers;
    let may_ask = gateway.keys.iter().any(|key| key.scopes.contain(Scope::IceServers));
    let is_meant = schema.gateway.ice_servers.urls.is_none() && ice_servers.secret.is_some() && may_ask;
    if is_meant && ice_servers.urls.is_empty() {
        found.push(Warning::NoIceServers);
    }
    let standard = super::schema::Lifetimes::default();
    let lifetimes = [
        ("allocation", turn.lifetimes.allocation, standard.allocation),
        ("permission", turn.lifetimes.permission, standard.permission),
        ("channel", turn.lifetimes.channel, standard.channel),
    ];
    for (name, value, standard) in lifetimes {
        if value < standard {
            found.push(Warning::ShortLifetime { name, value, standard });
        }
    }
    let everything = turn.peers.allow.iter().filter(|pattern| pattern.is_everything());
    found.extend(everything.cloned().map(Warning::EveryPeerAllowed));
    find_anonymous(turn, policy, &mut found);
    if gateway.backends.has_embedded() {
        let media = schema.embedded.media_addresses.iter().map(|address| address.0);
        found.extend(media.filter(|address| !policy.may_permit(*address)).map(Warning::EmbeddedRefused));
    }
    let has_tls_port = turn.listen_tcp.iter().flatten().any(|address| address.0.port() == TLS_PORT);
    if has_tls_port && turn.tls.certificate.is_none() {
        found.push(Warning::TlsPortWithoutCertificate);
    }
    let listeners = [("listen", &turn.listen), ("anonymous.listen", &turn.anonymous.listen)];
    for (name, listen) in listeners {
        let ports = listen.iter().map(|address| address.0.port());
        let taken = ports.filter(|port| turn.relay_ports.0.contains(port));
        found.extend(taken.map(|port| Warning::ListensAmongRelayPorts { name, port }));
    }
    found
}

/// Finds keys that have expired, or are about to.
pub(super) fn expiring(keys: &[ApiKey], now: SystemTime) -> Vec<Warning> {
    let warning = |key: &ApiKey| {
        let (id, expires_at) = (key.id.clone(), key.expires_at?);
        let at = Moment(expires_at);
        match expires_at.duration_since(now) {
            Err(_) => Some(Warning::KeyExpired { id, at }),
            Ok(left) if left < SOON => Some(Warning::KeyExpiresSoon { id, at }),
            Ok(_) => None,
        }
    };
    keys.iter().filter_map(warning).collect()
}

/// What may be wrong where no credentials are asked for.
fn find_anonymous(turn: &Turn, policy: &PeerPolicy, found: &mut Vec<Warning>) {
    let Anonymous { listen, listen_tcp, backends, .. } = &turn.anonymous;
    if turn.anonymous.mode == AnonymousMode::Claim {
        return;
    }
    // An address that is refused as a peer by default is not reached from the internet.
    let is_open = |ip: IpAddr| ip.is_unspecified() || PeerPolicy::default().may_permit(ip);
    for (name, listen) in [("listen", listen), ("listen_tcp", listen_tcp)] {
        let open = listen.iter().filter(|address| is_open(address.0.ip()));
        found.extend(open.map(|&address| Warning::AnonymousToAll { name, address }));
    }
    let is_refused = |backend: &&PeerPattern| match backend {
        PeerPattern::Network(rule) => !policy.may_permit(rule.network.network()),
        // Its addresses are not known yet.
        PeerPattern::Name(_) => false,
    };
    found.extend(backends.iter().filter(is_refused).cloned().map(Warning::BackendRefused));
}

/// Whether a user can log in with this algorithm.
fn has_key(user: &User, algorithm: PasswordAlgorithm) -> bool {
    let has_password = user.password.is_some() || user.password_file.is_some();
    has_password
        || match algorithm {
            PasswordAlgorithm::Md5 => user.md5_key.is_some() || user.md5_key_file.is_some(),
            PasswordAlgorithm::Sha256 => user.sha256_key.is_some() || user.sha256_key_file.is_some(),
        }
}

/// Two weeks, as for certificates: time for whoever is on holiday.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
