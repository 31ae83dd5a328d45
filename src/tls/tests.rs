//! A certificate is exchanged, or not; and what clients see of it.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ServerConfig;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConnection, SupportedProtocolVersion,
    version,
};
use tempfile::TempDir;

use super::*;

#[test]
fn offers_the_protocols() {
    let folder = TempDir::new().unwrap();
    let store =
        CertificateStore::load(&issue(&folder, "server"), &[b"h2", b"http/1.1"], year_2030()).unwrap();

    assert_eq!(store.config().alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
}

#[test]
fn the_next_client_sees_the_new_certificate() {
    let folder = TempDir::new().unwrap();
    let (files, store) = serve(&folder);
    let before = store.certificate();
    assert_eq!(store.reload(year_2030()).unwrap(), None);
    assert_eq!(client(&files).shown_by(&store.config()).unwrap(), der(&files));

    issue(&folder, "server");
    let after = store.reload(year_2030()).unwrap().unwrap();

    assert_ne!(after.serial, before.serial);
    assert_eq!(store.certificate(), after);
    assert_eq!(client(&files).shown_by(&store.config()).unwrap(), der(&files));
    assert_eq!(store.reload(year_2030()).unwrap(), None);
}

#[test]
fn whoever_is_in_the_middle_of_a_handshake_finishes_it_with_the_old_certificate() {
    let folder = TempDir::new().unwrap();
    let (files, store) = serve(&folder);
    let old_client = client(&files);
    let old = (store.config(), der(&files));

    issue(&folder, "server");
    store.reload(year_2030()).unwrap().unwrap();

    assert_eq!(old_client.shown_by(&old.0).unwrap(), old.1);
}

#[test]
fn keeps_the_old_certificate_until_the_new_pair_is_whole() {
    let folder = TempDir::new().unwrap();
    let (files, store) = serve(&folder);
    let old = store.certificate();
    let old_key = fs::read(&files.private_key).unwrap();

    issue(&folder, "server");
    let new_key = fs::read(&files.private_key).unwrap();
    fs::write(&files.private_key, &old_key).unwrap();
    assert!(matches!(store.reload(year_2030()), Err(TlsError::KeyMismatch { .. })));
    fs::write(&files.private_key, &new_key[..new_key.len() / 2]).unwrap();
    assert!(store.reload(year_2030()).is_err());
    fs::remove_file(&files.private_key).unwrap();
    assert!(matches!(store.reload(year_2030()), Err(TlsError::Missing { .. })));
    assert_eq!(store.certificate(), old);

    fs::write(&files.private_key, &new_key).unwrap();
    assert!(store.reload(year_2030()).unwrap().is_some());
}

#[test]
fn a_new_issuer_of_the_same_certificate_is_served_too() {
    let folder = TempDir::new().unwrap();
    let (files, store) = serve(&folder);
    let issuer = fs::read_to_string(issue(&folder, "issuer").certificate).unwrap();
    let chain = fs::read_to_string(&files.certificate).unwrap() + &issuer;

    fs::write(&files.certificate, chain).unwrap();

    assert_eq!(store.reload(year_2030()).unwrap(), Some(store.certificate()));
}

#[test]
fn no_session_outlives_its_certificate() {
    for version in [&version::TLS12, &version::TLS13] {
        let folder = TempDir::new().unwrap();
        let (files, store) = serve(&folder);
        let client = Client::new(&files, version);
        assert_eq!(client.connect(&store.config()).unwrap(), HandshakeKind::Full);
        assert_eq!(client.connect(&store.config()).unwrap(), HandshakeKind::Resumed);

        issue(&folder, "server");
        store.reload(year_2030()).unwrap().unwrap();

        // The client knows the old certificate only; a resumed session would have hidden the new one.
        assert!(client.connect(&store.config()).is_err(), "{version:?}");
    }
}

#[test]
fn no_session_is_resumed_under_an_expired_certificate() {
    for version in [&version::TLS12, &version::TLS13] {
        let folder = TempDir::new().unwrap();
        let (files, store) = serve(&folder);
        let client = Client::new(&files, version);
        assert_eq!(client.connect(&store.config()).unwrap(), HandshakeKind::Full);

        assert!(matches!(store.reload(year_2036()), Err(TlsError::Expired { .. })));

        for _ in 0..2 {
            assert_eq!(client.connect(&store.config()).unwrap(), HandshakeKind::Full, "{version:?}");
        }
    }
}

/// A store with a certificate of its own.
fn serve(folder: &TempDir) -> (CertificateFiles, CertificateStore) {
    let files = issue(folder, "server");
    let store = CertificateStore::load(&files, &[], year_2030()).unwrap();
    (files, store)
}

/// A client that trusts one certificate and lives in 2030.
struct Client(Arc<ClientConfig>);

fn client(files: &CertificateFiles) -> Client {
    Client::new(files, &version::TLS13)
}

#[expect(
    clippy::unwrap_in_result,
    reason = "a test fails by what it does not expect; the result is the client's"
)]
impl Client {
    fn new(files: &CertificateFiles, version: &'static SupportedProtocolVersion) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(der(files)).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_details(provider, Arc::new(Year2030))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    fn connect(&self, server: &Arc<ServerConfig>) -> Result<HandshakeKind, rustls::Error> {
        Ok(self.agree(server)?.handshake_kind().unwrap())
    }

    fn shown_by(&self, server: &Arc<ServerConfig>) -> Result<CertificateDer<'static>, rustls::Error> {
        Ok(self.agree(server)?.peer_certificates().unwrap()[0].clone().into_owned())
    }

    fn agree(&self, server: &Arc<ServerConfig>) -> Result<ClientConnection, rustls::Error> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        while client.wants_write() || server.wants_write() {
            let mut records = Vec::new();
            client.write_tls(&mut records).unwrap();
            server.read_tls(&mut &records[..]).unwrap();
            server.process_new_packets()?;
            let mut records = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut records).unwrap();
            }
            let mut records = &records[..];
            while !records.is_empty() {
                client.read_tls(&mut records).unwrap();
                client.process_new_packets()?;
            }
        }
        Ok(client)
    }
}

#[derive(Debug)]
struct Year2030;

impl rustls::time_provider::TimeProvider for Year2030 {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(year_2030().duration_since(UNIX_EPOCH).unwrap()))
    }
}

fn der(files: &CertificateFiles) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(&files.certificate).unwrap()
}

/// A self-signed certificate for the years 2025 to 2034, in files with this name.
pub(super) fn issue(folder: &TempDir, name: &str) -> CertificateFiles {
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

pub(super) fn year_2030() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(24 * 366 * 60)
}

fn year_2036() -> SystemTime {
    year_2030() + Duration::from_hours(24 * 366 * 6)
}
