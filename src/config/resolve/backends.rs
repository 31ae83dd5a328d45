//! `[[gateway.backends]]`, and what belongs to all backends.

use std::time::Duration;

use super::{Rules, Unique, certificate};
use crate::config::error::Cause;
use crate::config::schema::{BackendTable, Ejection, Gateway, HealthCheck, Idempotency, Key, Tls};
use crate::config::secrets::Source;
use crate::config::units::{ByteSize, HumanDuration};
use crate::gateway::{
    BackendSettings, BackendTimeouts, BackendsSettings, EjectionSettings, HealthCheckSettings,
    IdempotencySettings, KeyToBackend,
};
use crate::tls::{ClientFiles, is_server_name};

pub(super) fn backends(written: &Gateway, rules: &mut Rules<'_>) -> BackendsSettings {
    let timeouts = &written.timeouts;
    BackendsSettings {
        backends: list(written, rules),
        sticky_users: written.sticky_users,
        timeouts: BackendTimeouts {
            connect: timeouts.backend_connect.0,
            headers: timeouts.backend_headers.0,
            answer: timeouts.backend_answer.0,
            idle: timeouts.backend_idle.0,
        },
        health_check: health_check(&written.health_check, rules),
        ejection: ejection(&written.ejection, rules),
        idempotency: idempotency(&written.idempotency, rules),
    }
}

fn list(written: &Gateway, rules: &mut Rules<'_>) -> Vec<BackendSettings> {
    if written.backends.is_empty() {
        let url = written.backend.as_ref().map(|backend| backend.0.clone()).unwrap_or_default();
        let mut one = BackendSettings::new(BackendsSettings::DEFAULT_NAME, url);
        if written.forward_key {
            one.key = KeyToBackend::Forwarded;
        }
        return vec![one];
    }
    if written.backend.is_some() {
        rules.refuse("gateway.backend", Cause::BothBackends);
    }
    let count = written.backends.len();
    if count > MOST_BACKENDS {
        rules.refuse("gateway.backends", Cause::TooMany { count, most: MOST_BACKENDS });
    }
    let mut names = Unique::new();
    let mut backends = Vec::new();
    for (index, table) in written.backends.iter().enumerate() {
        let section = format!("gateway.backends[{index}]");
        let name_key = format!("{section}.name");
        if !Key::is_name(&table.name) {
            rules.refuse(&name_key, Cause::KeyId(table.name.clone()));
        } else if let Some(first) = names.claim(&table.name, &name_key) {
            rules.refuse(&name_key, Cause::Duplicate { value: table.name.clone(), first });
        }
        backends.push(backend(&section, table, written.forward_key, rules));
    }
    backends
}

fn backend(
    section: &str,
    table: &BackendTable,
    forwards_keys: bool,
    rules: &mut Rules<'_>,
) -> BackendSettings {
    let BackendTable { name, url, weight, ca_file, server_name, certificate: chain, private_key, .. } = table;
    let weight = weight.unwrap_or(1);
    rules.in_range(&format!("{section}.weight"), &weight, 1..=MOST_WEIGHT);
    if let Some(name) = server_name.as_ref().filter(|name| !is_server_name(name)) {
        rules.refuse(&format!("{section}.server_name"), Cause::HostName(name.clone()));
    }
    let has_tls = ca_file.is_some() || server_name.is_some() || chain.is_some() || private_key.is_some();
    if has_tls && !url.0.is_secure() {
        rules.refuse(section, Cause::TlsInTheClear);
    }
    let identity = Tls { certificate: chain.clone(), private_key: private_key.clone() };
    BackendSettings {
        name: name.clone(),
        url: url.0.clone(),
        weight,
        tls: ClientFiles {
            ca_file: ca_file.as_ref().map(|path| rules.path(path)),
            identity: certificate(section, &identity, rules),
        },
        server_name: server_name.clone(),
        key: key(section, table, forwards_keys, rules),
    }
}

