//! The defaults of the file, taken from the settings of the rooms.

use std::time::Duration;

use super::addresses::ListenAddress;
use super::front_schema::{Cors, CorsOrigin};
use super::request_rate::RequestRate;
use super::schema::{
    Admin, Anonymous, AnonymousMode, AuthHook, ChannelNumbers, Ejection, Gateway, GatewayLimits, HealthCheck,
    IceServers, Idempotency, Lifetimes, Limits, NatDiscovery, Offers, PasswordAlgorithm, Peers, PeersPolicy,
    RecordsFile, RecordsPostgres, RecordsTable, RecordsWebhook, Redirect, Sessions, Timeouts, Tls,
    TrustedFields, Turn, UserIds, UsernameForm, Whip,
};
use super::units::{BitRate, ByteSize, HumanDuration, PortRange, Workers};
use crate::{gateway, relay, turn};

impl Default for Turn {
    fn default() -> Self {
        let turn = turn::Settings::default();
        let relay = relay::Settings::default();
        Self {
            listen: relay.listen.into_iter().map(ListenAddress).collect(),
            listen_tcp: None,
            realm: turn.realm,
            relay_addresses: Vec::new(),
            relay_ports: PortRange(relay.relay_ports),
            external_ip: Vec::new(),
            workers: Workers(relay.workers),
            channel_numbers: match turn.channel_numbers {
                turn::ChannelNumbers::Rfc8656 => ChannelNumbers::Rfc8656,
                turn::ChannelNumbers::Rfc5766 => ChannelNumbers::Rfc5766,
            },
            permission_follows_channel: turn.permission_follows_channel,
            tcp_allocations: turn.tcp_allocations,
            mobility: turn.mobility,
            alternate_servers: Vec::new(),
            redirect: match turn.redirect {
                turn::Redirect::WhenFull => Redirect::WhenFull,
                turn::Redirect::Always => Redirect::Always,
            },
            alternate_domain: turn.alternate_domain,
            password_algorithms: turn
                .password_algorithms
                .iter()
                .map(|algorithm| match algorithm {
                    turn::PasswordAlgorithm::Md5 => PasswordAlgorithm::Md5,
                    turn::PasswordAlgorithm::Sha256 => PasswordAlgorithm::Sha256,
                })
                .collect(),
            hide_usernames: turn.hide_usernames,
            credentials_end_sessions: turn.credentials_end_sessions,
            token_server_name: turn.token_server_name,
            proxy_protocol_from: Vec::new(),
            nonce_secret: None,
            nonce_secret_file: None,
            previous_nonce_secret: None,
            previous_nonce_secret_file: None,
            listener_buffer: ByteSize(relay.listener_buffer_bytes),
            relay_buffer: ByteSize(relay.relay_buffer_bytes),
            lifetimes: Lifetimes::default(),
            limits: Limits::default(),
            tls: Tls::default(),
            nat_discovery: NatDiscovery::default(),
            anonymous: Anonymous::default(),
            auth_hook: AuthHook::default(),
            peers: Peers::default(),
            users: Vec::new(),
            secrets: Vec::new(),
            token_keys: Vec::new(),
        }
    }
}

impl Default for NatDiscovery {
    fn default() -> Self {
        Self { addresses: Vec::new(), ports: vec![3478, 3479] }
    }
}

impl Default for Anonymous {
    fn default() -> Self {
        let quotas = relay::QuotaSettings::default();
        Self {
            listen: Vec::new(),
            listen_tcp: Vec::new(),
            mode: AnonymousMode::Backends,
            backends: Vec::new(),
            claim_patience: HumanDuration(turn::Settings::default().claim_patience),
            allocations: quotas.anonymous,
            allocations_per_source: quotas.anonymous_per_source,
        }
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self { policy: PeersPolicy::Rules, allow: Vec::new(), deny: Vec::new(), besides_answer: Vec::new() }
    }
}

