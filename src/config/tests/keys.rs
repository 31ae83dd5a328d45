//! The keys of the gateway, and what they say of limits.

use std::num::NonZeroU32;
use std::time::{Duration, UNIX_EPOCH};

use super::Files;
use super::errors::refused;
use crate::config::Warning;
use crate::gateway::{ApiKey, ClientLimits, LimitSettings, RateLimit, Scope};

#[test]
fn every_option_of_keys_and_limits_arrives() {
    let config = r#"
[gateway.limits]
rate_per_client = "50/s"
burst_per_client = 51
rate_per_user = "30/m"
burst_per_user = 52
rate_per_source = "100/s"
burst_per_source = 53
refused_keys_per_source = "1000/h"
refused_keys_burst = 54
sessions_per_client = 55
sessions_per_user = 56
[[gateway.keys]]
id = "app"
key_file = "app.key"
[[gateway.keys]]
id = "app-next"
client = "team"
sha256 = "63ad0baff5f5d7e69eb5ba5e89ee3ccd0a9bd8c3a9de3ee4b7e9b1a0e5bd0d8c"
not_before = 1970-01-01T00:00:10Z
expires_at = "1970-01-01T02:00:20+02:00"
scopes = ["whip", "admin"]
force_relay = true
rate = "10/s"
burst = 57
sessions = 58
sessions_per_user = 0
"#;
    let settings = Files::new(config).with("app.key", "0123456789abcdef\r\n").load(&[]).unwrap();
    let gateway = settings.gateway;
    let limit = |period_ms, burst| RateLimit {
        period: Duration::from_millis(period_ms),
        burst: NonZeroU32::new(burst).unwrap(),
    };
    let limits = LimitSettings {
        per_user: Some(limit(2000, 52)),
        per_source: Some(limit(10, 53)),
        refused_keys: Some(limit(3600, 54)),
    };
    assert_eq!(gateway.limits, limits);
    let app = ApiKey {
        limits: ClientLimits {
            rate: Some(limit(20, 51)),
            max_sessions: Some(55),
            max_sessions_per_user: Some(56),
        },
        ..ApiKey::new("app", "0123456789abcdef")
    };
    let next = &gateway.keys[1];
    assert_eq!(gateway.keys[0], app);
    assert_eq!((next.id.as_str(), next.client.as_str()), ("app-next", "team"));
    assert_eq!(format!("{:?}", next.digest), "KeyDigest(63ad0baf…)");
    assert_eq!(next.not_before, Some(UNIX_EPOCH + Duration::from_secs(10)));
    assert_eq!(next.expires_at, Some(UNIX_EPOCH + Duration::from_secs(20)));
    assert!(next.force_relay && !app.force_relay);
    assert_eq!(next.scopes, [Scope::Whip, Scope::Admin].into_iter().collect());
    let limits =
        ClientLimits { rate: Some(limit(100, 57)), max_sessions: Some(58), max_sessions_per_user: None };
    assert_eq!(next.limits, limits);
}

#[test]
fn rules_of_keys() {
    let config = r#"
[[gateway.keys]]
id = "a"
[[gateway.keys]]
id = "b"
client = "my team"
key = "0123456789abcdef"
sha256 = "63ad0baff5f5d7e69eb5ba5e89ee3ccd0a9bd8c3a9de3ee4b7e9b1a0e5bd0d8c"
[[gateway.keys]]
id = "c"
sha256 = "63ad"
not_before = 2027-01-01T00:00:00Z
expires_at = 2027-01-01T00:00:00Z
[[gateway.keys]]
id = "d"
key_file = "d.key"
scopes = []
burst = 0
sessions = 1000001
"#;
    let files = Files::new(config).with("d.key", &"x".repeat(513));
    let expected = "\
turnpike.toml:2:1: gateway.keys[0]: has no key; give key, key_file or sha256, for example from `turnpike key new`
turnpike.toml:4:1: gateway.keys[1]: has both a key and a sha256; keep one
turnpike.toml:6:10: gateway.keys[1].client: `my team` is no id; write 1 to 64 letters, digits, dots, dashes and underscores
turnpike.toml:11:10: gateway.keys[2].sha256: is no key; write 64 hexadecimal digits
turnpike.toml:13:14: gateway.keys[2].expires_at: `2027-01-01T00:00:00Z` is not after not_before; write a later time, or remove one of them
turnpike.toml:16:12: gateway.keys[3].key_file: is longer than 512 characters; make a shorter one, for example with `openssl rand -hex 32`
turnpike.toml:17:10: gateway.keys[3].scopes: is empty; name at least one
turnpike.toml:18:9: gateway.keys[3].burst: `0` is out of range; write 1 to 1000000
turnpike.toml:19:12: gateway.keys[3].sessions: `1000001` is out of range; write 0 to 1000000";
    assert_eq!(files.load(&[]).unwrap_err(), expected);
}

