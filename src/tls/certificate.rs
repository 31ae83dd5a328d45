//! Reads a certificate and its key from PEM files and checks that they can be served now.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use super::error::TlsError;

/// The PEM files of one certificate; both may be the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The server's certificate, followed by the certificates of its issuers.
    pub certificate: PathBuf,
    /// The certificate's private key, not encrypted: PKCS#8, PKCS#1 or SEC1.
    pub private_key: PathBuf,
}

/// What people know a certificate by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whose it is.
    pub subject: String,
    /// Its number at its issuer, in hexadecimal digits.
    pub serial: String,
    validity: Validity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Validity {
    not_before: ASN1Time,
    not_after: ASN1Time,
}

impl Certificate {
    /// When it ceases to be valid, for people.
    pub fn expiry(&self) -> String {
        self.validity.not_after.to_string()
    }

    /// When it ceases to be valid.
    pub fn expires_at(&self) -> SystemTime {
        let seconds = u64::try_from(self.validity.not_after.timestamp()).unwrap_or(0);
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Whether its time has passed.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        unix_seconds(now) > self.validity.not_after.timestamp()
    }

    fn parse(path: &Path, certificate: &CertificateDer<'_>) -> Result<Self, TlsError> {
        let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
            return Err(TlsError::MalformedCertificate { path: path.to_owned() });
        };
        let validity = parsed.validity();
        Ok(Self {
            subject: parsed.subject().to_string(),
            serial: parsed.raw_serial_as_string(),
            validity: Validity { not_before: validity.not_before, not_after: validity.not_after },
        })
    }

    fn check_validity(&self, path: &Path, now: SystemTime) -> Result<(), TlsError> {
        let path = path.to_owned();
        if unix_seconds(now) < self.validity.not_before.timestamp() {
            return Err(TlsError::NotYetValid { path, not_before: self.validity.not_before.to_string() });
        }
        if self.is_expired(now) {
            return Err(TlsError::Expired { path, not_after: self.expiry() });
        }
        Ok(())
    }
}

/// Reads a certificate with its key, which are checked against each other and against the present time.
pub(super) fn read(
    files: &CertificateFiles,
    provider: &CryptoProvider,
    now: SystemTime,
) -> Result<(CertifiedKey, Certificate), TlsError> {
    let chain = read_chain(&files.certificate)?;
    let certificate = Certificate::parse(&files.certificate, &chain[0])?;
    certificate.check_validity(&files.certificate, now)?;
    let certified = certified_key(files, provider, chain)?;
    Ok((certified, certificate))
}

fn certified_key(
    files: &CertificateFiles,
    provider: &CryptoProvider,
    chain: Vec<CertificateDer<'static>>,
) -> Result<CertifiedKey, TlsError> {
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
pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
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

/// A clock before 1970 is wrong; such a machine sees every certificate as not yet valid.
fn unix_seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() as i64
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::tls::tests::{issue, year_2030};

    #[test]
    fn tells_whose_certificate_it_is_and_when_it_expires() {
        let folder = TempDir::new().unwrap();

        let certificate = load(&issue(&folder, "server"), year_2030()).unwrap();

        assert_eq!(certificate.subject, "CN=rcgen self signed cert");
        assert_eq!(certificate.expiry(), "Jan  1 00:00:00 2035 +00:00");
        assert_eq!(certificate.expires_at(), UNIX_EPOCH + Duration::from_secs(2_051_222_400));
        assert!(!certificate.is_expired(certificate.expires_at()));
        assert!(certificate.is_expired(certificate.expires_at() + Duration::from_secs(1)));
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

        load(&files, year_2030()).unwrap();
    }

    #[test]
    fn refuses_a_missing_file_and_names_it() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.private_key = folder.path().join("none.key");

        let error = load(&files, year_2030()).unwrap_err();

        assert!(matches!(&error, TlsError::Missing { path } if *path == files.private_key), "{error}");
        assert!(error.to_string().ends_with("none.key: no such file; check the path"), "{error}");
    }

    #[test]
    fn refuses_a_folder_in_place_of_a_file() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.certificate = folder.path().to_owned();

        assert!(matches!(load(&files, year_2030()), Err(TlsError::Unreadable { .. })));
    }

    #[test]
    fn refuses_a_file_without_a_certificate() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.certificate = files.private_key.clone();

        assert!(matches!(load(&files, year_2030()), Err(TlsError::NoCertificate { .. })));
    }

    #[test]
    fn refuses_a_file_without_a_key() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.private_key = files.certificate.clone();

        assert!(matches!(load(&files, year_2030()), Err(TlsError::NoPrivateKey { .. })));
    }

    #[test]
    fn refuses_cut_pem() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");
        let whole = fs::read_to_string(&files.certificate).unwrap();
        fs::write(&files.certificate, &whole[..whole.len() / 2]).unwrap();

        assert!(matches!(load(&files, year_2030()), Err(TlsError::NotPem { .. })));
    }

    #[test]
    fn refuses_pem_that_holds_no_x509() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");
        fs::write(&files.certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();

        assert!(matches!(load(&files, year_2030()), Err(TlsError::MalformedCertificate { .. })));
    }

    #[test]
    fn refuses_a_key_that_is_no_key() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");
        fs::write(&files.private_key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
            .unwrap();

        assert!(matches!(load(&files, year_2030()), Err(TlsError::UnusableKey { .. })));
    }

    #[test]
    fn refuses_the_key_of_another_certificate() {
        let folder = TempDir::new().unwrap();
        let mut files = issue(&folder, "server");
        files.private_key = issue(&folder, "other").private_key;

        assert!(matches!(load(&files, year_2030()), Err(TlsError::KeyMismatch { .. })));
    }

    #[test]
    fn refuses_a_certificate_outside_its_time() {
        let folder = TempDir::new().unwrap();
        let files = issue(&folder, "server");

        let expired = load(&files, year_2030() + Duration::from_hours(24 * 366 * 10)).unwrap_err();
        let early = load(&files, UNIX_EPOCH).unwrap_err();

        assert!(matches!(expired, TlsError::Expired { .. }), "{expired}");
        assert!(expired.to_string().contains("server.crt: expired at "), "{expired}");
        assert!(matches!(early, TlsError::NotYetValid { .. }), "{early}");
    }

    fn load(files: &CertificateFiles, now: SystemTime) -> Result<Certificate, TlsError> {
        read(files, &rustls::crypto::aws_lc_rs::default_provider(), now).map(|(_, certificate)| certificate)
    }
}
