//! Clients that come over TCP and TLS.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use tempfile::TempDir;
use turnpike::tls::CertificateFiles;
use turnpike::wire::stream::{Cut, cut};

use crate::support::*;

/// A stream that is cut into frames.
pub(crate) struct Frames<S> {
    pub(crate) stream: S,
    unread: Vec<u8>,
    /// What goes out with the next message.
    appendix: Vec<u8>,
}

/// A stream through TLS.
pub(crate) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl<S: Read + Write> Frames<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new(), appendix: Vec::new() }
    }

    /// Has these bytes follow the next message at once.
    pub(crate) fn append_to_next(&mut self, bytes: &[u8]) {
        self.appendix.extend_from_slice(bytes);
    }

    /// The stream, and what came on it behind the last frame.
    pub(crate) fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.unread)
    }

    /// The next frame with its padding.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        loop {
            match cut(&self.unread) {
                Cut::Frame { padded_len, .. } => return self.unread.drain(..padded_len).collect(),
                Cut::Need(_) => {}
                Cut::Garbage => panic!("the stream fell out of step: {:?}", &self.unread[..4]),
            }
            let mut buffer = [0; 4096];
            let len = self.stream.read(&mut buffer).expect("a frame within five seconds");
            assert!(len > 0, "the server closed the connection");
            self.unread.extend_from_slice(&buffer[..len]);
        }
    }

    /// Waits until the server closes the connection, and returns what it sent before that.
    pub(crate) fn wait_for_end(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.unread);
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            // What the server had not read yet makes its goodbye a reset.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the server did not close the connection: {error}"),
        }
        rest
    }
}

impl<S: Read + Write> Link for Frames<S> {
    fn send(&mut self, _: SocketAddr, message: &[u8]) {
        let mut padded = message.to_vec();
        padded.resize(message.len().next_multiple_of(4), 0);
        padded.append(&mut self.appendix);
        self.stream.write_all(&padded).unwrap();
    }

    fn receive(&mut self, _: SocketAddr) -> Vec<u8> {
        self.next()
    }
}

/// A connection that gives up after five seconds.
pub(crate) fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Alice over TCP.
pub(crate) fn over_tcp(server: SocketAddr) -> Client<Frames<TcpStream>> {
    Client::on(Frames::new(connect(server)), server)
}

/// A certificate of its own for a server on loopback, in files as Kubernetes mounts them: links through a link to the
/// folder of their present version.
pub(crate) struct Certificate {
    folder: TempDir,
    versions: usize,
    /// The one that clients trust.
    trusted: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        for name in ["tls.crt", "tls.key"] {
            symlink(Path::new("..data").join(name), folder.path().join(name)).unwrap();
        }
        let trusted = CertificateDer::from(Vec::new());
        let mut certificate = Self { folder, versions: 0, trusted };
        certificate.renew();
        certificate
    }

    /// Puts another certificate in its place, which alone is trusted from now on.
    pub(crate) fn renew(&mut self) {
        let issued = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        self.put(&issued.cert.pem(), &issued.signing_key.serialize_pem());
        self.trusted = issued.cert.der().clone();
    }

    /// Puts files in their place that are no certificate.
    pub(crate) fn spoil(&mut self) {
        self.put("no certificate", "no key");
    }

    fn put(&mut self, certificate: &str, key: &str) {
        self.versions += 1;
        let version = format!("..version-{}", self.versions);
        let folder = self.folder.path();
        std::fs::create_dir(folder.join(&version)).unwrap();
        std::fs::write(folder.join(&version).join("tls.crt"), certificate).unwrap();
        std::fs::write(folder.join(&version).join("tls.key"), key).unwrap();
        symlink(&version, folder.join("..data_tmp")).unwrap();
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    }

    /// Where it and its key lie.
    pub(crate) fn files(&self) -> CertificateFiles {
        let path = |name| self.folder.path().join(name);
        CertificateFiles { certificate: path("tls.crt"), private_key: path("tls.key") }
    }

    /// A configuration with TLS.
    pub(crate) fn config(&self) -> String {
        let tls = format!("listen_tcp = [\"127.0.0.1:0\"]\n{}[turn.peers]", self.section("turn"));
        CONFIG.replace("[turn.peers]", &tls)
    }

    /// The section that names the files.
    pub(crate) fn section(&self, owner: &str) -> String {
        let CertificateFiles { certificate, private_key } = self.files();
        format!("[{owner}.tls]\ncertificate = {certificate:?}\nprivate_key = {private_key:?}\n")
    }

    /// A handshake that is still to be done, on a connection that may have been used before.
    pub(crate) fn client(
        &self,
        stream: TcpStream,
        versions: &[&'static SupportedProtocolVersion],
        alpn_protocols: &[&[u8]],
    ) -> TlsStream {
        let config = self.client_config(versions, alpn_protocols);
        let name = ServerName::try_from("127.0.0.1").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
    }

    /// What a client knows that trusts the certificate.
    pub(crate) fn client_config(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        alpn_protocols: &[&[u8]],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.trusted.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn_protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }

    /// Alice over TLS.
    pub(crate) fn over_tls(&self, server: SocketAddr) -> Client<Frames<TlsStream>> {
        Client::on(Frames::new(self.client(connect(server), rustls::ALL_VERSIONS, &[])), server)
    }
}
