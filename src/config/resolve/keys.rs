//! `[[gateway.keys]]` and `[gateway.limits]`: who may ask the gateway for what, and how often.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use super::credentials::hex_key;
use super::{Rules, Unique};
use crate::config::error::Cause;
use crate::config::request_rate::RequestRate;
use crate::config::schema::{GatewayLimits, Key, KeyScope};
use crate::config::secrets::Source;
use crate::gateway::{ApiKey, ClientLimits, KeyDigest, LimitSettings, RateLimit, Scope, Scopes};

pub(super) fn limits(written: &GatewayLimits, rules: &mut Rules<'_>) -> LimitSettings {
    for (name, burst) in [
        ("burst_per_client", written.burst_per_client),
        ("burst_per_user", written.burst_per_user),
        ("burst_per_source", written.burst_per_source),
        ("refused_keys_burst", written.refused_keys_burst),
    ] {
        rules.in_range(&format!("gateway.limits.{name}"), &burst, BURSTS);
    }
    for (name, sessions) in [
        ("sessions_per_client", written.sessions_per_client),
        ("sessions_per_user", written.sessions_per_user),
    ] {
        rules.in_range(&format!("gateway.limits.{name}"), &sessions, SESSIONS);
    }
    LimitSettings {
        per_user: limit(written.rate_per_user, written.burst_per_user),
        per_source: limit(written.rate_per_source, written.burst_per_source),
        refused_keys: limit(written.refused_keys_per_source, written.refused_keys_burst),
    }
}

pub(super) fn keys(written: &[Key], defaults: &GatewayLimits, rules: &mut Rules<'_>) -> Vec<ApiKey> {
    let mut ids = Unique::new();
    let mut digests = Unique::new();
    let mut clients: HashMap<&str, WrittenLimits> = HashMap::new();
    let mut keys = Vec::new();
    for (index, key) in written.iter().enumerate() {
        let section = format!("gateway.keys[{index}]");
        let id_key = format!("{section}.id");
        if name(&key.id, &id_key, rules)
            && let Some(first) = ids.claim(&key.id, &id_key)
        {
            rules.refuse(&id_key, Cause::Duplicate { value: key.id.clone(), first });
        }
        if let Some(client) = &key.client {
            name(client, &format!("{section}.client"), rules);
        }
        if let (Some(not_before), Some(expires_at)) = (key.not_before, key.expires_at)
            && expires_at <= not_before
        {
            rules.refuse(&format!("{section}.expires_at"), Cause::NeverValid(expires_at.to_string()));
        }
        clients.entry(client_of(key)).or_default().merge(key, &section, rules);
        if let Some((digest, digest_key)) = digest(key, &section, rules) {
            if let Some(first) = digests.claim(digest, &digest_key) {
                rules.refuse(&digest_key, Cause::DuplicateSecret { first });
            }
            keys.push(ApiKey {
                id: key.id.clone(),
                client: client_of(key).to_owned(),
                digest,
                not_before: key.not_before.map(|moment| moment.0),
                expires_at: key.expires_at.map(|moment| moment.0),
                scopes: scopes(key, &section, rules),
                force_relay: key.force_relay,
                limits: ClientLimits::default(),
            });
        }
    }
    for key in &mut keys {
        // One key of a client speaks for all of them.
        key.limits = clients.get(key.client.as_str()).map(|limits| limits.or(defaults)).unwrap_or_default();
    }
    keys
}

fn client_of(key: &Key) -> &str {
    key.client.as_deref().unwrap_or(&key.id)
}

/// Whether a name is one.
fn name(name: &str, key: &str, rules: &mut Rules<'_>) -> bool {
    let is_name = Key::is_name(name);
    if !is_name {
        rules.refuse(key, Cause::KeyId(name.to_owned()));
    }
    is_name
}

