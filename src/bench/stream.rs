//! `Stream`: a client's connection over TCP, through TLS or in the clear, that never waits once it is set up.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::error::BenchError;
use super::load::Trust;
use crate::wire::stream::{Cut, cut};

/// What TLS needs on the side of a client.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Stream {
    socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
    /// What came and has not been taken yet.
    unread: Vec<u8>,
    /// What the kernel has not taken yet.
    unsent: Vec<u8>,
}

impl Tls {
    pub(super) fn new(server: SocketAddr, trust: &Trust) -> Result<Self, BenchError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(BenchError::Tls)?;
        let (config, name) = match trust {
            Trust::Authorities { file, name } => {
                let refuse = |reason: String| BenchError::Authorities { file: file.clone(), reason };
                let mut roots = RootCertStore::empty();
                for certificate in
                    CertificateDer::pem_file_iter(file).map_err(|error| refuse(error.to_string()))?
                {
                    let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
                    roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(refuse("it holds no certificate in PEM".to_owned()));
                }
                let name = ServerName::try_from(name.clone())
                    .map_err(|_| refuse(format!("`{name}` is no name that a certificate can be for")))?;
                (builder.with_root_certificates(roots).with_no_client_auth(), name)
            }
            Trust::Anybody => {
                let verifier = Arc::new(TrustAnybody(provider));
                let config =
                    builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
                (config, ServerName::IpAddress(server.ip().into()))
            }
        };
        Ok(Self { config: Arc::new(config), name })
    }
}

impl Stream {
    /// Connects, and shakes hands if there is TLS.
    pub(super) fn connect(server: SocketAddr, tls: Option<&Tls>) -> io::Result<Self> {
        let mut socket = TcpStream::connect_timeout(&server, PATIENCE)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let tls = match tls {
            Some(Tls { config, name }) => {
                let mut connection =
                    ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
                connection.complete_io(&mut socket)?;
                Some(Box::new(connection))
            }
            None => None,
        };
        socket.set_nonblocking(true)?;
        Ok(Self { socket, tls, unread: Vec::new(), unsent: Vec::new() })
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Sends frames, padded already; false if there is no room for them, and then nothing of them is sent.
    pub(super) fn send(&mut self, frames: &[u8]) -> io::Result<bool> {
        if !self.has_sent_all()? {
            return Ok(false);
        }
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(frames)?,
            None => {
                let sent = would_block_is_zero(self.socket.write(frames))?;
                self.unsent.extend_from_slice(&frames[sent..]);
            }
        }
        self.has_sent_all()?;
        Ok(true)
    }

    /// Reads what has come, a bounded amount; false when there is nothing.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let before = self.unread.len();
        self.unread.resize(before + READ_LEN, 0);
        let result = match &mut self.tls {
            None => self.socket.read(&mut self.unread[before..]),
            Some(tls) => {
                // What is left of an earlier read comes first.
                let is_fresh = tls.read_tls(&mut self.socket);
                if is_fresh.is_ok() {
                    tls.process_new_packets().map_err(io::Error::other)?;
                }
                match tls.reader().read(&mut self.unread[before..]) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock && is_fresh.is_ok() => {
                        is_fresh.and_then(|len| if len == 0 { Ok(0) } else { Err(error) })
                    }
                    result => result,
                }
            }
        };
        self.unread.truncate(before + *result.as_ref().unwrap_or(&0));
        match result {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Tells of each whole frame that was read, without its padding.
    pub(super) fn take_frames(&mut self, mut take: impl FnMut(&[u8])) -> io::Result<()> {
        let mut next = 0;
        loop {
            match cut(&self.unread[next..]) {
                Cut::Frame { len, padded_len } => {
                    take(&self.unread[next..next + len]);
                    next += padded_len;
                }
                Cut::Need(_) => break,
                Cut::Garbage => return Err(io::Error::other("the server sends what is no frame of TURN")),
            }
        }
        self.unread.drain(..next);
        Ok(())
    }

    /// Takes the next frame, if a whole one has come.
    pub(super) fn next_frame(&mut self, frame: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            match cut(&self.unread) {
                Cut::Frame { len, padded_len } => {
                    frame.clear();
                    frame.extend_from_slice(&self.unread[..len]);
                    self.unread.drain(..padded_len);
                    return Ok(true);
                }
                Cut::Need(_) if self.read()? => {}
                Cut::Need(_) => return Ok(false),
                Cut::Garbage => return Err(io::Error::other("the server sends what is no frame of TURN")),
            }
        }
    }

    /// Gives the kernel what it has not taken; whether it has all of it now.
    fn has_sent_all(&mut self) -> io::Result<bool> {
        match &mut self.tls {
            None => {
                if !self.unsent.is_empty() {
                    let sent = would_block_is_zero(self.socket.write(&self.unsent))?;
                    self.unsent.drain(..sent);
                }
                Ok(self.unsent.is_empty())
            }
            Some(tls) => {
                while tls.wants_write() {
                    if would_block_is_zero(tls.write_tls(&mut self.socket))? == 0 {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }
}

fn would_block_is_zero(result: io::Result<usize>) -> io::Result<usize> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        result => result,
    }
}

/// Takes any certificate, as long as its owner signs the handshake.
#[derive(Debug)]
struct TrustAnybody(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// How long a server may take for a connection or a step of the handshake.
const PATIENCE: Duration = Duration::from_secs(5);
/// A burst of video packets.
const READ_LEN: usize = 64 << 10;
