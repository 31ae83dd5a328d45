//! `Backend`: one backend with its settings, its connections and what is known of it.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use http::HeaderValue;
use tokio::time::Instant;

use super::client::{Clients, clients};
use super::settings::{BackendSettings, BackendTimeouts, KeyToBackend};
use super::standing::Standing;
use super::view::BackendView;
use crate::tls::{Certificate, ClientTls, TlsError};

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) settings: BackendSettings,
    pub(super) standing: Arc<Standing>,
    timeouts: BackendTimeouts,
    own_key: Option<HeaderValue>,
    clients: RwLock<Clients>,
    /// What the client was made of; also the lock under which the files are looked at.
    tls: Mutex<Option<ClientTls>>,
}

impl Backend {
    /// Takes the connections of `before` over, if they lead to the same place in the same way.
    pub(super) fn new(
        settings: BackendSettings,
        timeouts: BackendTimeouts,
        standing: Arc<Standing>,
        before: Option<&Self>,
    ) -> Result<Self, TlsError> {
        let tls = load(&settings)?;
        let kept = before.filter(|before| before.leads_to(&settings, &timeouts, tls.as_ref()));
        let clients = match kept {
            Some(before) => before.clients(),
            None => clients(&settings, &timeouts, tls.as_ref()),
        };
        let own_key = own_key(&settings.key);
        Ok(Self {
            settings,
            standing,
            timeouts,
            own_key,
            clients: RwLock::new(clients),
            tls: Mutex::new(tls),
        })
    }

    /// What requests are sent with.
    pub(super) fn clients(&self) -> Clients {
        // A poisoned lock guards a whole value: it is exchanged in one piece.
        self.clients.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key that shows the backend that it is us.
    pub(super) fn own_key(&self) -> Option<&HeaderValue> {
        self.own_key.as_ref()
    }

    /// Whether the backend checks the clients' keys itself.
    pub(super) fn checks_keys(&self) -> bool {
        self.settings.key == KeyToBackend::Forwarded
    }

    /// Whether there are files that may change.
    pub(super) fn has_tls_files(&self) -> bool {
        self.settings.tls.ca_file.is_some() || self.settings.tls.identity.is_some()
    }

    /// The certificate that the backend is shown.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        tls.as_ref().and_then(|tls| tls.certificate().cloned())
    }

    /// Reads the TLS files again, and connects anew from now on if they have other contents, which is returned.
    ///
    /// An error leaves everything as it is: it may be that only one of the files has been replaced yet.
    pub(super) fn reload_tls(&self) -> Result<bool, TlsError> {
        let mut tls = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = load(&self.settings)?;
        if is_same(tls.as_ref(), loaded.as_ref()) {
            return Ok(false);
        }
        let clients = clients(&self.settings, &self.timeouts, loaded.as_ref());
        *self.clients.write().unwrap_or_else(PoisonError::into_inner) = clients;
        *tls = loaded;
        Ok(true)
    }

    pub(super) fn view(&self, now: Instant) -> BackendView {
        let (state, ejected_for) = self.standing.state(now);
        BackendView {
            name: self.settings.name.clone(),
            url: self.settings.url.to_string(),
            weight: self.settings.weight,
            state,
            ejected_for,
            sessions: self.standing.sessions(),
            requests: self.standing.requests(),
            last_failure: self.standing.last_failure(),
        }
    }

    fn leads_to(
        &self,
        settings: &BackendSettings,
        timeouts: &BackendTimeouts,
        tls: Option<&ClientTls>,
    ) -> bool {
        let known = self.tls.lock().unwrap_or_else(PoisonError::into_inner);
        self.settings.url == settings.url
            && self.settings.tls == settings.tls
            && self.settings.server_name == settings.server_name
            && self.timeouts == *timeouts
            && is_same(known.as_ref(), tls)
    }
}

fn own_key(key: &KeyToBackend) -> Option<HeaderValue> {
    match key {
        KeyToBackend::Stripped | KeyToBackend::Forwarded => None,
        KeyToBackend::Own(key) => {
            let mut value =
                HeaderValue::from_str(key.expose()).expect("the settings have printable ASCII only");
            value.set_sensitive(true);
            Some(value)
        }
    }
}

fn load(settings: &BackendSettings) -> Result<Option<ClientTls>, TlsError> {
    settings.url.is_secure().then(|| ClientTls::load(&settings.tls, wall_clock())).transpose()
}

fn is_same(one: Option<&ClientTls>, other: Option<&ClientTls>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_same_as(other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[expect(clippy::disallowed_methods, reason = "the gateway owns a clock; certificates expire by the wall's")]
pub(super) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::gateway::BackendUrl;
    use crate::telemetry::Metrics;

    #[tokio::test]
    async fn connects_anew_once_its_files_have_other_contents() {
        let folder = TempDir::new().unwrap();
        let issuers = folder.path().join("ca.crt");
        let issue = || {
            let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
            fs::write(&issuers, issued.cert.pem()).unwrap();
        };
        issue();
        let mut settings = BackendSettings::new("a", BackendUrl::parse("https://localhost").unwrap());
        settings.tls.ca_file = Some(issuers.clone());
        let standing = Arc::new(Standing::new("a", Metrics::new().backends().of("a")));
        let backend = Backend::new(settings, BackendTimeouts::default(), standing, None).unwrap();
        assert!(backend.has_tls_files());

        assert!(!backend.reload_tls().unwrap());
        fs::write(&issuers, "").unwrap();
        assert!(matches!(backend.reload_tls(), Err(TlsError::NoCertificate { .. })));
        issue();
        assert!(backend.reload_tls().unwrap());
        assert!(!backend.reload_tls().unwrap());
    }
}
