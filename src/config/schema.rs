//! The file as serde reads it; the comments on its fields are the manual, and `config/turnpike.toml` is made of them.
//!
//! Defaults come from the rooms' own settings. What a type cannot rule out by itself is checked in `resolve`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::addresses::{Address, Backend, ExternalIp, ListenAddress, Network};
pub use super::backend_schema::{BackendTable, Ejection, HealthCheck, Idempotency};
pub use super::choices::{
    AnonymousMode, ChannelNumbers, Detector, KeyScope, LogFormat, LoggedAddresses, LoggedUserIds,
    OtherServer, PasswordAlgorithm, PeersPolicy, Redirect, TrustedFields, UserIds, UsernameForm, VideoCodec,
};
pub use super::credential_schema::{AuthHook, SharedSecret, TokenKey, User};
pub use super::embedded_schema::EmbeddedTable;
pub use super::front_schema::{Cors, Passthrough, Timeouts};
pub use super::ice_schema::IceServers;
pub use super::key_schema::{GatewayLimits, Key};
pub use super::log_schema::Log;
pub use super::peer_schema::{Anonymous, Peers};
pub use super::record_schema::{RecordsFile, RecordsPostgres, RecordsTable, RecordsWebhook};
pub use super::trace_schema::{TracesHeader, TracesTable};
use super::units::{BitRate, ByteSize, HumanDuration, PortRange, Workers};
use crate::secret::Secret;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Schema {
    /// The TURN relay.
    pub turn: Turn,
    /// The signaling gateway in front of the inference backend.
    pub gateway: Gateway,
    /// Metrics and health, for operators only.
    pub admin: Admin,
    /// How counts are shown on the admin listener's /metrics.
    pub metrics: MetricsTable,
    /// What is kept of sessions that have ended.
    pub records: RecordsTable,
    /// The inference backend of this process, for a gateway whose backend is `embedded`.
    pub embedded: EmbeddedTable,
    /// Traces of offers and their sessions, for a collector.
    pub traces: TracesTable,
    /// What is logged.
    pub log: Log,
}

