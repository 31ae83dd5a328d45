//! From the values of the file to the settings of the rooms; checks what types cannot, and reports all of it.

mod access_log;
mod auth_hook;
mod backends;
mod credentials;
mod embedded;
mod front;
mod gateway;
mod ice_servers;
mod keys;
mod peers;
mod records;
mod traces;
mod turn;

use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::addresses::ListenAddress;
use super::error::{Cause, ConfigError, ConfigErrors};
use super::place::Places;
use super::schema::{Log, LogFormat, LoggedAddresses, LoggedUserIds, MetricsTable, OtherServer, Schema, Tls};
use super::secrets::Source;
use super::{Settings, Written, warning};
use crate::secret::Secret;
use crate::telemetry::CompatibleWith;
use crate::tls::CertificateFiles;
use crate::{relay, telemetry};

/// Checks the rules and makes the settings.
pub(super) fn resolve(written: &Written) -> Result<Settings, ConfigErrors> {
    let schema = &written.schema;
    let mut rules =
        Rules { places: &written.places, folder: &written.folder, errors: ConfigErrors::default() };
    let turn = turn::turn(&schema.turn, &mut rules);
    let alternates = turn::alternates(&schema.turn, &mut rules);
    let relay = turn::relay(&schema.turn, &schema.gateway, &mut rules);
    let auth_hook = auth_hook::auth_hook(&schema.turn.auth_hook, &mut rules);
    let gateway = gateway::gateway(&schema.gateway, &schema.log, &turn, &relay, &mut rules);
    let admin = gateway::admin(&schema.admin, &mut rules);
    let embedded = embedded::embedded(&schema.embedded, &mut rules);
    let records = records::records(&schema.records, &mut rules);
    let traces = traces::traces(&schema.traces, &mut rules);
    let telemetry = telemetry(&schema.log, &schema.metrics, &mut rules);
    separate_listeners(schema, &relay, &mut rules);
    if !rules.errors.is_empty() {
        return Err(rules.errors);
    }
    let settings = Settings {
        warnings: warning::find(schema, &turn.peer_policy, &gateway),
        embedded: gateway.backends.has_embedded().then_some(embedded),
        turn,
        alternates,
        auth_hook,
        relay,
        gateway,
        admin,
        records,
        telemetry,
        traces,
        values: written.values.clone(),
    };
    Ok(settings)
}

/// Collects what the rules refuse.
struct Rules<'a> {
    places: &'a Places,
    folder: &'a Path,
    errors: ConfigErrors,
}

impl Rules<'_> {
    fn refuse(&mut self, key: &str, cause: Cause) {
        self.errors.push(ConfigError::new(self.places.of(key), cause).of(key));
    }

    fn in_range<T: PartialOrd + Display>(&mut self, key: &str, value: &T, range: RangeInclusive<T>) {
        if !range.contains(value) {
            let (least, most) = (range.start().to_string(), range.end().to_string());
            self.refuse(key, Cause::OutOfRange { value: value.to_string(), least, most });
        }
    }

    /// The secret, unless it is missing or refused. `section` is the key of the table that it stands in.
    fn secret(&mut self, section: &str, source: &Source<'_>) -> Option<Secret> {
        source.read(self.folder).unwrap_or_else(|cause| {
            let key = if source.value.is_some() && source.file.is_some() {
                section.to_owned()
            } else {
                format!("{section}.{}", source.written_key())
            };
            self.refuse(&key, cause);
            None
        })
    }

    /// A secret without which its section makes no sense.
    fn required(&mut self, section: &str, source: &Source<'_>) -> Option<Secret> {
        if !source.is_given() {
            self.refuse(section, Cause::NeitherGiven { key: source.key });
        }
        self.secret(section, source)
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }
}

/// Remembers values that must be unique, each with the key that had it first.
struct Unique<T>(HashMap<T, String>);

impl<T: std::hash::Hash + Eq> Unique<T> {
    fn new() -> Self {
        Self(HashMap::new())
    }

    /// The key that had the value before.
    fn claim(&mut self, value: T, key: &str) -> Option<String> {
        let first = self.0.entry(value).or_insert_with(|| key.to_owned());
        (first != key).then(|| first.clone())
    }
}

