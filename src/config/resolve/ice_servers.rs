//! `[gateway.ice_servers]`: credentials for clients, and where they are told that the relay is.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::Rules;
use crate::config::choices::UsernameForm;
use crate::config::ice_schema::IceServers;
use crate::config::units::HumanDuration;
use crate::gateway::{self, IceServerSettings, IceUrl};
use crate::turn::ExternalAddresses;
use crate::{relay, turn};

pub(super) fn ice_servers(
    written: &IceServers,
    turn: &turn::Settings,
    relay: &relay::Settings,
    rules: &mut Rules<'_>,
) -> IceServerSettings {
    rules.in_range("gateway.ice_servers.ttl", &written.ttl, LEAST_TTL..=MOST_TTL);
    if (LEAST_TTL..=MOST_TTL).contains(&written.ttl) {
        rules.in_range("gateway.ice_servers.max_ttl", &written.max_ttl, written.ttl..=MOST_TTL);
    }
    let urls = match &written.urls {
        Some(urls) => urls.iter().map(|url| url.0.clone()).collect(),
        None => urls_of(relay, &turn.external_addresses),
    };
    IceServerSettings {
        urls,
        ttl: written.ttl.0,
        max_ttl: written.max_ttl.0,
        username_form: match written.username_form {
            UsernameForm::Sealed => gateway::UsernameForm::Sealed,
            UsernameForm::Coturn => gateway::UsernameForm::Coturn,
        },
        secret: turn.credentials.issuing_secret().cloned(),
    }
}

/// The listeners as clients see them. Those whose address or port nobody knows yet tell nothing.
fn urls_of(relay: &relay::Settings, external: &ExternalAddresses) -> Vec<IceUrl> {
    let mut urls = Vec::new();
    for (listen, transport) in [(&relay.listen, "udp"), (&relay.listen_tcp, "tcp")] {
        let seen: BTreeSet<SocketAddr> =
            listen.iter().filter_map(|&listener| public_address(listener, external)).collect();
        let of_transport = seen.iter().map(|address| format!("turn:{address}?transport={transport}"));
        // They are made as the type reads them.
        urls.extend(of_transport.filter_map(|url| url.parse().ok()));
    }
    urls
}

fn public_address(listener: SocketAddr, external: &ExternalAddresses) -> Option<SocketAddr> {
    // Clients with TLS come to a port of its own, where nobody speaks in the clear.
    let is_known = ![0, crate::config::addresses::TLS_PORT].contains(&listener.port());
    let ip = external.public_of(listener.ip());
    (is_known && !UNSPECIFIED.contains(&ip)).then(|| SocketAddr::new(ip, listener.port()))
}

const UNSPECIFIED: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
const LEAST_TTL: HumanDuration = HumanDuration(Duration::from_secs(1));

/// Longer ones would be lasting passwords, of which [[turn.users]] makes no secret.
const MOST_TTL: HumanDuration = HumanDuration(Duration::from_secs(30 * 24 * 3600));