/// The TURN relay.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Turn {
    /// UDP addresses that clients reach. Port 0 takes a free one.
    pub listen: Vec<ListenAddress>,
    /// TCP addresses that clients reach; each takes clients in the clear and, with a certificate, clients with TLS.
    /// Unless written: the addresses of `listen`, and with a certificate port 5349 of the same hosts. An empty list
    /// leaves TCP and TLS out.
    #[schemars(example = &["0.0.0.0:3478", "0.0.0.0:5349"])]
    pub listen_tcp: Option<Vec<ListenAddress>>,
    /// The realm of the credentials: 1 to 127 characters, no quotes, backslashes or control characters. Browsers and
    /// other clients take it from our answer, so any name will do.
    pub realm: String,
    /// Addresses that media is relayed from, at most one IPv4 and one IPv6. A family that is missing uses the address
    /// that the client reached.
    pub relay_addresses: Vec<Address>,
    /// Ports that media is relayed from, 1024 or above. Each allocation takes one, so this bounds how many there can
    /// be; the firewall must let them in as UDP, and as TCP where peers connect over that.
    pub relay_ports: PortRange,
    /// What clients and peers see instead of a local address, where a NAT stands in front: the public address alone,
    /// at most one IPv4 and one IPv6, and pairs `public/private` such as `203.0.113.7/10.0.0.5`, which win.
    pub external_ip: Vec<ExternalIp>,
    /// Threads that relay media: `auto` for one per core that this process may use, or 1 to 256.
    pub workers: Workers,
    /// The channel numbers that clients may bind: `rfc8656` for 0x4000 to 0x4FFF, or `rfc5766` for 0x4000 to 0x7FFF,
    /// as older clients expect.
    pub channel_numbers: ChannelNumbers,
    /// Whether a permission holds for as long as a channel to its peer is bound. Some clients (aiortc is one) renew
    /// only their channels and lose their media without this.
    pub permission_follows_channel: bool,
    /// Whether clients that come over TCP or TLS may have their peers reached over TCP too (RFC 6062).
    pub tcp_allocations: bool,
    /// Whether an allocation may follow its client to another address (RFC 8016), as when a phone goes from Wi-Fi to the
    /// mobile network; clients must ask for it. Such an allocation also outlives its TCP or TLS connection.
    pub mobility: bool,
    /// Other servers that clients can be sent to (RFC 8489 §10), such as `203.0.113.8:3478`. Each is asked every 5
    /// seconds, over UDP, whether it serves; clients are told of those that do, of the family they came by.
    pub alternate_servers: Vec<ListenAddress>,
    /// When clients that want an allocation are sent to another server, once they have shown who they are: `when_full`
    /// for when ports or allocations have run out here, and while this server stops, or `always`.
    pub redirect: Redirect,
    /// The name in the certificates of the other servers, which clients with TLS are told.
    #[schemars(example = &"relay.example.org")]
    pub alternate_domain: Option<String>,
    /// What keys are derived from passwords with, the preferred one first: `sha256` and `md5`. Clients that know
    /// RFC 8489 choose from them; all others, browsers among them, use MD5 and get in only if it is listed.
    pub password_algorithms: Vec<PasswordAlgorithm>,
    /// Whether clients that know RFC 8489 are asked to send a hash in place of their user name. Then they cannot use
    /// secrets or token keys, whose names nobody can know beforehand.
    pub hide_usernames: bool,
    /// Whether a session ends when its time-limited credential does. Otherwise the expiry only limits when a session
    /// may begin. Sessions of access tokens always end with them.
    pub credentials_end_sessions: bool,
    /// The name that access tokens are sealed for and that clients are told, up to 255 bytes. Without it, the realm.
    #[schemars(example = &"relay.example.org")]
    pub token_server_name: Option<String>,
    /// Load balancers that tell the address of the client they bring, with the PROXY protocol, version 1 or 2, in front
    /// of the stream: addresses or networks. From others such a header is refused.
    pub proxy_protocol_from: Vec<Network>,
    /// The secret behind the nonces, at least 16 characters. Replicas behind one address need the same, or a client
    /// that changes replica has to authenticate anew. Without it each start makes up its own.
    #[schemars(example = &"replace-me-with-random-text")]
    pub nonce_secret: Option<Secret>,
    /// A file that holds the nonce secret.
    #[schemars(example = &"/run/secrets/turnpike-nonce")]
    pub nonce_secret_file: Option<PathBuf>,
    /// A second secret whose nonces are accepted, to go from one to the next while replicas serve: first add the new
    /// one here everywhere, then exchange the two, and remove the old one when its last nonces have expired.
    #[schemars(example = &"replace-me-with-random-text")]
    pub previous_nonce_secret: Option<Secret>,
    /// A file that holds this second secret.
    #[schemars(example = &"/run/secrets/turnpike-previous-nonce")]
    pub previous_nonce_secret_file: Option<PathBuf>,
    /// Receive and send buffer that is asked of the kernel for each listening socket, 4KiB to 512MiB. Unless the process
    /// may administrate the network (CAP_NET_ADMIN), the kernel grants no more than net.core.rmem_max and
    /// net.core.wmem_max.
    pub listener_buffer: ByteSize,
    /// The same for the socket of each allocation.
    pub relay_buffer: ByteSize,
    /// How long things live without being refreshed, in whole seconds. Clients count on the defaults; shorter ones are
    /// for tests.
    pub lifetimes: Lifetimes,
    /// What clients may use. Except for permissions, channels, peer_connections and connections, 0 means as much as they like.
    pub limits: Limits,
    /// Certificate and private key for clients with TLS (`turns:` addresses); without them there is no TLS. The files may
    /// change while clients are served: new clients are shown the new certificate within 10 seconds, or at once after a
    /// SIGHUP.
    pub tls: Tls,
    /// For clients that find out how their NAT behaves (RFC 5780), where this machine has two public addresses.
    pub nat_discovery: NatDiscovery,
    /// For clients that have no credentials, such as aiortc with nothing but `urls`: further listeners, where none are
    /// asked for. The others go on asking. Such clients have their peers reached over UDP alone, and may not move.
    pub anonymous: Anonymous,
    /// A service of yours that is asked about users whom none of `users`, `secrets` and `token_keys` knows, when they
    /// allocate. docs/AUTH-HOOK.md says what it is asked and answers. While it fails, such users get 500.
    pub auth_hook: AuthHook,
    /// Which peers media may be relayed to. A rule is an address, a network or a host name, with ports if need be:
    /// `10.0.0.7`, `10.0.0.0/8`, `10.0.0.7:5000-6000`, `[fd00::/8]:5000`, `inference.internal`. Names are looked up
    /// every 30 seconds; an address that a name had counts for 10 minutes more. `turnpike policy test` says what the
    /// rules mean for a peer.
    pub peers: Peers,
    /// A user with a lasting password, or with the keys derived from it. Repeat the table for each one.
    pub users: Vec<User>,
    /// A secret shared with whoever hands out time-limited credentials: the user name is `expiry:anything` with the
    /// expiry in Unix seconds, the password base64(HMAC-SHA1(secret, user name)). Repeat the table to have an old and a
    /// new secret at once.
    pub secrets: Vec<SharedSecret>,
    /// A key shared with an authorization server that hands out access tokens (RFC 7635). Repeat the table to have an
    /// old and a new key at once. Clients are then told `token_server_name`, which makes the answer to strangers
    /// longer.
    pub token_keys: Vec<TokenKey>,
}

