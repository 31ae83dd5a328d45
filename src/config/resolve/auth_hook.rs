//! `[turn.auth_hook]`: the service that is asked about users whom nobody here knows.

use std::time::Duration;

use super::Rules;
use crate::config::auth_hook::AuthHook;
use crate::config::error::Cause;
use crate::config::schema;
use crate::config::secrets::Source;
use crate::config::units::HumanDuration;
use crate::relay::HookSettings;

/// How the service is asked, if there is one.
pub(super) fn auth_hook(written: &schema::AuthHook, rules: &mut Rules<'_>) -> Option<AuthHook> {
    const SECTION: &str = "turn.auth_hook";
    let lengths = [
        ("timeout", written.timeout, LEAST_TIMEOUT, MOST_TIMEOUT),
        ("cache", written.cache, SECOND, HOUR),
        ("negative_cache", written.negative_cache, SECOND, HOUR),
    ];
    for (name, value, least, most) in lengths {
        rules.in_range(&format!("{SECTION}.{name}"), &value, least..=most);
    }
    let counts = [
        ("max_connections", written.max_connections, MOST_CONNECTIONS),
        ("max_questions", written.max_questions, MOST_QUESTIONS),
        ("max_questions_per_source", written.max_questions_per_source, MOST_QUESTIONS),
    ];
    for (name, value, most) in counts {
        rules.in_range(&format!("{SECTION}.{name}"), &value, 1..=most);
    }
    let source = Source { key: "token", value: written.token.as_ref(), file: written.token_file.as_ref() };
    let token = rules.secret(SECTION, &source);
    if token.as_ref().is_some_and(|token| !token.expose().bytes().all(|byte| byte.is_ascii_graphic())) {
        rules.refuse(&format!("{SECTION}.{}", source.written_key()), Cause::KeyCharacters);
    }
    if written.url.is_none() && (source.is_given() || written.ca_file.is_some()) {
        rules.refuse(SECTION, Cause::HookWithoutUrl);
    }
    Some(AuthHook {
        url: written.url.clone()?,
        token,
        ca_file: written.ca_file.as_ref().map(|path| rules.path(path)),
        timeout: written.timeout.0,
        max_connections: written.max_connections,
        relay: HookSettings {
            cache: written.cache.0,
            negative_cache: written.negative_cache.0,
            max_questions: written.max_questions,
            max_questions_per_source: written.max_questions_per_source,
        },
    })
}

const LEAST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_millis(100));
/// Clients send a request for 7.9 s to 39.5 s, by the timers of RFC 8489 and those that they choose themselves.
const MOST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_secs(10));
/// More are too many for any service; catches a port that was written into the wrong line.
const MOST_CONNECTIONS: usize = 1000;
/// Each takes some kilobytes, in the relay and in the HTTP client.
const MOST_QUESTIONS: usize = 10_000;
const SECOND: HumanDuration = HumanDuration(Duration::from_secs(1));
const HOUR: HumanDuration = HumanDuration(Duration::from_secs(3600));
