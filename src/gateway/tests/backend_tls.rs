//! A backend that is spoken to over TLS, and that wants to see who speaks.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::harness::{OFFER, Running, start};
use crate::gateway::{BackendUrl, BackendsSettings};
use crate::tls::{CertificateFiles, ClientFiles};

#[tokio::test]
async fn trusts_the_issuers_of_a_file_and_shows_a_certificate() {
    let ca = Ca::new();
    let backend = ca.backend("inference.internal").await;
    let gateway = gateway(&ca.settings(backend, "inference.internal", true)).await;

    let answer = gateway.offer(&[], OFFER).await;

    assert_eq!((answer.status, &answer.body[..]), (200, &b"secure"[..]));
    let text = gateway.metrics.exposition().unwrap();
    assert!(
        text.contains("turnpike_gateway_backend_certificate_expiry_timestamp_seconds{backend=\"default\"} ")
    );
}

#[tokio::test]
async fn speaks_to_nobody_with_another_name_or_issuer_or_that_it_shows_no_certificate() {
    let (ca, other) = (Ca::new(), Ca::new());
    let backend = ca.backend("inference.internal").await;
    let wrong_name = ca.settings(backend, "other.internal", true);
    let wrong_issuer = other.settings(backend, "inference.internal", true);
    let host_of_the_url = {
        let mut settings = ca.settings(backend, "", true);
        settings.backends[0].server_name = None;
        settings
    };
    for settings in [wrong_name, wrong_issuer, host_of_the_url] {
        gateway(&settings).await.offer(&[], OFFER).await.assert_problem(502, "backend_unreachable");
    }
    // Of TLS 1.3 the server tells only after the handshake that it wanted a certificate.
    let unknown = gateway(&ca.settings(backend, "inference.internal", false)).await;
    assert_eq!(unknown.offer(&[], OFFER).await.status, 502);
}

#[tokio::test]
async fn goes_on_with_the_files_that_are_there_when_it_is_told_to() {
    let ca = Ca::new();
    let backend = ca.backend("inference.internal").await;
    let settings = ca.settings(backend, "inference.internal", true);
    let gateway = gateway(&settings).await;
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);

    let key = fs::read(&ca.client_files().private_key).unwrap();
    fs::write(&ca.client_files().private_key, "").unwrap();
    assert!(gateway.backends.update(&settings).is_err());
    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    fs::write(&ca.client_files().private_key, key).unwrap();
    ca.issue_client();
    gateway.backends.update(&settings).unwrap();

    assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
}

async fn gateway(backends: &BackendsSettings) -> Running {
    start(SocketAddr::from(([127, 0, 0, 1], 1)), |settings| settings.backends = backends.clone()).await
}

/// An issuer, and the folder with what it issued.
struct Ca {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.crt"), issuer.pem()).unwrap();
        let ca = Self { folder, issuer };
        ca.issue_client();
        ca
    }

    fn settings(&self, backend: SocketAddr, name: &str, shows: bool) -> BackendsSettings {
        let url = BackendUrl::parse(&format!("https://{backend}")).unwrap();
        let mut settings = BackendsSettings::of_one(url);
        settings.backends[0].server_name = Some(name.to_owned());
        settings.backends[0].tls =
            ClientFiles { ca_file: Some(self.path("ca.crt")), identity: shows.then(|| self.client_files()) };
        settings
    }

    fn issue_client(&self) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["gateway".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = self.client_files();
        fs::write(files.certificate, certificate.pem()).unwrap();
        fs::write(files.private_key, key.serialize_pem()).unwrap();
    }

    fn client_files(&self) -> CertificateFiles {
        CertificateFiles { certificate: self.path("client.crt"), private_key: self.path("client.key") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Answers each connection that shows a certificate of this issuer with one answer.
    async fn backend(&self, name: &str) -> SocketAddr {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut text = Vec::new();
                    while !text.ends_with(OFFER.as_bytes()) {
                        if stream.read_buf(&mut text).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nsecure";
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        address
    }
}