/// How long things live without being refreshed.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lifetimes {
    /// An allocation whose client asks for less or for nothing, 1s to 1d.
    pub allocation: HumanDuration,
    /// The most that a client may ask for, from the lifetime of an allocation to 1d.
    pub max_allocation: HumanDuration,
    /// A permission, 1s to 1h.
    pub permission: HumanDuration,
    /// A channel binding, 1s to 1h.
    pub channel: HumanDuration,
    /// The time that a TCP peer has to accept a connection, and a client to bind it, 1s to 1h.
    pub peer_connection: HumanDuration,
    /// A nonce, 1s to 1h; the client then gets a new one without noticing.
    pub nonce: HumanDuration,
    /// A TCP or TLS connection without an allocation, 1s to 1h.
    pub connection: HumanDuration,
    /// How long the client of a session may send no media before the session counts as stalled, 1s to 1h.
    pub media_silence: HumanDuration,
}

/// What clients may use.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Addresses of peers that one allocation may permit, 1 to 4096.
    pub permissions: usize,
    /// Channels that one allocation may bind, 1 to 4096.
    pub channels: usize,
    /// TCP connections to peers that one allocation may have, 1 to 4096. One more is refused with 508. Each counts as
    /// one of `connections` too.
    pub peer_connections: usize,
    /// Allocations that there may be in all. One more is refused with 508.
    pub allocations: usize,
    /// Allocations that one user may have; names `expiry:user` are one user, whatever their expiry. One more is refused
    /// with 486. A browser takes up to a dozen for each connection while it looks for a path, and a name that many
    /// people share counts once.
    pub allocations_per_user: usize,
    /// Allocations that one source may have: an IPv4 address, or an IPv6 network of 64 bits. One more is refused with
    /// 486. A whole office may stand behind one address.
    pub allocations_per_source: usize,
    /// Payload that all allocations together may relay in bits a second, both directions added, such as `1Gbit`. TCP
    /// peers are not counted. What is
    /// beyond is dropped; allocations that want less than an equal share lose nothing, and the others get alike.
    pub bandwidth: BitRate,
    /// The same for each user, over all its allocations. Those of a session count for its `user_id`, not for the TURN name.
    pub bandwidth_per_user: BitRate,
    /// The same for each allocation, such as `5Mbit`.
    pub bandwidth_per_allocation: BitRate,
    /// Answers a second to those of one source who have not shown who they are (401, 400, 438), 0 to 100000. Three times
    /// as many may come at once; what goes beyond is dropped, for the source may be forged. Each client that connects
    /// needs one.
    pub unauthenticated_per_second: u32,
    /// The same for answers to Binding requests, which ICE agents send to find their public address.
    pub bindings_per_second: u32,
    /// TCP and TLS connections of all clients together, 1 to 1000000. Each takes a file; further ones are closed.
    pub connections: usize,
}

