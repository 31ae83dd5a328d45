//! Loads a certificate and its key from PEM files and checks that they can be served now.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerConfig;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::error::TlsError;

/// The PEM files of one certificate; both may be the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The server's certificate, followed by the certificates of its issuers.
    pub certificate: PathBuf,
    /// The certificate's private key, not encrypted: PKCS#8, PKCS#1 or SEC1.
    pub private_key: PathBuf,
}

/// Reads, checks and prepares a certificate for TLS 1.2 and 1.3 with the given ALPN protocols, the preferred one first.
///
/// `now` decides whether the certificate is valid.
pub fn load(
    files: &CertificateFiles,
    alpn_protocols: &[&[u8]],
    now: SystemTime,
) -> Result<Arc<ServerConfig>, TlsError> {
    // Named, since another crate of the tree brings a second provider and rustls would then refuse to choose.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let certified = certified_key(files, &provider, now)?;
    Ok(Arc::new(server_config(provider, certified, alpn_protocols)))
}

fn server_config(
    provider: Arc<CryptoProvider>,
    certified: CertifiedKey,
    alpn_protocols: &[&[u8]],
) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has cipher suites for each default protocol version")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = alpn_protocols.iter().map(|&protocol| protocol.to_vec()).collect();
    config
}

fn certified_key(
    files: &CertificateFiles,
    provider: &CryptoProvider,
    now: SystemTime,
) -> Result<CertifiedKey, TlsError> {
    let chain = read_chain(&files.certificate)?;
    check_validity(&files.certificate, &chain[0], now)?;
    let key = read_key(&files.private_key)?;
    let key = provider
        .key_provider
        .load_private_key(key)
        .map_err(|source| TlsError::UnusableKey { path: files.private_key.clone(), source })?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        // Unknown: a kind of key whose public half rustls cannot ask for. Nothing speaks against the pair.
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::KeyMismatch {
            certificate: files.certificate.clone(),
            private_key: files.private_key.clone(),
        }),
        Err(source) => Err(TlsError::Refused { path: files.certificate.clone(), source }),
    }
}

/// The certificates of a file, at least one.
fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(|certificates| certificates.collect::<Result<Vec<_>, _>>())
        .map_err(|error| read_error(path, error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        if matches!(error, pem::Error::NoItemsFound) {
            return TlsError::NoPrivateKey { path: path.to_owned() };
        }
        read_error(path, error)
    })
}

fn read_error(path: &Path, error: pem::Error) -> TlsError {
    let path = path.to_owned();
    let pem::Error::Io(source) = error else {
        return TlsError::NotPem { path, source: error };
    };
    if source.kind() == io::ErrorKind::NotFound {
        return TlsError::Missing { path };
    }
    TlsError::Unreadable { path, source }
}

fn check_validity(path: &Path, certificate: &CertificateDer<'_>, now: SystemTime) -> Result<(), TlsError> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Err(TlsError::MalformedCertificate { path: path.to_owned() });
    };
    let validity = parsed.validity();
    // A clock before 1970 is wrong; such a machine sees every certificate as not yet valid.
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64;
    if now < validity.not_before.timestamp() {
        return Err(TlsError::NotYetValid {
            path: path.to_owned(),
            not_before: validity.not_before.to_string(),
        });
    }
    if now > validity.not_after.timestamp() {
        return Err(TlsError::Expired { path: path.to_owned(), not_after: validity.not_after.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn loads_a_certificate_and_offers_the_protocols() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");

        let config = load(&files, &[b"h2", b"http/1.1"], year_2030()).unwrap();

        assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }

    #[test]
    fn loads_both_from_one_file() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");
        let both = fs::read_to_string(&files.private_key).unwrap()
            + &fs::read_to_string(&files.certificate).unwrap();
        fs::write(&files.certificate, both).unwrap();
        let files =
            CertificateFiles { private_key: files.certificate.clone(), certificate: files.certificate };

        load(&files, &[], year_2030()).unwrap();
    }

    #[test]
    fn refuses_a_missing_file_and_names_it() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.private_key = folder.path().join("none.key");

        let error = load(&files, &[], year_2030()).unwrap_err();

        assert!(matches!(&error, TlsError::Missing { path } if *path == files.private_key), "{error}");
        assert!(error.to_string().ends_with("none.key: no such file; check the path"), "{error}");
    }

    #[test]
    fn refuses_a_folder_in_place_of_a_file() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.certificate = folder.path().to_owned();

        assert!(matches!(load(&files, &[], year_2030()), Err(TlsError::Unreadable { .. })));
    }

    #[test]
    fn refuses_a_file_without_a_certificate() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.certificate = files.private_key.clone();

        assert!(matches!(load(&files, &[], year_2030()), Err(TlsError::NoCertificate { .. })));
    }

    #[test]
    fn refuses_a_file_without_a_key() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.private_key = files.certificate.clone();

        assert!(matches!(load(&files, &[], year_2030()), Err(TlsError::NoPrivateKey { .. })));
    }

    #[test]
    fn refuses_cut_pem() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");
        let whole = fs::read_to_string(&files.certificate).unwrap();
        fs::write(&files.certificate, &whole[..whole.len() / 2]).unwrap();

        assert!(matches!(load(&files, &[], year_2030()), Err(TlsError::NotPem { .. })));
    }

    #[test]
    fn refuses_pem_that_holds_no_x509() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");
        fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();

        assert!(matches!(load(&files, &[], year_2030()), Err(TlsError::MalformedCertificate { .. })));
    }

    #[test]
    fn refuses_a_key_that_is_no_key() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");
        fs::write(&files.private_key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
            .unwrap();

        assert!(matches!(load(&files, &[], year_2030()), Err(TlsError::UnusableKey { .. })));
    }

    #[test]
    fn refuses_the_key_of_another_certificate() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.private_key = issue(&folder, "other").private_key;

        assert!(matches!(load(&files, &[], year_2030()), Err(TlsError::KeyMismatch { .. })));
    }

    #[test]
    fn refuses_a_certificate_outside_its_time() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");

        let expired = load(&files, &[], year_2030() + Duration::from_hours(24 * 366 * 10)).unwrap_err();
        let early = load(&files, &[], UNIX_EPOCH).unwrap_err();

        assert!(matches!(expired, TlsError::Expired { .. }), "{expired}");
        assert!(expired.to_string().contains("server.crt: expired at "), "{expired}");
        assert!(matches!(early, TlsError::NotYetValid { .. }), "{early}");
    }

    /// A self-signed certificate for the years 2025 to 2035.
    fn issue(folder: &TempDir, name: &str) -> CertificateFiles {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2035, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let files = CertificateFiles {
            certificate: folder.path().join(format!("{name}.crt")),
            private_key: folder.path().join(format!("{name}.key")),
        };
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.private_key, key.serialize_pem()).unwrap();
        files
    }

    fn year_2030() -> SystemTime {
        UNIX_EPOCH + Duration::from_hours(24 * 366 * 60)
    }
}