impl Default for RecordsTable {
    fn default() -> Self {
        Self {
            database: None,
            keep: HumanDuration(Duration::from_secs(90 * 24 * 3600)),
            user_ids: UserIds::Plain,
            queue: 1_000_000,
            webhook: RecordsWebhook::default(),
            file: RecordsFile::default(),
            postgres: RecordsPostgres::default(),
        }
    }
}

impl Default for RecordsWebhook {
    fn default() -> Self {
        Self {
            url: None,
            secret: None,
            secret_file: None,
            ca_file: None,
            timeout: HumanDuration(Duration::from_secs(10)),
        }
    }
}

impl Default for RecordsFile {
    fn default() -> Self {
        Self { path: None, max_size: ByteSize(100 << 20), files: 10 }
    }
}

impl Default for RecordsPostgres {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            table: "turnpike_records".to_owned(),
            ca_file: None,
            timeout: HumanDuration(Duration::from_secs(10)),
        }
    }
}

impl Default for AuthHook {
    fn default() -> Self {
        let relay::HookSettings { cache, negative_cache, max_questions, max_questions_per_source } =
            relay::HookSettings::default();
        Self {
            url: None,
            token: None,
            token_file: None,
            ca_file: None,
            timeout: HumanDuration(Duration::from_secs(2)),
            cache: HumanDuration(cache),
            negative_cache: HumanDuration(negative_cache),
            max_connections: 32,
            max_questions,
            max_questions_per_source,
        }
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        let turn = turn::Settings::default();
        Self {
            allocation: HumanDuration(turn.allocation_lifetime),
            max_allocation: HumanDuration(turn.max_allocation_lifetime),
            permission: HumanDuration(turn.permission_lifetime),
            channel: HumanDuration(turn.channel_lifetime),
            peer_connection: HumanDuration(turn.peer_connection_patience),
            nonce: HumanDuration(turn.nonce_lifetime),
            connection: HumanDuration(relay::Settings::default().connection_lifetime),
            media_silence: HumanDuration(relay::Settings::default().media_silence),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let turn = turn::Settings::default();
        let relay::Settings { quotas, bandwidth, max_connections, .. } = relay::Settings::default();
        Self {
            permissions: turn.max_permissions,
            channels: turn.max_channels,
            peer_connections: turn.max_peer_connections,
            allocations: quotas.total,
            allocations_per_user: quotas.per_user,
            allocations_per_source: quotas.per_source,
            bandwidth: BitRate(bandwidth.total),
            bandwidth_per_user: BitRate(bandwidth.per_user),
            bandwidth_per_allocation: BitRate(bandwidth.per_allocation),
            unauthenticated_per_second: turn.unauthenticated_per_second,
            bindings_per_second: turn.bindings_per_second,
            connections: max_connections,
        }
    }
}

impl Default for Gateway {
    fn default() -> Self {
        let gateway = gateway::Settings::default();
        Self {
            listen: ListenAddress(gateway::Settings::DEFAULT_LISTEN),
            backend: None,
            sticky_users: gateway.backends.sticky_users,
            body_limit: ByteSize(gateway.body_limit_bytes),
            forward_key: false,
            health_needs_key: gateway.health_needs_key,
            tls: Tls::default(),
            trusted_proxies: Vec::new(),
            trusted_fields: match gateway.proxies.fields {
                gateway::ProxyFields::XForwarded => TrustedFields::XForwarded,
                gateway::ProxyFields::Forwarded => TrustedFields::Forwarded,
            },
            proxy_protocol_from: Vec::new(),
            timeouts: Timeouts::default(),
            cors: Cors::default(),
            offers: Offers::default(),
            whip: Whip::default(),
            passthrough: Vec::new(),
            ice_servers: IceServers::default(),
            sessions: Sessions::default(),
            limits: GatewayLimits::default(),
            health_check: HealthCheck::default(),
            ejection: Ejection::default(),
            idempotency: Idempotency::default(),
            backends: Vec::new(),
            keys: Vec::new(),
        }
    }
}

impl Default for GatewayLimits {
    fn default() -> Self {
        let gateway::LimitSettings { per_user, per_source, refused_keys } = gateway::LimitSettings::default();
        let front = gateway::FrontSettings::default();
        Self {
            connections: front.connections,
            connections_per_source: front.connections_per_source,
            rate_per_client: RequestRate::UNLIMITED,
            burst_per_client: 100,
            rate_per_user: per_user.into(),
            burst_per_user: 10,
            rate_per_source: per_source.into(),
            burst_per_source: 100,
            refused_keys_per_source: refused_keys.into(),
            refused_keys_burst: refused_keys.map_or(100, |limit| limit.burst.get()),
            sessions_per_client: 0,
            sessions_per_user: 0,
        }
    }
}

impl Default for HealthCheck {
    fn default() -> Self {
        let check = gateway::HealthCheckSettings::default();
        Self {
            enabled: gateway::BackendsSettings::default().health_check.is_some(),
            path: check.path,
            status: check.status,
            body: check.body,
            interval: HumanDuration(check.interval),
            timeout: HumanDuration(check.timeout),
            unhealthy_after: check.unhealthy_after,
            healthy_after: check.healthy_after,
        }
    }
}

impl Default for Ejection {
    fn default() -> Self {
        let ejection = gateway::EjectionSettings::default();
        Self {
            failures: ejection.failures,
            time: HumanDuration(ejection.time),
            max_time: HumanDuration(ejection.max_time),
        }
    }
}

impl Default for Idempotency {
    fn default() -> Self {
        let idempotency = gateway::IdempotencySettings::default();
        Self { keep: HumanDuration(idempotency.keep), memory: ByteSize(idempotency.memory_bytes) }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let timeouts = gateway::Timeouts::default();
        let backends = gateway::BackendTimeouts::default();
        Self {
            handshake: HumanDuration(timeouts.handshake),
            request_headers: HumanDuration(timeouts.request_headers),
            request_body: HumanDuration(timeouts.request_body),
            client_idle: HumanDuration(timeouts.client_idle),
            client_stall: HumanDuration(timeouts.client_stall),
            backend_connect: HumanDuration(backends.connect),
            backend_headers: HumanDuration(backends.headers),
            backend_answer: HumanDuration(backends.answer),
            backend_idle: HumanDuration(backends.idle),
            drain: HumanDuration(timeouts.drain),
        }
    }
}

impl Default for Cors {
    fn default() -> Self {
        let cors = gateway::CorsSettings::default();
        Self {
            origins: cors.origins.into_iter().map(CorsOrigin).collect(),
            private_network: cors.allows_private_network,
        }
    }
}

impl Default for Offers {
    fn default() -> Self {
        let offers = gateway::OfferSettings::default();
        Self {
            check_sdp: offers.check_sdp,
            max_media_sections: offers.max_media_sections,
            max_candidates: offers.max_candidates,
        }
    }
}

impl Default for Whip {
    fn default() -> Self {
        Self { enabled: gateway::WhipSettings::default().enabled }
    }
}

impl Default for IceServers {
    fn default() -> Self {
        let ice_servers = gateway::IceServerSettings::default();
        Self {
            urls: None,
            ttl: HumanDuration(ice_servers.ttl),
            max_ttl: HumanDuration(ice_servers.max_ttl),
            username_form: match ice_servers.username_form {
                gateway::UsernameForm::Sealed => UsernameForm::Sealed,
                gateway::UsernameForm::Coturn => UsernameForm::Coturn,
            },
        }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        let sessions = gateway::SessionSettings::default();
        Self { total: sessions.most, direct_after: HumanDuration(sessions.direct_after) }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: ListenAddress(gateway::AdminSettings::default().listen),
            token: None,
            token_file: None,
        }
    }
}