/// For clients that find out how their NAT behaves.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NatDiscovery {
    /// Two addresses of this machine, of one family; their four combinations with `ports` are then listened on over UDP,
    /// in place of `listen`. Answers to Binding requests become longer by 24 bytes.
    pub addresses: Vec<Address>,
    /// Two ports.
    pub ports: Vec<u16>,
}

/// The signaling gateway in front of the inference backend.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Gateway {
    /// The TCP address that clients send their offers to. Port 0 takes a free one. If it is the very address of one of
    /// turn.listen_tcp, such as `0.0.0.0:443`, relay and gateway share it, and clients are told apart by what they say
    /// first. On a shared port HTTP in the clear is served as long as gateway.tls is not given, and HTTPS has the
    /// certificate of turn.tls then; clients that name no protocol by ALPN are shown that one in any case.
    pub listen: ListenAddress,
    /// The base URL of the inference backend, http or https, or `embedded` for the one of this process. Its path, if any, goes in front of each forwarded one. This
    /// is the short form of one [[gateway.backends]] with the name `default`; without either it is at
    /// `http://127.0.0.1:8000`.
    #[schemars(example = &"http://127.0.0.1:8000")]
    pub backend: Option<Backend>,
    /// Whether offers of one user_id go to one backend as long as it is usable. Otherwise, and without a user_id, each
    /// goes to the backend with the fewest sessions for its weight.
    pub sticky_users: bool,
    /// The largest offer, 1KiB to 16MiB. A larger one is answered with 413.
    pub body_limit: ByteSize,
    /// Whether backends get the client's key too, in the header that it came in, because they check keys themselves.
    pub forward_key: bool,
    /// Whether health checks need a key as well. The probes of load balancers and Kubernetes have none.
    pub health_needs_key: bool,
    /// Certificate and private key, where the gateway itself speaks HTTPS. They may change as those of turn.tls may.
    pub tls: Tls,
    /// Proxies in front of the gateway whose word about the client counts, such as `["10.0.0.0/8"]`: the client is the
    /// last address in their list that is not theirs. From others such fields are not believed, and the backend never
    /// sees them. docs/GATEWAY.md says more.
    pub trusted_proxies: Vec<Network>,
    /// The fields in which they write it: `x_forwarded` for X-Forwarded-For, -Proto and -Host, or `forwarded` for
    /// Forwarded (RFC 7239). The other ones may be the client's invention and are not believed.
    pub trusted_fields: TrustedFields,
    /// Proxies that begin each connection to gateway.listen with a PROXY header, version 1 or 2, which names the client.
    /// On a port that is shared with the relay turn.proxy_protocol_from holds.
    pub proxy_protocol_from: Vec<Network>,
    /// How long each step of a request may take, 100ms to 5m.
    pub timeouts: Timeouts,
    /// Which web pages may use the gateway from a browser.
    pub cors: Cors,
    /// What is checked of an offer before the backend sees it. May change while running.
    pub offers: Offers,
    /// Offers by WHIP (RFC 9725), for OBS, GStreamer and other clients that speak it. May change while running.
    pub whip: Whip,
    /// Credentials for the relay: GET /skin/webrtc/ice-servers hands them out for a key with the scope `ice_servers`, and
    /// answers to WHIP carry them. For that turn.secrets needs one; of several the first makes new credentials, and
    /// all are good. docs/GATE.md says more.
    pub ice_servers: IceServers,
    /// The sessions that offers begin.
    pub sessions: Sessions,
    /// Paths that go to the backends as they are, each by its prefix; the longest prefix of a path counts. All others
    /// are 404. Repeat the table for each one.
    pub passthrough: Vec<Passthrough>,
    /// How many connections, requests and sessions there may be. For requests and sessions 0 means as many as they like;
    /// what is beyond is answered with 429, which tells when to come again. docs/KEYS.md says more.
    pub limits: GatewayLimits,
    /// How backends are asked whether they are well.
    pub health_check: HealthCheck,
    /// When a backend that fails offers is given none for a while. The last usable one never is.
    pub ejection: Ejection,
    /// How answers are kept for offers that a client sends again with the same Idempotency-Key header. Another offer
    /// under the same key is refused with 422, and one whose first is not answered yet with 409.
    pub idempotency: Idempotency,
    /// An inference backend, in place of gateway.backend. Repeat the table for each one, up to 64.
    pub backends: Vec<BackendTable>,
    /// A key that clients present, in `api-key`, in `x-api-key` or as `Authorization: Bearer`. Repeat the table for each
    /// one; `turnpike key new` makes one up.
    pub keys: Vec<Key>,
}