#[test]
fn wrong_values_of_keys() {
    let config = r#"
[gateway.limits]
rate_per_client = "10"
rate_per_user = 5
burst_per_user = 0
sessions_per_client = 1000001
[[gateway.keys]]
id = "a"
key = "0123456789abcdef"
not_before = "tomorrow"
scopes = ["everything"]
"#;
    let rate = "is not a rate; write a number up to 1000000 for each second, minute or hour, such as 10/s, 30/m or 1000/h, or 0";
    assert_eq!(
        refused(config),
        [
            format!("turnpike.toml:3:19: gateway.limits.rate_per_client: `10` {rate}"),
            format!("turnpike.toml:4:17: gateway.limits.rate_per_user: `5` {rate}"),
            "turnpike.toml:10:14: gateway.keys[0].not_before: `tomorrow` is not a point in time; \
             write date, time and the distance to UTC, such as 2027-01-31T12:00:00Z"
                .to_owned(),
        ]
    );
    let scopes = "[[gateway.keys]]\nid = \"a\"\nkey = \"0123456789abcdef\"\nscopes = [\"everything\"]";
    assert_eq!(
        refused(scopes),
        ["turnpike.toml:4:11: gateway.keys[0].scopes[0]: unknown variant `everything`, \
          expected one of `offer`, `ice_servers`, `whip`, `turn`, `admin`"]
    );
    assert_eq!(
        refused("[gateway.limits]\nburst_per_user = 0\nsessions_per_client = 1000001"),
        [
            "turnpike.toml:2:18: gateway.limits.burst_per_user: `0` is out of range; write 1 to 1000000",
            "turnpike.toml:3:23: gateway.limits.sessions_per_client: `1000001` is out of range; write 0 to 1000000",
        ]
    );
}

#[test]
fn one_key_of_a_client_speaks_for_all() {
    let config = |rate: &str| {
        format!(
            r#"
[gateway.limits]
rate_per_client = "100/s"
[[gateway.keys]]
id = "old"
client = "app"
key = "0123456789abcdef"
rate = "0"
[[gateway.keys]]
id = "new"
client = "app"
key = "fedcba9876543210"
{rate}
sessions = 5
[[gateway.keys]]
id = "other"
key = "fedcba98765432100"
"#
        )
    };
    let keys = Files::new(&config("rate = \"0\"")).load(&[]).unwrap().gateway.keys;
    assert_eq!(keys[0].limits, keys[1].limits);
    assert_eq!((keys[0].limits.rate, keys[0].limits.max_sessions), (None, Some(5)));
    assert_eq!(keys[2].limits.rate.unwrap().period, Duration::from_millis(10));
    let silent = Files::new(&config("")).load(&[]).unwrap().gateway.keys;
    assert_eq!(silent[1].limits.rate, None);
    assert_eq!(
        refused(&config("rate = \"5/s\"")),
        ["turnpike.toml:13:8: gateway.keys[1].rate: differs from gateway.keys[0].rate, \
          which is of the same client; write the same, or remove one"]
    );
}

#[test]
fn keys_come_from_the_environment_too() {
    let keys = "[{id = \"app\", key = \"0123456789abcdef\", expires_at = 2027-01-01T00:00:00Z, scopes = [\"offer\"]}]";
    let settings = Files::new("").load(&[("TURNPIKE_GATEWAY_KEYS", keys)]).unwrap();
    assert_eq!(settings.gateway.keys[0].id, "app");
    assert!(settings.gateway.keys[0].expires_at.is_some());
}

#[test]
fn warns_of_keys_that_expire() {
    let config = r#"
[[gateway.keys]]
id = "gone"
key = "0123456789abcdef"
expires_at = 1970-01-01T00:00:00Z
[[gateway.keys]]
id = "soon"
key = "fedcba9876543210"
expires_at = 1970-01-15T00:00:00Z
[[gateway.keys]]
id = "later"
key = "fedcba98765432100"
expires_at = 1970-01-15T00:00:02Z
"#;
    let settings = Files::new(config).load(&[]).unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(1);
    let lines: Vec<String> = settings.expiring_keys(now).iter().map(Warning::to_string).collect();
    assert_eq!(
        lines,
        [
            "key gone expired at 1970-01-01T00:00:00Z: whoever still has it gets 401; remove it",
            "key soon expires at 1970-01-15T00:00:00Z: give its client another one before, \
             for example from `turnpike key new`",
        ]
    );
}