fn key(section: &str, table: &BackendTable, forwards_keys: bool, rules: &mut Rules<'_>) -> KeyToBackend {
    let source = Source { key: "key", value: table.key.as_ref(), file: table.key_file.as_ref() };
    if source.is_given() && table.forward_key == Some(true) {
        rules.refuse(section, Cause::TwoBackendKeys);
    }
    if let Some(key) = rules.secret(section, &source) {
        if !key.expose().chars().all(|c| c.is_ascii_graphic()) {
            rules.refuse(&format!("{section}.{}", source.written_key()), Cause::KeyCharacters);
        }
        return KeyToBackend::Own(key);
    }
    match table.forward_key.unwrap_or(forwards_keys) {
        true => KeyToBackend::Forwarded,
        false => KeyToBackend::Stripped,
    }
}

fn health_check(written: &HealthCheck, rules: &mut Rules<'_>) -> Option<HealthCheckSettings> {
    const SECTION: &str = "gateway.health_check";
    let of = |name: &str| format!("{SECTION}.{name}");
    let is_path = |text: &str| {
        text.starts_with('/')
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte))
    };
    if !is_path(&written.path) || written.path.len() > MOST_TEXT_BYTES {
        rules.refuse(&of("path"), Cause::UrlPath(written.path.clone()));
    }
    rules.in_range(&of("status"), &written.status, 200..=599);
    let body_bytes = written.body.as_ref().map_or(0, String::len);
    rules.in_range(&of("body"), &ByteSize(body_bytes), ByteSize(0)..=ByteSize(MOST_TEXT_BYTES));
    rules.in_range(&of("interval"), &written.interval, LEAST_INTERVAL..=MOST_INTERVAL);
    rules.in_range(&of("timeout"), &written.timeout, LEAST_TIMEOUT..=MOST_TIMEOUT);
    rules.in_range(&of("unhealthy_after"), &written.unhealthy_after, 1..=MOST_CHECKS);
    rules.in_range(&of("healthy_after"), &written.healthy_after, 1..=MOST_CHECKS);
    written.enabled.then(|| HealthCheckSettings {
        path: written.path.clone(),
        status: written.status,
        body: written.body.clone(),
        interval: written.interval.0,
        timeout: written.timeout.0,
        unhealthy_after: written.unhealthy_after,
        healthy_after: written.healthy_after,
    })
}

fn ejection(written: &Ejection, rules: &mut Rules<'_>) -> EjectionSettings {
    rules.in_range("gateway.ejection.failures", &written.failures, 0..=MOST_FAILURES);
    rules.in_range("gateway.ejection.time", &written.time, SECOND..=HOUR);
    rules.in_range("gateway.ejection.max_time", &written.max_time, SECOND..=HOUR);
    EjectionSettings { failures: written.failures, time: written.time.0, max_time: written.max_time.0 }
}

fn idempotency(written: &Idempotency, rules: &mut Rules<'_>) -> IdempotencySettings {
    rules.in_range("gateway.idempotency.keep", &written.keep, SECOND..=HOUR);
    rules.in_range("gateway.idempotency.memory", &written.memory, ByteSize(0)..=MOST_MEMORY);
    IdempotencySettings { keep: written.keep.0, memory_bytes: written.memory.0 }
}

/// Bounds what the labels of metrics can cost, and the work of each choice.
const MOST_BACKENDS: usize = 64;
const MOST_WEIGHT: u32 = 1000;
const MOST_TEXT_BYTES: usize = 1024;
/// More often, checks are a load themselves.
const LEAST_INTERVAL: HumanDuration = HumanDuration(Duration::from_millis(500));
const MOST_INTERVAL: HumanDuration = HumanDuration(Duration::from_secs(300));
const LEAST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_millis(100));
const MOST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_secs(60));
const MOST_CHECKS: u32 = 100;
const MOST_FAILURES: u32 = 1000;
const SECOND: HumanDuration = HumanDuration(Duration::from_secs(1));
const HOUR: HumanDuration = HumanDuration(Duration::from_secs(3600));
const MOST_MEMORY: ByteSize = ByteSize(1 << 30);
