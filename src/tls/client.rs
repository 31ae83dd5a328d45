//! Makes what rustls needs to be the client of a service.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

use super::certificate::read_chain;
use super::error::TlsError;

/// Trusts the issuers in a PEM file, or without one those that the system trusts.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let mut issuers = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let certificates = read_chain(path)?;
            if issuers.add_parsable_certificates(certificates).0 == 0 {
                return Err(TlsError::MalformedCertificate { path: path.to_owned() });
            }
        }
        None => {
            // Of the hundred or so, some may be in a form that rustls does not read.
            issuers.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if issuers.is_empty() {
                return Err(TlsError::NoIssuers);
            }
        }
    }
    Ok(trusting(issuers))
}

/// Trusts nobody: for a client that needs some configuration and speaks no TLS.
pub fn client_config_of_nobody() -> ClientConfig {
    trusting(RootCertStore::empty())
}

fn trusting(issuers: RootCertStore) -> ClientConfig {
    // Named, since another crate of the tree brings a second provider and rustls would then refuse to choose.
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has cipher suites for each default protocol version")
        .with_root_certificates(issuers)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
