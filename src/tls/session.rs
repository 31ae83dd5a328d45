//! `TlsSession`: one client's TLS, which holds no buffer while nothing is under way.
//!
//! rustls offers its state machine with buffers and without; the one with them keeps 4 KiB for each idle client.

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, UnbufferedStatus, WriteTraffic,
};

/// How far TLS has come on a connection that one part gives to another.
#[derive(Debug)]
pub enum Protection {
    /// There is none.
    None,
    /// The client has begun it.
    Begun,
    /// It is agreed upon.
    Agreed(Box<TlsSession>),
}

/// TLS with one client.
pub struct TlsSession {
    connection: UnbufferedServerConnection,
    /// What came and is not done with: the beginning of a record, or of a message in several. rustls remembers places
    /// in it, so it must see these very bytes again whenever it is asked for something.
    unread: Vec<u8>,
    /// Records for the client.
    pending: Vec<u8>,
    /// How much of them is sent.
    sent: usize,
    /// Whether the client has said goodbye.
    is_over: bool,
    /// After a failure rustls is asked for nothing more.
    has_failed: bool,
}

impl TlsSession {
    /// Begins with a client that has said nothing yet.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(Self {
            connection,
            unread: Vec::new(),
            pending: Vec::new(),
            sent: 0,
            is_over: false,
            has_failed: false,
        })
    }

    /// Whether client and server have not agreed yet.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the client has said goodbye, and sends no more.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether records wait to be sent.
    pub fn has_pending(&self) -> bool {
        self.sent < self.pending.len()
    }

    /// Reads records, and hands what they protected to `take`; returns whether the client said goodbye.
    ///
    /// After an error only [`flush`](Self::flush) makes sense, which tells the client.
    pub fn receive(&mut self, records: &mut [u8], take: impl FnMut(&[u8])) -> Result<bool, rustls::Error> {
        if !self.unread.is_empty() {
            self.unread.extend_from_slice(records);
            if self.unread.len() > MAX_UNREAD_LEN {
                return Err(rustls::Error::General("a message longer than any handshake needs".into()));
            }
            return self.process_unread(take);
        }
        // Mostly whole records come, which are read where they are.
        let (read, result) = process(&mut self.connection, &mut self.pending, records, take);
        self.unread.extend_from_slice(&records[read..]);
        self.noted(result)
    }

    /// Protects bytes for the client, unless records wait; returns how many.
    pub fn protect(&mut self, slices: &[IoSlice<'_>]) -> Result<usize, rustls::Error> {
        // What TLS itself has to say, such as new keys, goes first.
        self.process_unread(|_| ())?;
        if self.has_pending() {
            return Ok(0);
        }
        let taken = self.write(|traffic, pending| {
            let mut taken = 0;
            // Records cannot be dropped any more, so there are never many of them.
            for slice in slices {
                if pending.len() >= MAX_PENDING_LEN {
                    break;
                }
                encrypt(traffic, slice, pending);
                taken += slice.len();
            }
            taken
        })?;
        Ok(taken.unwrap_or(0))
    }

    /// Sends the records that wait, as far as the client takes them.
    pub fn flush(&mut self, mut socket: impl Write) -> io::Result<()> {
        while self.has_pending() {
            match socket.write(&self.pending[self.sent..]) {
                Ok(len) => self.sent += len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        (self.pending, self.sent) = (Vec::new(), 0);
        Ok(())
    }

    /// Makes the last record, unless a failure made it already.
    pub fn say_goodbye(&mut self) {
        // Who closes need not know why nothing can be said.
        let _ = self.write(|traffic, pending| {
            let start = pending.len();
            pending.resize(start + MAX_ALERT_LEN, 0);
            let len = traffic.queue_close_notify(&mut pending[start..]).unwrap_or(0);
            pending.truncate(start + len);
        });
    }

    /// Lets something be written, if it can be now.
    fn write<T>(
        &mut self,
        act: impl FnOnce(&mut WriteTraffic<'_, ServerConnectionData>, &mut Vec<u8>) -> T,
    ) -> Result<Option<T>, rustls::Error> {
        self.process_unread(|_| ())?;
        let UnbufferedStatus { discard, state } = self.connection.process_tls_records(&mut self.unread);
        let result = state.map(|state| {
            let ConnectionState::WriteTraffic(mut traffic) = state else {
                return None;
            };
            Some(act(&mut traffic, &mut self.pending))
        });
        self.unread.drain(..discard);
        self.checked(result)
    }

    fn process_unread(&mut self, take: impl FnMut(&[u8])) -> Result<bool, rustls::Error> {
        if self.has_failed {
            return Err(rustls::Error::General("TLS has failed before".into()));
        }
        let (read, result) = process(&mut self.connection, &mut self.pending, &mut self.unread, take);
        self.unread.drain(..read);
        if self.unread.is_empty() {
            self.unread = Vec::new();
        }
        self.noted(result)
    }

    /// Takes note of a goodbye or a failure.
    fn noted(&mut self, result: Result<bool, rustls::Error>) -> Result<bool, rustls::Error> {
        self.is_over |= matches!(result, Ok(true));
        self.checked(result)
    }

    /// Takes note of a failure, and of what is to be said about it.
    fn checked<T>(&mut self, result: Result<T, rustls::Error>) -> Result<T, rustls::Error> {
        if result.is_err() && !self.has_failed {
            self.has_failed = true;
            // While it has something to send, it gives that away before it looks at any bytes.
            while self.connection.wants_write() {
                match self.connection.process_tls_records(&mut []).state {
                    Ok(ConnectionState::EncodeTlsData(mut data)) => encode(&mut data, &mut self.pending),
                    Ok(ConnectionState::ReadTraffic(mut traffic)) => while traffic.next_record().is_some() {},
                    Ok(_) | Err(_) => break,
                }
            }
        }
        result
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession").field("is_handshaking", &self.is_handshaking()).finish_non_exhaustive()
    }
}

/// Has rustls do all that it can; returns how much of the buffer it is done with, and whether the client said goodbye.
fn process(
    connection: &mut UnbufferedServerConnection,
    pending: &mut Vec<u8>,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]),
) -> (usize, Result<bool, rustls::Error>) {
    let (mut read, mut is_over) = (0, false);
    loop {
        let UnbufferedStatus { discard, state } = connection.process_tls_records(&mut buffer[read..]);
        read += discard;
        let state = match state {
            Ok(state) => state,
            Err(error) => return (read, Err(error)),
        };
        match state {
            ConnectionState::ReadTraffic(mut traffic) => {
                while let Some(record) = traffic.next_record() {
                    match record {
                        Ok(record) => {
                            read += record.discard;
                            take(record.payload);
                        }
                        Err(error) => return (read, Err(error)),
                    }
                }
            }
            ConnectionState::EncodeTlsData(mut data) => encode(&mut data, pending),
            // They are transmitted, as far as rustls is concerned.
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::PeerClosed => is_over = true,
            // Early data is not offered, so none comes; other states are not in this version of rustls.
            ConnectionState::BlockedHandshake
            | ConnectionState::WriteTraffic(_)
            | ConnectionState::Closed
            | ConnectionState::ReadEarlyData(_)
            | _ => return (read, Ok(is_over)),
        }
    }
}

fn encode<Data>(data: &mut EncodeTlsData<'_, Data>, pending: &mut Vec<u8>) {
    let start = pending.len();
    loop {
        match data.encode(&mut pending[start..]) {
            Ok(len) => return pending.truncate(start + len),
            Err(EncodeError::InsufficientSize(error)) => pending.resize(start + error.required_size, 0),
            Err(EncodeError::AlreadyEncoded) => return,
        }
    }
}

fn encrypt<Data>(traffic: &mut WriteTraffic<'_, Data>, bytes: &[u8], pending: &mut Vec<u8>) {
    let start = pending.len();
    let records = bytes.len() / MAX_PLAINTEXT_LEN + 1;
    pending.resize(start + bytes.len() + records * RECORD_OVERHEAD, 0);
    loop {
        match traffic.encrypt(bytes, &mut pending[start..]) {
            Ok(len) => return pending.truncate(start + len),
            Err(EncryptError::InsufficientSize(error)) => pending.resize(start + error.required_size, 0),
            // After 2^64 records, which no client lives to see: nothing more is sent.
            Err(EncryptError::EncryptExhausted) => return pending.truncate(start),
        }
    }
}

/// The longest handshake message that rustls takes, and a record behind it.
const MAX_UNREAD_LEN: usize = (64 << 10) + (18 << 10);
/// Two full records: enough for each system call to be worth it.
const MAX_PENDING_LEN: usize = 32 << 10;
/// What a record can carry (RFC 8446 §5.1).
const MAX_PLAINTEXT_LEN: usize = 16 << 10;
/// Header, explicit nonce and tag of the longest kind.
const RECORD_OVERHEAD: usize = 32;
/// An alert of two bytes, protected.
const MAX_ALERT_LEN: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    fn configs() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![issued.cert.der().clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(issued.cert.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        (Arc::new(server), Arc::new(client))
    }

    fn records_of(client: &mut ClientConnection) -> Vec<u8> {
        let mut records = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut records).unwrap();
        }
        records
    }

    /// Moves what the session has for the client.
    fn deliver(session: &mut TlsSession, client: &mut ClientConnection) -> Option<rustls::Error> {
        let pending = std::mem::take(&mut session.pending);
        let mut rest = &pending[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            if let Err(error) = client.process_new_packets() {
                return Some(error);
            }
        }
        None
    }

    fn agreed(server: Arc<ServerConfig>, client: Arc<ClientConfig>) -> (TlsSession, ClientConnection) {
        let mut session = TlsSession::new(server).unwrap();
        let mut client = ClientConnection::new(client, ServerName::try_from("localhost").unwrap()).unwrap();
        while client.is_handshaking() || session.is_handshaking() {
            session.receive(&mut records_of(&mut client), |_| ()).unwrap();
            assert_eq!(deliver(&mut session, &mut client), None);
        }
        (session, client)
    }

    #[test]
    fn holds_no_buffer_between_records() {
        let (server, client) = configs();
        let (mut session, mut client) = agreed(server, client);
        client.writer().write_all(b"hello").unwrap();
        let mut records = records_of(&mut client);
        let mut plaintext = Vec::new();
        for byte in &mut records {
            // To be asked for something in the middle of a record must not confuse it.
            session.protect(&[IoSlice::new(b"x")]).unwrap();
            session.pending.clear();
            let is_over =
                session.receive(std::slice::from_mut(byte), |piece| plaintext.extend_from_slice(piece));
            assert!(!is_over.unwrap());
        }
        assert_eq!(plaintext, b"hello");
        assert_eq!((session.unread.capacity(), session.pending.len()), (0, 0));
    }

    #[test]
    fn a_failure_is_told_and_then_nothing_more_is_said() {
        let (server, client) = configs();
        let (mut session, mut client) = agreed(server, client);
        let error = session
            .receive(&mut [23, 3, 3, 0, 17, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7], |_| ());
        assert!(error.is_err());
        session.say_goodbye();
        assert!(session.protect(&[IoSlice::new(b"x")]).is_err());
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::BadRecordMac);
        assert_eq!(deliver(&mut session, &mut client), Some(alert));
    }

    proptest! {
        #[test]
        fn survives_any_beginning(
            kept in 0_usize..600,
            garbage in prop::collection::vec(any::<u8>(), 0..100),
            piece in 1_usize..700,
        ) {
            let (server, client) = configs();
            let mut client = ClientConnection::new(client, ServerName::try_from("localhost").unwrap()).unwrap();
            let mut records = records_of(&mut client);
            records.truncate(kept);
            records.extend_from_slice(&garbage);
            let mut session = TlsSession::new(server).unwrap();
            for piece in records.chunks_mut(piece) {
                if session.receive(piece, |_| ()).is_err() {
                    break;
                }
            }
            session.say_goodbye();
            prop_assert!(session.unread.len() <= records.len());
        }
    }
}
