//! `turnpike check`: says what a configuration means, or what is wrong with it. Never prints a secret.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use anyhow::anyhow;

use super::ConfigFile;
use crate::config::request_rate::RequestRate;
use crate::config::schema::{
    Anonymous, AnonymousMode, AuthHook, Gateway, GatewayLimits, Limits, LogFormat, Schema, Turn,
};
use crate::config::units::BitRate;
use crate::config::{Settings, Written};
use crate::tls::{self, CertificateStore, ClientTls};

pub(super) fn run(file: &ConfigFile) -> anyhow::Result<()> {
    let written = file.read()?;
    let settings = written.resolve()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line has a clock: are certificates valid now?"
    )]
    let now = SystemTime::now();
    for (section, files) in [("turn.tls", &settings.relay.tls), ("gateway.tls", &settings.gateway.tls)] {
        if let Some(files) = files {
            CertificateStore::load(files, &[], now).map_err(|error| anyhow!("{section}: {error}"))?;
        }
    }
    for backend in settings.gateway.backends.backends.iter().filter(|backend| backend.url.is_secure()) {
        let section = format!("gateway.backends, {}", backend.name);
        ClientTls::load(&backend.tls, now).map_err(|error| anyhow!("{section}: {error}"))?;
    }
    if let Some(hook) = settings.auth_hook.as_ref().filter(|hook| hook.url.is_secure()) {
        tls::client_config(hook.ca_file.as_deref()).map_err(|error| anyhow!("turn.auth_hook: {error}"))?;
    }
    if let Some(traces) = settings.traces.as_ref().filter(|traces| traces.is_secure()) {
        tls::client_config(traces.ca_file.as_deref()).map_err(|error| anyhow!("traces: {error}"))?;
    }
    #[expect(clippy::print_stdout, reason = "what the command is for")]
    {
        print!("{}", explain(&written, &settings, now)?);
        println!("{} is fine", file.config.display());
    }
    Ok(())
}