/// The digest of a key, and what was written for it.
fn digest(key: &Key, section: &str, rules: &mut Rules<'_>) -> Option<(KeyDigest, String)> {
    let raw = Source { key: "key", value: key.key.as_ref(), file: key.key_file.as_ref() };
    let sha256 = Source { key: "sha256", value: key.sha256.as_ref(), file: None };
    match (raw.is_given(), sha256.is_given()) {
        (true, true) => {
            rules.refuse(section, Cause::KeyAndDigest);
            None
        }
        (false, false) => {
            rules.refuse(section, Cause::NoKey);
            None
        }
        (false, true) => Some((KeyDigest(hex_key(section, &sha256, rules)?), format!("{section}.sha256"))),
        (true, false) => {
            let key = rules.secret(section, &raw)?;
            let written = format!("{section}.{}", raw.written_key());
            if !key.expose().chars().all(|c| c.is_ascii_graphic()) {
                rules.refuse(&written, Cause::KeyCharacters);
            } else if key.expose().len() < LEAST_KEY_CHARACTERS {
                rules.refuse(&written, Cause::ShortSecret { least: LEAST_KEY_CHARACTERS });
            } else if key.expose().len() > ApiKey::MOST_BYTES {
                rules.refuse(&written, Cause::LongSecret { most: ApiKey::MOST_BYTES });
            }
            Some((KeyDigest::of(key.expose().as_bytes()), written))
        }
    }
}

fn scopes(key: &Key, section: &str, rules: &mut Rules<'_>) -> Scopes {
    let Some(written) = &key.scopes else { return Scopes::default() };
    if written.is_empty() {
        rules.refuse(&format!("{section}.scopes"), Cause::EmptyList);
    }
    let scope = |scope: &KeyScope| match scope {
        KeyScope::Offer => Scope::Offer,
        KeyScope::IceServers => Scope::IceServers,
        KeyScope::Whip => Scope::Whip,
        KeyScope::Turn => Scope::Turn,
        KeyScope::Admin => Scope::Admin,
    };
    written.iter().map(scope).collect()
}

/// What the keys of one client say of its limits, each with the key that said it first.
#[derive(Default)]
struct WrittenLimits {
    rate: Option<(RequestRate, String)>,
    burst: Option<(u32, String)>,
    sessions: Option<(usize, String)>,
    sessions_per_user: Option<(usize, String)>,
}

impl WrittenLimits {
    fn merge(&mut self, key: &Key, section: &str, rules: &mut Rules<'_>) {
        if let Some(burst) = &key.burst {
            rules.in_range(&format!("{section}.burst"), burst, BURSTS);
        }
        for (name, sessions) in [("sessions", key.sessions), ("sessions_per_user", key.sessions_per_user)] {
            if let Some(sessions) = sessions {
                rules.in_range(&format!("{section}.{name}"), &sessions, SESSIONS);
            }
        }
        say(&mut self.rate, key.rate, format!("{section}.rate"), rules);
        say(&mut self.burst, key.burst, format!("{section}.burst"), rules);
        say(&mut self.sessions, key.sessions, format!("{section}.sessions"), rules);
        say(
            &mut self.sessions_per_user,
            key.sessions_per_user,
            format!("{section}.sessions_per_user"),
            rules,
        );
    }

    /// The limits, with the defaults where nothing was said.
    fn or(&self, defaults: &GatewayLimits) -> ClientLimits {
        let sessions = said(&self.sessions).unwrap_or(defaults.sessions_per_client);
        let per_user = said(&self.sessions_per_user).unwrap_or(defaults.sessions_per_user);
        ClientLimits {
            rate: limit(
                said(&self.rate).unwrap_or(defaults.rate_per_client),
                said(&self.burst).unwrap_or(defaults.burst_per_client),
            ),
            max_sessions: (sessions > 0).then_some(sessions),
            max_sessions_per_user: (per_user > 0).then_some(per_user),
        }
    }
}

/// Notes what a key says, which must be what the others of its client say.
fn say<T: PartialEq>(known: &mut Option<(T, String)>, value: Option<T>, key: String, rules: &mut Rules<'_>) {
    match (&known, value) {
        (_, None) => {}
        (None, Some(value)) => *known = Some((value, key)),
        (Some((first, _)), Some(value)) if *first == value => {}
        (Some((_, first)), Some(_)) => rules.refuse(&key, Cause::ClientDiffers { first: first.clone() }),
    }
}

fn said<T: Copy>(known: &Option<(T, String)>) -> Option<T> {
    known.as_ref().map(|(value, _)| *value)
}

fn limit(rate: RequestRate, burst: u32) -> Option<RateLimit> {
    // A burst of 0 was refused.
    rate.limit(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN))
}

/// As random hexadecimal digits this is 64 bits, the least that nobody guesses.
pub(super) const LEAST_KEY_CHARACTERS: usize = 16;

/// More at once is no limit.
const BURSTS: RangeInclusive<u32> = 1..=1_000_000;
const SESSIONS: RangeInclusive<usize> = 0..=1_000_000;