fn telemetry(log: &Log, metrics: &MetricsTable, rules: &mut Rules<'_>) -> telemetry::Settings {
    let log_format = match log.format {
        LogFormat::Text => telemetry::LogFormat::Text,
        LogFormat::Json => telemetry::LogFormat::Json,
    };
    let mut known = Unique::new();
    for (index, other) in metrics.compat.iter().enumerate() {
        let key = format!("metrics.compat[{index}]");
        if let Some(first) = known.claim(*other, &key) {
            rules.refuse(&key, Cause::Duplicate { value: "coturn".to_owned(), first });
        }
    }
    let compatible_with = metrics.compat.iter().map(|OtherServer::Coturn| CompatibleWith::Coturn).collect();
    let shown_addresses = match log.addresses {
        LoggedAddresses::Full => telemetry::ShownAddresses::Full,
        LoggedAddresses::Short => telemetry::ShownAddresses::Short,
        LoggedAddresses::Hash => telemetry::ShownAddresses::Hash,
    };
    let shown_user_ids = match log.user_ids {
        LoggedUserIds::Full => telemetry::ShownUserIds::Full,
        LoggedUserIds::Hash => telemetry::ShownUserIds::Hash,
    };
    // The filter's own parser takes a misspelt level for the name of a target.
    let is_level = |part: &str| LEVELS.contains(&part.trim().to_ascii_lowercase().as_str());
    let all_known = log.level.split(',').all(|part| is_level(part) || part.contains('='));
    match telemetry::LogFilter::parse(&log.level) {
        Ok(log_filter) if all_known => {
            telemetry::Settings { log_format, log_filter, shown_addresses, shown_user_ids, compatible_with }
        }
        Ok(_) | Err(_) => {
            rules.refuse("log.level", Cause::LogLevel(log.level.clone()));
            telemetry::Settings::default()
        }
    }
}

/// Certificate and key of a section, which come together or not at all.
fn certificate(section: &str, written: &Tls, rules: &mut Rules<'_>) -> Option<CertificateFiles> {
    match (&written.certificate, &written.private_key) {
        (Some(certificate), Some(private_key)) => Some(CertificateFiles {
            certificate: rules.path(certificate),
            private_key: rules.path(private_key),
        }),
        (Some(_), None) => {
            rules.refuse(&format!("{section}.private_key"), Cause::HalfTls);
            None
        }
        (None, Some(_)) => {
            rules.refuse(&format!("{section}.certificate"), Cause::HalfTls);
            None
        }
        (None, None) => None,
    }
}

/// No two listeners of one protocol may want one port of one address, unless the gateway shares the very address with the
/// relay.
fn separate_listeners(schema: &Schema, relay: &relay::Settings, rules: &mut Rules<'_>) {
    let mut claim = |key: &str, listen: SocketAddr, taken: &[SocketAddr], first: &str| {
        if taken.iter().any(|&taken| collide(taken, listen)) {
            let (value, first) = (listen.to_string(), first.to_owned());
            let may_share = key == "gateway.listen" && first == "turn.listen_tcp";
            rules.refuse(
                key,
                match may_share {
                    true => Cause::AddressOverlaps { value, first },
                    false => Cause::AddressTaken { value, first },
                },
            );
        }
    };
    for (index, &listen) in relay.anonymous.listen.iter().enumerate() {
        claim(&format!("turn.anonymous.listen[{index}]"), listen, &relay.listen, "turn.listen");
    }
    for (index, &listen) in relay.anonymous.listen_tcp.iter().enumerate() {
        claim(&format!("turn.anonymous.listen_tcp[{index}]"), listen, &relay.listen_tcp, "turn.listen_tcp");
    }
    for (key, listen) in [("gateway.listen", &schema.gateway.listen), ("admin.listen", &schema.admin.listen)]
    {
        let is_shared = key == "gateway.listen" && relay.http.is_some();
        if !is_shared {
            claim(key, listen.0, &relay.listen_tcp, "turn.listen_tcp");
        }
        claim(key, listen.0, &relay.anonymous.listen_tcp, "turn.anonymous.listen_tcp");
    }
    if collide(schema.gateway.listen.0, schema.admin.listen.0) {
        let cause =
            Cause::AddressTaken { value: schema.admin.listen.to_string(), first: "gateway.listen".into() };
        rules.refuse("admin.listen", cause);
    }
}

/// Whether only one of two sockets can have its address. `0.0.0.0` and `[::]` go together: the second is IPv6 only.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_host = a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified();
    a.is_ipv4() == b.is_ipv4() && a.port() != 0 && a.port() == b.port() && same_host
}

/// The listeners of one kind are unique; every worker shares each of them.
fn listeners(key: &str, listen: &[ListenAddress], rules: &mut Rules<'_>) -> Vec<SocketAddr> {
    for (index, address) in listen.iter().enumerate() {
        let taken = listen[..index].iter().position(|earlier| collide(earlier.0, address.0));
        if let Some(first) = taken {
            let cause = Cause::AddressTaken { value: address.to_string(), first: format!("{key}[{first}]") };
            rules.refuse(&format!("{key}[{index}]"), cause);
        }
    }
    listen.iter().map(|address| address.0).collect()
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
