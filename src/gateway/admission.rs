//! `Gate`: lets requests in by what their headers say, before a body is read: source, key, scope, client.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{Extensions, HeaderMap, StatusCode};
use tracing::debug;

use super::front::Origin;
use super::http::reject::Reject;
use super::keys::{Identity, Keyring, NamedKey, Refused, Scope};
use super::limits::{Exceeded, Limits, RateFields};
use super::settings::Settings;
use crate::telemetry::{GatewayMetrics, KeyMetrics, KeyRefusal, Metrics};

/// The keys and the limits of a gateway; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    pub(super) keyring: Arc<Keyring>,
    pub(super) limits: Arc<Limits>,
    metrics: GatewayMetrics,
    key_metrics: KeyMetrics,
}

/// A request that was let in.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) identity: Identity,
    limits: Arc<Limits>,
    rates: RateFields,
}

impl Gate {
    pub(super) fn new(settings: &Settings, metrics: &Metrics) -> Self {
        let keyring = Arc::new(Keyring::new(&settings.keys));
        let counts = metrics.access().keys();
        counts.keep(keyring.ids());
        counts.watch({
            let keyring = Arc::clone(&keyring);
            move || keyring.times()
        });
        let limits = Arc::new(Limits::new(&settings.limits, &settings.keys, metrics.access().clone()));
        Self { keyring, limits, metrics: metrics.gateway().clone(), key_metrics: counts.clone() }
    }

    /// Takes over other keys and limits. Keys that stay keep what is known of them, and limits that stay go on counting.
    pub(super) fn update(&self, settings: &Settings) {
        self.keyring.update(&settings.keys);
        self.key_metrics.keep(self.keyring.ids());
        self.limits.update(&settings.limits, &settings.keys);
    }

    /// Counts the answer to a request under its key, if that has a name.
    pub(super) fn answered(&self, named: &NamedKey, status: StatusCode) {
        if let Some(key) = named.get() {
            self.key_metrics.answered(key, status.as_u16());
        }
    }

    /// Gives up counts that nobody needs, for as long as it is polled.
    pub(super) async fn sweep(&self) -> Infallible {
        self.limits.sweep().await
    }

    /// Lets a request in that needs a key for a scope.
    pub(super) fn admit(&self, parts: &Parts, scope: Scope) -> Result<Admitted, Reject> {
        let source = source(&parts.extensions);
        let mut rates = RateFields::default();
        self.limits.take_source(source, &mut rates).map_err(reject)?;
        let identity = self.identify_for(scope, &parts.headers, source, parts.extensions.get())?;
        self.limits.take_client(&identity.client, &mut rates).map_err(reject)?;
        Ok(Admitted { identity, limits: Arc::clone(&self.limits), rates })
    }

    /// Lets an operator in, whom no limit on requests may keep out.
    pub(super) fn admit_operator(&self, headers: &HeaderMap, source: IpAddr) -> Result<(), Reject> {
        self.identify_for(Scope::Admin, headers, source, None).map(|_| ())
    }

    /// Lets a request in that takes nothing from a client: of a source, with any valid key if one is needed.
    pub(super) fn admit_probe(&self, parts: &Parts, needs_key: bool) -> Result<RateFields, Reject> {
        let source = source(&parts.extensions);
        let mut rates = RateFields::default();
        self.limits.take_source(source, &mut rates).map_err(reject)?;
        if needs_key {
            self.identify(&parts.headers, source, parts.extensions.get())?;
        }
        Ok(rates)
    }

    /// Whose key a request has that is for a scope.
    fn identify_for(
        &self,
        scope: Scope,
        headers: &HeaderMap,
        source: IpAddr,
        named: Option<&NamedKey>,
    ) -> Result<Identity, Reject> {
        let identity = self.identify(headers, source, named)?;
        if identity.may(scope) {
            return Ok(identity);
        }
        debug!(key = &*identity.key, scope = scope.label(), "key refused, since it is not for this");
        self.metrics.key_refused(KeyRefusal::OutOfScope);
        Err(Reject::Key(KeyRefusal::OutOfScope))
    }

    /// Whose key a request has.
    ///
    /// The limit on refused keys of a source is asked only when a key is refused. So nobody can lock out the others
    /// behind an address by sending wrong keys from it. It also means that a guess is always tried: the limit is no
    /// defence against guessing, which the length of keys is, but it tells clients with old keys to come back later.
    fn identify(
        &self,
        headers: &HeaderMap,
        source: IpAddr,
        named: Option<&NamedKey>,
    ) -> Result<Identity, Reject> {
        let found = self.keyring.identify(headers, now());
        let key = found.as_ref().map_or_else(|refused| refused.key.as_ref(), |identity| Some(&identity.key));
        if let (Some(named), Some(key)) = (named, key) {
            named.set(key);
        }
        found.map_err(|Refused { cause, key }| {
            self.metrics.key_refused(cause);
            debug!(cause = cause.label(), key = key.as_deref(), "key refused");
            match cause {
                // Nothing was tried.
                KeyRefusal::Missing | KeyRefusal::Ambiguous => Reject::Key(cause),
                KeyRefusal::Unknown
                | KeyRefusal::NotYetValid
                | KeyRefusal::Expired
                | KeyRefusal::Revoked
                | KeyRefusal::OutOfScope => match self.limits.take_refused_key(source) {
                    Ok(()) => Reject::Key(cause),
                    Err(exceeded) => reject(exceeded),
                },
            }
        })
    }
}

impl Admitted {
    /// Counts an offer of a user of the client, once it is known whose it is.
    pub(super) fn take_user(&mut self, user_id: &str) -> Result<(), Reject> {
        let taken = self.limits.take_user(&self.identity.client, user_id, &mut self.rates);
        taken.map_err(reject)
    }

    /// Tells the client in an answer, whichever it is, what is left of the limits.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        self.rates.write(headers);
    }
}

/// The address that a request comes from.
pub(super) fn source(extensions: &Extensions) -> IpAddr {
    extensions.get::<Origin>().map_or(UNKNOWN, |origin| origin.client.ip().to_canonical())
}

fn reject(exceeded: Exceeded) -> Reject {
    debug!(limit = exceeded.what().label(), "request refused, since there were too many");
    Reject::RateLimited(exceeded)
}

#[expect(clippy::disallowed_methods, reason = "the gateway owns a clock; keys expire by the wall's")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// The address of a request that came by no connection, as only tests make them.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
