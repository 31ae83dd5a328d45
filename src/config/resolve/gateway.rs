//! `[gateway]`: the settings of the HTTP front.

use std::time::Duration;

use super::access_log::access_log;
use super::ice_servers::ice_servers;
use super::keys::{self, LEAST_KEY_CHARACTERS};
use super::{Rules, backends, certificate, front};
use crate::config::error::Cause;
use crate::config::schema::{Admin, Gateway, Log, Offers, Sessions, Timeouts};
use crate::config::secrets::Source;
use crate::config::units::{ByteSize, HumanDuration};
use crate::gateway::{self, AdminSettings, OfferSettings, SessionSettings, Settings, WhipSettings};
use crate::{relay, turn};

/// The relay's settings say whether it shares a port, has a certificate for it, and whom it lets in.
pub(super) fn gateway(
    written: &Gateway,
    log: &Log,
    turn: &turn::Settings,
    relay: &relay::Settings,
    rules: &mut Rules<'_>,
) -> Settings {
    rules.in_range("gateway.body_limit", &written.body_limit, LEAST_BODY..=MOST_BODY);
    let tls = certificate("gateway.tls", &written.tls, rules);
    let is_shared = relay.http.is_some();
    Settings {
        listen: (!is_shared).then_some(written.listen.0),
        allows_plain: is_shared && tls.is_none(),
        // Who finds TLS on a port expects HTTPS there too.
        tls: tls.or_else(|| relay.tls.clone().filter(|_| is_shared)),
        backends: backends::backends(written, rules),
        keys: keys::keys(&written.keys, &written.limits, rules),
        limits: keys::limits(&written.limits, rules),
        body_limit_bytes: written.body_limit.0,
        health_needs_key: written.health_needs_key,
        front: front::front(written, rules),
        proxies: front::proxies(written),
        cors: front::cors(&written.cors),
        timeouts: timeouts(&written.timeouts, rules),
        offers: offers(&written.offers, rules),
        whip: WhipSettings { enabled: written.whip.enabled },
        ice_servers: ice_servers(&written.ice_servers, turn, relay, rules),
        sessions: sessions(&written.sessions, rules),
        passthrough: front::passthrough(&written.passthrough, rules),
        access_log: access_log(log, rules),
    }
}

fn timeouts(written: &Timeouts, rules: &mut Rules<'_>) -> gateway::Timeouts {
    let all = [
        ("handshake", written.handshake),
        ("request_headers", written.request_headers),
        ("request_body", written.request_body),
        ("client_idle", written.client_idle),
        ("client_stall", written.client_stall),
        ("backend_connect", written.backend_connect),
        ("backend_headers", written.backend_headers),
        ("backend_answer", written.backend_answer),
        ("backend_idle", written.backend_idle),
        ("drain", written.drain),
    ];
    for (name, value) in all {
        rules.in_range(&format!("gateway.timeouts.{name}"), &value, LEAST_TIMEOUT..=MOST_TIMEOUT);
    }
    gateway::Timeouts {
        handshake: written.handshake.0,
        request_headers: written.request_headers.0,
        request_body: written.request_body.0,
        client_idle: written.client_idle.0,
        client_stall: written.client_stall.0,
        drain: written.drain.0,
    }
}

fn offers(written: &Offers, rules: &mut Rules<'_>) -> OfferSettings {
    rules.in_range("gateway.offers.max_media_sections", &written.max_media_sections, 1..=MOST_MEDIA);
    rules.in_range("gateway.offers.max_candidates", &written.max_candidates, 1..=MOST_CANDIDATES);
    OfferSettings {
        check_sdp: written.check_sdp,
        max_media_sections: written.max_media_sections,
        max_candidates: written.max_candidates,
    }
}

fn sessions(written: &Sessions, rules: &mut Rules<'_>) -> SessionSettings {
    rules.in_range("gateway.sessions.total", &written.total, 1..=MOST_SESSIONS);
    rules.in_range("gateway.sessions.direct_after", &written.direct_after, LEAST_DIRECT..=MOST_DIRECT);
    SessionSettings { most: written.total, direct_after: written.direct_after.0 }
}

/// `[admin]`.
pub(super) fn admin(written: &Admin, rules: &mut Rules<'_>) -> AdminSettings {
    let source = Source { key: "token", value: written.token.as_ref(), file: written.token_file.as_ref() };
    let token = rules.secret("admin", &source);
    if let Some(token) = &token {
        let key = format!("admin.{}", source.written_key());
        if !token.expose().chars().all(|c| c.is_ascii_graphic()) {
            rules.refuse(&key, Cause::KeyCharacters);
        } else if token.expose().len() < LEAST_KEY_CHARACTERS {
            rules.refuse(&key, Cause::ShortSecret { least: LEAST_KEY_CHARACTERS });
        }
    }
    AdminSettings { listen: written.listen.0, token }
}

/// An offer with one video track and no candidates has about this size.
const LEAST_BODY: ByteSize = ByteSize(1 << 10);

/// Bodies are held in memory; no offer comes near this.
const MOST_BODY: ByteSize = ByteSize(16 << 20);

/// Less fails between two machines on a bad day.
const LEAST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_millis(100));

/// Clients and the proxies before us have given up long before.
const MOST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_secs(300));

/// Bounds what the check of one offer remembers, some hundred bytes for each.
const MOST_MEDIA: usize = 1000;

/// As many as the largest body has room for are no harm to us, since each is read and forgotten.
const MOST_CANDIDATES: usize = 100_000;

/// Some hundred bytes each.
const MOST_SESSIONS: usize = 1_000_000;

/// Clients gather and connect in seconds; an hour is longer than any of them tries.
const LEAST_DIRECT: HumanDuration = HumanDuration(Duration::from_secs(1));
const MOST_DIRECT: HumanDuration = HumanDuration(Duration::from_secs(3600));