/// What the configuration means, in the order of the file; warnings last.
fn explain(written: &Written, settings: &Settings, now: SystemTime) -> Result<String, fmt::Error> {
    let Schema { turn, gateway, admin, records, embedded, traces, log, metrics } = written.schema();
    let mut out = String::new();
    out.push_str("turn\n");
    explain_turn(&mut out, turn, settings)?;
    out.push_str("gateway\n");
    explain_gateway(&mut out, gateway, settings)?;
    out.push_str("admin\n");
    line(&mut out, "listens on", admin.listen)?;
    if !metrics.compat.is_empty() {
        line(&mut out, "metrics", "turnpike's, and coturn's")?;
    }
    if let Some(kept) = &settings.records {
        out.push_str("records\n");
        let keep = records.keep;
        line(&mut out, "kept in", format_args!("{} for {keep}", kept.database.display()))?;
        if let Some(webhook) = &kept.webhook {
            line(&mut out, "told to", &webhook.url)?;
        }
        if let Some(file) = &kept.file {
            line(&mut out, "written to", file.path.display())?;
        }
        if let Some(postgres) = &kept.postgres {
            line(&mut out, "written to", format_args!("PostgreSQL, table {}", postgres.table))?;
        }
    }
    if let Some(settings) = &settings.embedded {
        out.push_str("embedded\n");
        line(&mut out, "media at", list(&embedded.media_addresses))?;
        line(&mut out, "detector", &settings.detector)?;
        line(&mut out, "clients", format_args!("{} at most", settings.most_clients))?;
        line(&mut out, "threads", embedded.threads)?;
    }
    if let Some(settings) = &settings.traces {
        out.push_str("traces\n");
        line(&mut out, "sent to", &settings.endpoint)?;
        line(&mut out, "recorded", format_args!("{} % of them", traces.sample_ratio * 100.0))?;
    }
    let format = match log.format {
        LogFormat::Text => "text",
        LogFormat::Json => "JSON",
    };
    out.push_str("log\n");
    line(&mut out, "writes", format_args!("{format} from level {}", log.level))?;
    let variables: Vec<&str> = written.variables().collect();
    if !variables.is_empty() {
        out.push_str("environment\n");
        line(&mut out, "sets", variables.join(", "))?;
    }
    for warning in settings.warnings.iter().chain(&settings.expiring_keys(now)) {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(out)
}

fn explain_turn(out: &mut String, turn: &Turn, settings: &Settings) -> fmt::Result {
    line(out, "listens on", format_args!("{} (UDP)", list(&settings.relay.listen)))?;
    let streams = &settings.relay.listen_tcp;
    if !streams.is_empty() {
        let kind = if settings.relay.tls.is_some() { "TCP and TLS" } else { "TCP" };
        line(out, "", format_args!("{} ({kind})", list(streams)))?;
        line(out, "connections", format_args!("{} at most", turn.limits.connections))?;
    }
    if let Some(certificate) = &turn.tls.certificate {
        line(out, "certificate", certificate.display())?;
    }
    if !turn.proxy_protocol_from.is_empty() {
        line(out, "proxies", list(&turn.proxy_protocol_from))?;
    }
    line(out, "realm", &turn.realm)?;
    let relay = if turn.relay_addresses.is_empty() {
        "the address that the client reached".to_owned()
    } else {
        list(&turn.relay_addresses)
    };
    let ports = turn.relay_ports.0.len();
    line(out, "relays from", format_args!("{relay}, ports {}", turn.relay_ports))?;
    line(out, "capacity", format_args!("{ports} allocations for each relay address"))?;
    if !turn.external_ip.is_empty() {
        line(out, "seen as", list(&turn.external_ip))?;
    }
    line(out, "workers", turn.workers)?;
    let users: Vec<&str> = turn.users.iter().map(|user| user.name.as_str()).collect();
    line(out, "users", counted(&users))?;
    line(out, "secrets", turn.secrets.len())?;
    let kids: Vec<&str> = turn.token_keys.iter().map(|key| key.kid.as_str()).collect();
    line(out, "token keys", counted(&kids))?;
    explain_auth_hook(out, &turn.auth_hook)?;
    line(out, "algorithms", list(&turn.password_algorithms))?;
    if turn.mobility {
        line(out, "mobility", "allocations may follow their clients")?;
    }
    if settings.turn.nat_discovery.is_some() {
        line(out, "discovery", "answers to Binding requests from two addresses and ports")?;
    }
    if !turn.alternate_servers.is_empty() {
        line(out, "alternates", list(&turn.alternate_servers))?;
    }
    if turn.credentials_end_sessions {
        line(out, "sessions", "end when their time-limited credentials do")?;
    }
    let shared = turn.nonce_secret.is_some() || turn.nonce_secret_file.is_some();
    line(
        out,
        "nonces",
        if shared { "from the shared secret" } else { "from a random secret of each start" },
    )?;
    explain_limits(out, &turn.limits)?;
    explain_anonymous(out, &turn.anonymous)?;
    line(out, "peers", "public addresses; private and special ones are refused")?;
    if !turn.peers.allow.is_empty() {
        line(out, "", format_args!("allowed: {}", list(&turn.peers.allow)))?;
    }
    if !turn.peers.deny.is_empty() {
        line(out, "", format_args!("denied: {}", list(&turn.peers.deny)))?;
    }
    Ok(())
}

/// Who is asked about other users, if anybody.
fn explain_auth_hook(out: &mut String, hook: &AuthHook) -> fmt::Result {
    let Some(url) = &hook.url else { return Ok(()) };
    let has_token = hook.token.is_some() || hook.token_file.is_some();
    let token = if has_token { "with a token" } else { "without a token" };
    line(out, "other users", format_args!("{url} is asked, {token}, for {} at most", hook.timeout))?;
    let AuthHook { cache, negative_cache, .. } = hook;
    line(out, "", format_args!("known for {cache}, unknown for {negative_cache}, unless it says otherwise"))
}

/// Where no credentials are asked for, if anywhere.
fn explain_anonymous(out: &mut String, anonymous: &Anonymous) -> fmt::Result {
    let mut name = "anonymous";
    for (listen, kind) in [(&anonymous.listen, "UDP"), (&anonymous.listen_tcp, "TCP")] {
        if !listen.is_empty() {
            line(out, name, format_args!("listens on {} ({kind})", list(listen)))?;
            name = "";
        }
    }
    if name.is_empty() {
        match anonymous.mode {
            AnonymousMode::Backends => line(out, "", format_args!("reaches {}", list(&anonymous.backends)))?,
            AnonymousMode::Claim => {
                let patience = anonymous.claim_patience;
                line(out, "", format_args!("reaches whom answers name; waits {patience} for an offer"))?;
            }
        }
        let Anonymous { allocations, allocations_per_source, .. } = anonymous;
        line(out, "", format_args!("{allocations} allocations, {allocations_per_source} for each source"))?;
    }
    Ok(())
}

/// The limits that are set; those of one allocation are known to few.
fn explain_limits(out: &mut String, limits: &Limits) -> fmt::Result {
    let mut set = Vec::new();
    for (count, what) in [
        (limits.allocations, "allocations"),
        (limits.allocations_per_user, "allocations for each user"),
        (limits.allocations_per_source, "allocations for each source"),
    ] {
        if count > 0 {
            set.push(format!("{count} {what}"));
        }
    }
    for (rate, what) in [
        (limits.bandwidth, "in total"),
        (limits.bandwidth_per_user, "for each user"),
        (limits.bandwidth_per_allocation, "for each allocation"),
    ] {
        if rate > BitRate(0) {
            set.push(format!("{rate}/s {what}"));
        }
    }
    for (rate, what) in [
        (limits.unauthenticated_per_second, "unauthenticated answers/s for each source"),
        (limits.bindings_per_second, "Binding answers/s for each source"),
    ] {
        if rate > 0 {
            set.push(format!("{rate} {what}"));
        }
    }
    for (index, limit) in set.iter().enumerate() {
        line(out, if index == 0 { "limits" } else { "" }, limit)?;
    }
    Ok(())
}

fn explain_gateway(out: &mut String, gateway: &Gateway, settings: &Settings) -> fmt::Result {
    let scheme = match &settings.gateway.tls {
        None => "HTTP",
        Some(_) if settings.gateway.allows_plain => "HTTP and HTTPS",
        Some(_) => "HTTPS",
    };
    let sharing = if settings.relay.http.is_some() { ", shared with the relay" } else { "" };
    line(out, "listens on", format_args!("{} ({scheme}){sharing}", gateway.listen))?;
    if let Some(certificate) = &gateway.tls.certificate {
        line(out, "certificate", certificate.display())?;
    }
    match settings.gateway.backends.backends.as_slice() {
        [only] => line(out, "backend", &only.url)?,
        several => {
            for (index, backend) in several.iter().enumerate() {
                let (name, url, weight) = (&backend.name, &backend.url, backend.weight);
                let title = if index == 0 { "backends" } else { "" };
                line(out, title, format_args!("{name}: {url}, weight {weight}"))?;
            }
        }
    }
    let ids: Vec<&str> = gateway.keys.iter().map(|key| key.id.as_str()).collect();
    line(out, "keys", counted(&ids))?;
    explain_gateway_limits(out, &gateway.limits)?;
    line(out, "body limit", gateway.body_limit)
}

/// The limits that are set for all; keys may say otherwise.
fn explain_gateway_limits(out: &mut String, limits: &GatewayLimits) -> fmt::Result {
    let mut set = Vec::new();
    for (rate, burst, what) in [
        (limits.rate_per_client, limits.burst_per_client, "requests for each client"),
        (limits.rate_per_user, limits.burst_per_user, "offers for each user"),
        (limits.rate_per_source, limits.burst_per_source, "requests for each source"),
        (limits.refused_keys_per_source, limits.refused_keys_burst, "refused keys for each source"),
    ] {
        if rate != RequestRate::UNLIMITED {
            set.push(format!("{rate} {what}, {burst} at once"));
        }
    }
    for (count, what) in
        [(limits.sessions_per_client, "for each client"), (limits.sessions_per_user, "for each user")]
    {
        if count > 0 {
            set.push(format!("{count} sessions {what}"));
        }
    }
    for (index, limit) in set.iter().enumerate() {
        line(out, if index == 0 { "limits" } else { "" }, limit)?;
    }
    Ok(())
}

fn line(out: &mut String, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(out, "  {name:<13}{value}")
}

fn list<T: fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn counted(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { format!("{} ({})", names.len(), names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use crate::config;

    const CONFIG: &str = r#"
[turn]
mobility = true
alternate_servers = ["203.0.113.8:3478"]
external_ip = ["203.0.113.7/10.0.0.5"]
proxy_protocol_from = ["10.0.0.9"]
[turn.limits]
allocations_per_user = 8
bandwidth_per_allocation = "5Mbit"
[turn.auth_hook]
url = "https://auth.example.org/turn"
token = "secret-of-the-hook"
[turn.anonymous]
listen = ["10.0.0.5:3479"]
backends = ["10.0.0.7:5000-6000"]
[turn.peers]
allow = ["10.0.0.0/8"]
[[turn.users]]
name = "alice"
password = "secret-of-alice"
[gateway.limits]
rate_per_client = "50/s"
sessions_per_user = 3
[[gateway.keys]]
id = "app"
key = "secret-of-the-app"
"#;

    const EXPLAINED: &str = "\
turn
  listens on   0.0.0.0:3478 (UDP)
               0.0.0.0:3478 (TCP)
  connections  20000 at most
  proxies      10.0.0.9
  realm        turnpike
  relays from  the address that the client reached, ports 49152-65535
  capacity     16384 allocations for each relay address
  seen as      203.0.113.7/10.0.0.5
  workers      auto
  users        1 (alice)
  secrets      0
  token keys   none
  other users  https://auth.example.org/turn is asked, with a token, for 2s at most
               known for 1m, unknown for 10s, unless it says otherwise
  algorithms   sha256, md5
  mobility     allocations may follow their clients
  alternates   203.0.113.8:3478
  nonces       from a random secret of each start
  limits       8 allocations for each user
               5Mbit/s for each allocation
               10 unauthenticated answers/s for each source
               100 Binding answers/s for each source
  anonymous    listens on 10.0.0.5:3479 (UDP)
               reaches 10.0.0.7:5000-6000
               1000 allocations, 16 for each source
  peers        public addresses; private and special ones are refused
               allowed: 10.0.0.0/8
gateway
  listens on   0.0.0.0:8080 (HTTP)
  backend      http://127.0.0.1:8000
  keys         1 (app)
  limits       50/s requests for each client, 100 at once
               10/s refused keys for each source, 100 at once
               3 sessions for each user
  body limit   256KiB
admin
  listens on   127.0.0.1:9090
log
  writes       text from level debug
environment
  sets         TURNPIKE_LOG_LEVEL
";

    #[test]
    fn tells_what_a_shared_port_serves() {
        let explained = |tls: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            let config = "[turn]\nlisten_tcp = [\"0.0.0.0:443\"]\n[gateway]\nlisten = \"0.0.0.0:443\"\n";
            std::fs::write(file.path(), format!("{config}{tls}")).unwrap();
            let written = config::read(file.path(), std::iter::empty()).unwrap();
            super::explain(&written, &written.resolve().unwrap(), UNIX_EPOCH).unwrap()
        };
        let pair = "certificate = \"a\"\nprivate_key = \"b\"\n";
        for (tls, scheme) in [
            (String::new(), "HTTP"),
            (format!("[turn.tls]\n{pair}"), "HTTP and HTTPS"),
            (format!("[gateway.tls]\n{pair}"), "HTTPS"),
        ] {
            let line = format!("  listens on   0.0.0.0:443 ({scheme}), shared with the relay\n");
            assert!(explained(&tls).contains(&line), "{tls}");
        }
    }

    #[test]
    fn explains_without_showing_secrets() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), CONFIG).unwrap();
        let env = [("TURNPIKE_LOG_LEVEL".into(), "debug".into())];
        let written = config::read(file.path(), env.into_iter()).unwrap();
        let settings = written.resolve().unwrap();
        assert_eq!(super::explain(&written, &settings, UNIX_EPOCH).unwrap(), EXPLAINED);
    }
}
