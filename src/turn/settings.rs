//! What an operator can choose about the protocol: lifetimes, bounds, credentials, policies.

use std::time::Duration;

use super::alternates::Redirect;
use super::anonymous::AnonymousListeners;
use super::credential::Credentials;
use super::external::ExternalAddresses;
use super::nat_discovery::NatDiscovery;
use super::nonce::NonceKeys;
use super::opaque_string::opaque_string;
use super::peer_policy::PeerPolicy;
use crate::wire::PasswordAlgorithm;

/// Settings of the TURN state machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The realm of the long-term credentials (RFC 8489 §9.2), up to 127 characters.
    pub realm: String,
    /// Who may allocate.
    pub credentials: Credentials,
    /// What keys may be derived with, the preferred one first (RFC 8489 §9.2.4); default SHA-256 and MD5.
    ///
    /// MD5 alone is offered to nobody: it is what clients use who are offered nothing. Without it only clients of
    /// RFC 8489 get in.
    pub password_algorithms: Vec<PasswordAlgorithm>,
    /// Whether clients are asked to send USERHASH in place of USERNAME; default false. It is understood in any case.
    ///
    /// Names that expire, and access tokens, have no USERHASH that could be found.
    pub hide_usernames: bool,
    /// Whether a session ends when its expiring name does; default false, so that it may outlive it.
    pub credentials_end_sessions: bool,
    /// Whether a service outside is asked about users whom nobody here knows ([`Output::Ask`](super::Output::Ask)); default
    /// false.
    pub asks_hook: bool,
    /// The name that access tokens are sealed for (RFC 7635 §6.1); by default the realm.
    pub token_server_name: Option<String>,
    /// Keys of the stateless nonces; the same on every worker and, to be valid there, on every replica.
    pub nonce_keys: NonceKeys,
    /// How long a nonce is good for before the client is told 438; default 10 minutes.
    pub nonce_lifetime: Duration,
    /// What an allocation lives without being refreshed; default and least 10 minutes (RFC 8656 §7.2).
    pub allocation_lifetime: Duration,
    /// The longest lifetime that a client may ask for; default 1 hour (RFC 8656 §7.2).
    pub max_allocation_lifetime: Duration,
    /// What a permission lives; 5 minutes (RFC 8656 §9).
    pub permission_lifetime: Duration,
    /// What a channel binding lives; 10 minutes (RFC 8656 §12).
    pub channel_lifetime: Duration,
    /// Whether a permission holds for as long as a channel to its peer is bound; default true.
    ///
    /// RFC 8656 §9 ends it after its own 5 minutes. Clients that renew only their channels (aioice does, every 500 s)
    /// would then lose their media in mid-session.
    pub permission_follows_channel: bool,
    /// Whether an allocation may follow its client to another address (RFC 8016); default false.
    pub mobility: bool,
    /// When clients that allocate are sent to another server, if there is one (RFC 8489 §10).
    pub redirect: Redirect,
    /// The name that the certificates of the other servers are for, which clients with TLS are told; default none.
    pub alternate_domain: Option<String>,
    /// The addresses that clients find out by how their NAT behaves (RFC 5780); default none.
    pub nat_discovery: Option<NatDiscovery>,
    /// Which channel numbers may be bound.
    pub channel_numbers: ChannelNumbers,
    /// Permissions that one allocation may hold; default 64. One more is 508.
    pub max_permissions: usize,
    /// Channels that one allocation may bind; default 64. One more is 508.
    pub max_channels: usize,
    /// Whether clients may have their peers reached over TCP (RFC 6062); default true. If not, that is 442.
    pub tcp_allocations: bool,
    /// TCP connections to peers that one allocation may have, those under way counted in; default 64. One more is 508.
    pub max_peer_connections: usize,
    /// How long a peer has to accept a connection, and a client to bind it; default and least 30 s (RFC 6062 §5.2).
    pub peer_connection_patience: Duration,
    /// Which of the process's servers this is: the first byte of its connection ids; default 0.
    pub server_number: u8,
    /// Answers to unauthenticated requests for each [`SourcePrefix`](super::SourcePrefix), a second; default 10, of
    /// which thirty may come at once. Zero is no limit.
    pub unauthenticated_per_second: u32,
    /// The same for answers to Binding requests; default 100.
    pub bindings_per_second: u32,
    /// Where clients are served without credentials; default nowhere.
    pub anonymous_listeners: AnonymousListeners,
    /// Whether clients without credentials are nobody's until a session claims their allocation; default false.
    ///
    /// Until then it reaches no peer, and ends after [`claim_patience`](Self::claim_patience). Otherwise such clients
    /// reach the backends of the policy and no other peers.
    pub anonymous_await_claims: bool,
    /// How long an allocation of such a client waits to be claimed; default 30 s.
    pub claim_patience: Duration,
    /// Which peers may be reached.
    pub peer_policy: PeerPolicy,
    /// Whether an allocation reaches only the peers that its session names ([`Server::name_peers`](super::Server::name_peers)),
    /// and before that none; default false. Allocations that await claims are bound to them in any case.
    pub sessions_name_peers: bool,
    /// The public address of each relay address, where a NAT stands in front of us.
    pub external_addresses: ExternalAddresses,
}

impl Settings {
    /// The realm as clients see it and keys are made with (RFC 8489 §9.2.2): prepared by RFC 8265.
    pub fn prepared_realm(&self) -> String {
        opaque_string(&self.realm)
    }
}

/// The range of channel numbers that clients may bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChannelNumbers {
    /// 0x4000 to 0x4FFF (RFC 8656 §12).
    #[default]
    Rfc8656,
    /// 0x4000 to 0x7FFF, as clients of the older RFC 5766 §11 expect.
    Rfc5766,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            realm: "turnpike".into(),
            credentials: Credentials::default(),
            password_algorithms: vec![PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5],
            hide_usernames: false,
            credentials_end_sessions: false,
            asks_hook: false,
            token_server_name: None,
            nonce_keys: NonceKeys { issuing: [0; 32], previous: None },
            nonce_lifetime: Duration::from_secs(600),
            allocation_lifetime: Duration::from_secs(600),
            max_allocation_lifetime: Duration::from_secs(3600),
            permission_lifetime: Duration::from_secs(300),
            channel_lifetime: Duration::from_secs(600),
            permission_follows_channel: true,
            mobility: false,
            redirect: Redirect::default(),
            alternate_domain: None,
            nat_discovery: None,
            channel_numbers: ChannelNumbers::default(),
            max_permissions: 64,
            max_channels: 64,
            tcp_allocations: true,
            max_peer_connections: 64,
            peer_connection_patience: Duration::from_secs(30),
            server_number: 0,
            unauthenticated_per_second: 10,
            bindings_per_second: 100,
            anonymous_listeners: AnonymousListeners::default(),
            anonymous_await_claims: false,
            claim_patience: Duration::from_secs(30),
            peer_policy: PeerPolicy::default(),
            sessions_name_peers: false,
            external_addresses: ExternalAddresses::default(),
        }
    }
}
