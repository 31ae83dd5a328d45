//! `CertificateStore`: the certificate that is served now, which can be exchanged while clients are served.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::certificate::{self, Certificate, CertificateFiles};
use super::error::TlsError;

/// The certificate of one server.
pub struct CertificateStore {
    files: CertificateFiles,
    alpn_protocols: Vec<Vec<u8>>,
    provider: Arc<CryptoProvider>,
    serving: RwLock<Serving>,
}

/// One certificate with all that clients agreed upon under it.
///
/// The whole configuration is exchanged and not the key alone: it holds the sessions that clients may resume, and who
/// resumes is shown no certificate. With a configuration of its own, no session outlives its certificate.
#[derive(Clone)]
struct Serving {
    chain: Vec<CertificateDer<'static>>,
    certificate: Certificate,
    config: Arc<ServerConfig>,
    lets_resume: bool,
}

impl CertificateStore {
    /// Reads, checks and prepares a certificate for TLS 1.2 and 1.3 with the given ALPN protocols, the preferred one
    /// first.
    ///
    /// `now` decides whether the certificate is valid.
    pub fn load(
        files: &CertificateFiles,
        alpn_protocols: &[&[u8]],
        now: SystemTime,
    ) -> Result<Self, TlsError> {
        // Named, since another crate of the tree brings a second provider and rustls would then refuse to choose.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let alpn_protocols: Vec<_> = alpn_protocols.iter().map(|&protocol| protocol.to_vec()).collect();
        let (certified, certificate) = certificate::read(files, &provider, now)?;
        let serving = Serving::new(&provider, certified, certificate, &alpn_protocols);
        Ok(Self { files: files.clone(), alpn_protocols, provider, serving: RwLock::new(serving) })
    }

    /// What the next client is served with. Clients that are connected keep what they have.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.serving().config)
    }

    /// The certificate that is served now.
    pub fn certificate(&self) -> Certificate {
        self.serving().certificate.clone()
    }

    /// Reads the files again, and serves the certificate in them from now on if it is another one, which is returned.
    ///
    /// An error leaves the present certificate: it may be that only one of the files has been replaced yet. An expired
    /// one is served on too, since there is no better, but then each client is shown it and can refuse it: no session
    /// is resumed any more.
    pub fn reload(&self, now: SystemTime) -> Result<Option<Certificate>, TlsError> {
        let serving = self.serving().clone();
        if serving.certificate.is_expired(now) && serving.lets_resume {
            self.exchange(serving.clone().without_resumption());
        }
        let (certified, certificate) = certificate::read(&self.files, &self.provider, now)?;
        // Only one key belongs to a certificate, so the same chain is the same pair.
        if certified.cert == serving.chain {
            return Ok(None);
        }
        self.exchange(Serving::new(&self.provider, certified, certificate.clone(), &self.alpn_protocols));
        Ok(Some(certificate))
    }

    fn serving(&self) -> RwLockReadGuard<'_, Serving> {
        // A poisoned lock guards a whole value: it is exchanged in one piece.
        self.serving.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchange(&self, serving: Serving) {
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = serving;
    }
}

impl Serving {
    fn new(
        provider: &Arc<CryptoProvider>,
        certified: CertifiedKey,
        certificate: Certificate,
        alpn_protocols: &[Vec<u8>],
    ) -> Self {
        let chain = certified.cert.clone();
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has cipher suites for each default protocol version")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = alpn_protocols.to_vec();
        Self { chain, certificate, config: Arc::new(config), lets_resume: true }
    }

    fn without_resumption(self) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Self { config: Arc::new(config), lets_resume: false, ..self }
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateStore").field("files", &self.files).finish_non_exhaustive()
    }
}
