//! Makes what rustls needs to be the client of a service.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use super::certificate::{self, Certificate, CertificateFiles, read_chain};
use super::error::TlsError;

/// The files of a client that may have to show who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFiles {
    /// The issuers that are trusted, as PEM; without it those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The client's own certificate and key; without them it shows none.
    pub identity: Option<CertificateFiles>,
}

/// What a client got out of its files.
#[derive(Debug, Clone)]
pub struct ClientTls {
    config: ClientConfig,
    certificate: Option<Certificate>,
    /// Whom the file of issuers names.
    issuers: Vec<CertificateDer<'static>>,
    /// Only one key belongs to a certificate, so the same chain is the same pair.
    chain: Vec<CertificateDer<'static>>,
}

impl ClientTls {
    /// Reads and checks the files. `now` decides whether the client's certificate is valid.
    pub fn load(files: &ClientFiles, now: SystemTime) -> Result<Self, TlsError> {
        let issuers = match &files.ca_file {
            Some(path) => read_chain(path)?,
            None => Vec::new(),
        };
        let trusted = match &files.ca_file {
            Some(path) => trusted(path, issuers.clone())?,
            None => trusted_by_the_system()?,
        };
        let Some(identity) = &files.identity else {
            let config = trusting(trusted).with_no_client_auth();
            return Ok(Self { config, certificate: None, issuers, chain: Vec::new() });
        };
        let (certified, certificate) = certificate::read(identity, &aws_lc_rs::default_provider(), now)?;
        let chain = certified.cert.clone();
        let resolver = Arc::new(SingleCertAndKey::from(certified));
        let config = trusting(trusted).with_client_cert_resolver(resolver);
        Ok(Self { config, certificate: Some(certificate), issuers, chain })
    }

    /// What rustls takes.
    pub fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// What the client shows.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Whether both came from the same contents.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.issuers == other.issuers && self.chain == other.chain
    }
}

/// Trusts the issuers in a PEM file, or without one those that the system trusts.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let issuers = match ca_file {
        Some(path) => trusted(path, read_chain(path)?)?,
        None => trusted_by_the_system()?,
    };
    Ok(trusting(issuers).with_no_client_auth())
}

/// Trusts nobody: for a client that needs some configuration and speaks no TLS.
pub fn client_config_of_nobody() -> ClientConfig {
    trusting(RootCertStore::empty()).with_no_client_auth()
}

/// Whether a certificate can be checked for a name: a host's, or an IP address.
pub fn is_server_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}

fn trusted(path: &Path, certificates: Vec<CertificateDer<'static>>) -> Result<RootCertStore, TlsError> {
    let mut issuers = RootCertStore::empty();
    if issuers.add_parsable_certificates(certificates).0 == 0 {
        return Err(TlsError::MalformedCertificate { path: path.to_owned() });
    }
    Ok(issuers)
}

fn trusted_by_the_system() -> Result<RootCertStore, TlsError> {
    let mut issuers = RootCertStore::empty();
    // Of the hundred or so, some may be in a form that rustls does not read.
    issuers.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if issuers.is_empty() { Err(TlsError::NoIssuers) } else { Ok(issuers) }
}

fn trusting(issuers: RootCertStore) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    // Named, since another crate of the tree brings a second provider and rustls would then refuse to choose.
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has cipher suites for each default protocol version")
        .with_root_certificates(issuers)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::tls::tests::{issue, year_2030};

    #[test]
    fn says_what_is_wrong_with_a_file_of_issuers() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = client_config(Some(file.path())).unwrap_err();
        assert!(matches!(error, TlsError::NoCertificate { .. }), "{error}");
        let error = client_config(Some(Path::new("/nowhere/ca.pem"))).unwrap_err();
        assert!(matches!(error, TlsError::Missing { .. }), "{error}");
    }

    #[test]
    fn trusts_the_issuers_of_a_file() {
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), key.cert.pem()).unwrap();
        assert!(client_config(Some(file.path())).is_ok());
    }

    #[test]
    fn notices_new_contents_of_the_same_files() {
        let folder = TempDir::new().unwrap();
        let identity = issue(&folder, "client");
        let files = ClientFiles { ca_file: Some(identity.certificate.clone()), identity: Some(identity) };
        let before = ClientTls::load(&files, year_2030()).unwrap();
        assert!(before.is_same_as(&ClientTls::load(&files, year_2030()).unwrap()));
        assert_eq!(before.certificate().unwrap().expiry(), "Jan  1 00:00:00 2035 +00:00");

        issue(&folder, "client");

        assert!(!before.is_same_as(&ClientTls::load(&files, year_2030()).unwrap()));
    }

    #[test]
    fn knows_names_of_servers() {
        for (name, is_name) in [("gpu-1.internal", true), ("10.0.0.7", true), ("a b", false), ("", false)] {
            assert_eq!(is_server_name(name), is_name, "{name}");
        }
    }

    #[test]
    fn shows_no_certificate_unless_it_has_one() {
        let folder = TempDir::new().unwrap();
        let files = ClientFiles { ca_file: Some(issue(&folder, "ca").certificate), identity: None };

        let tls = ClientTls::load(&files, year_2030()).unwrap();

        assert!(tls.certificate().is_none() && !tls.config().client_auth_cert_resolver.has_certs());
    }
}
