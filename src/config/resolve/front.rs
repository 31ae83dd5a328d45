//! Connections, `[gateway.cors]`, `[[gateway.passthrough]]` and the proxies in front of the gateway.

use super::{Rules, Unique};
use crate::config::error::Cause;
use crate::config::front_schema::{Cors, Passthrough};
use crate::config::schema::{Gateway, TrustedFields};
use crate::config::units::ByteSize;
use crate::gateway::{CorsSettings, FrontSettings, PassthroughSettings, ProxyFields, ProxySettings};

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

pub(super) fn passthrough(written: &[Passthrough], rules: &mut Rules<'_>) -> Vec<PassthroughSettings> {
    let mut prefixes = Unique::new();
    let mut settings = Vec::new();
    for (index, one) in written.iter().enumerate() {
        let section = format!("gateway.passthrough[{index}]");
        let key = format!("{section}.prefix");
        if !PassthroughSettings::is_prefix(&one.prefix) {
            rules.refuse(&key, Cause::PathPrefix(one.prefix.clone()));
        } else if let Some(first) = prefixes.claim(&one.prefix, &key) {
            rules.refuse(&key, Cause::Duplicate { value: one.prefix.clone(), first });
        }
        rules.in_range(&format!("{section}.body_limit"), &one.body_limit, LEAST_BODY..=MOST_BODY);
        settings.push(PassthroughSettings {
            prefix: one.prefix.clone(),
            is_public: one.public,
            allows_web_sockets: one.websocket,
            body_limit_bytes: one.body_limit.0,
        });
    }
    settings
}

const LEAST_BODY: ByteSize = ByteSize(1 << 10);

/// Bodies pass by piece by piece, so this bounds time and traffic, not memory.
const MOST_BODY: ByteSize = ByteSize(1 << 30);

/// More than any process has file descriptors for by itself.
const MOST_CONNECTIONS: usize = 1_000_000;
