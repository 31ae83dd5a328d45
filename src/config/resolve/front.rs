//! Connections, `[gateway.cors]` and the proxies in front of the gateway.

use super::Rules;
use crate::config::front_schema::Cors;
use crate::config::schema::{Gateway, TrustedFields};
use crate::gateway::{CorsSettings, FrontSettings, ProxyFields, ProxySettings};

pub(super) fn front(written: &Gateway, rules: &mut Rules<'_>) -> FrontSettings {
    let limits = &written.limits;
    rules.in_range("gateway.limits.connections", &limits.connections, 1..=MOST_CONNECTIONS);
    rules.in_range(
        "gateway.limits.connections_per_source",
        &limits.connections_per_source,
        1..=MOST_CONNECTIONS,
    );
    FrontSettings {
        connections: limits.connections,
        connections_per_source: limits.connections_per_source,
        proxy_protocol_from: written.proxy_protocol_from.iter().map(|network| network.0).collect(),
    }
}

pub(super) fn proxies(written: &Gateway) -> ProxySettings {
    ProxySettings {
        trusted: written.trusted_proxies.iter().map(|network| network.0).collect(),
        fields: match written.trusted_fields {
            TrustedFields::XForwarded => ProxyFields::XForwarded,
            TrustedFields::Forwarded => ProxyFields::Forwarded,
        },
    }
}

pub(super) fn cors(written: &Cors) -> CorsSettings {
    CorsSettings {
        origins: written.origins.iter().map(|origin| origin.0.clone()).collect(),
        allows_private_network: written.private_network,
    }
}

/// More than any process has file descriptors for by itself.
const MOST_CONNECTIONS: usize = 1_000_000;