/// A certificate and its private key.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate, followed by its intermediates.
    #[schemars(example = &"/etc/turnpike/tls.crt")]
    pub certificate: Option<PathBuf>,
    /// PEM file with the private key.
    #[schemars(example = &"/etc/turnpike/tls.key")]
    pub private_key: Option<PathBuf>,
}

/// What is checked of an offer before the backend sees it. May change while running.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Offers {
    /// Whether the SDP is checked: its version, lines, media sections, ICE credentials, fingerprints and candidates. One that
    /// no backend could answer is answered with 422, which names the line and the reason. Set it to false for clients that
    /// the check is wrong about; turnpike_gateway_sdp_refused_total counts what it refuses.
    pub check_sdp: bool,
    /// Media sections (m= lines) of an SDP, 1 to 1000. More are answered with 422.
    pub max_media_sections: usize,
    /// ICE candidates of an SDP, 1 to 100000. More are answered with 422.
    pub max_candidates: usize,
}

/// Offers by WHIP (RFC 9725), for OBS, GStreamer and other clients that speak it. May change while running.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Whip {
    /// Whether /whip takes offers. Clients present their key as a Bearer token, or as on other routes, and may name their
    /// user in the query: /whip?user_id=user-42.
    pub enabled: bool,
}

/// The sessions that offers begin.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sessions {
    /// Sessions of all clients together, 1 to 1000000. One more is answered with 503.
    pub total: usize,
    /// How long a session counts for which no allocation of this relay has come, 1s to 1h. Then it is taken for one that
    /// needs no relay, and as nobody sees its end, it counts no more.
    pub direct_after: HumanDuration,
}

/// Metrics and health, for operators only.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// The TCP address of /metrics, /livez, /readyz and the API under /admin/v1. All but the API ask for no token: keep
    /// it off the internet.
    pub listen: ListenAddress,
    /// What the API wants to be shown, as `Authorization: Bearer …`: at least 16 characters, printable ASCII without
    /// spaces. A key of gateway.keys with the scope `admin` opens it as well. Without either, the API serves on a loopback
    /// address alone; without the token, whoever is on this machine may use it there.
    #[schemars(example = &"replace-me-with-random-text")]
    pub token: Option<Secret>,
    /// A file that holds the token.
    #[schemars(example = &"/run/secrets/turnpike-admin")]
    pub token_file: Option<PathBuf>,
}

/// How counts are shown on the admin listener's /metrics.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsTable {
    /// Other servers whose metrics are shown beside turnpike's, by their names, so that dashboards made for them go on:
    /// `coturn`.
    pub compat: Vec<OtherServer>,
}
