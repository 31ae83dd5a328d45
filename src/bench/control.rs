//! `Control`: what a client asks of the server, before and after packets flow.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::error::BenchError;
use super::link::Link;
use super::load::{Access, Credential};
use super::stream::Tls;
use crate::secret::Secret;
use crate::turn::credential::rest_password;
use crate::wire::attribute::{
    CHANNEL_NUMBER, LIFETIME, NONCE, REALM, REQUESTED_TRANSPORT, TRANSPORT_UDP, USERNAME, XOR_PEER_ADDRESS,
    XOR_RELAYED_ADDRESS,
};
use crate::wire::{Class, Key, Message, MessageWriter, Method, TransactionId};

/// A client that authenticates itself.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) link: Link,
    server: SocketAddr,
    username: String,
    password: Secret,
    /// The server's realm, and the key that it makes of the password.
    realm: Option<(Vec<u8>, Key)>,
    nonce: Vec<u8>,
    transaction: u64,
    request: Vec<u8>,
    answer: Vec<u8>,
}

/// Writes the attributes of a request.
pub(super) type Write<'w> = &'w dyn for<'b> Fn(MessageWriter<'b>) -> MessageWriter<'b>;

impl Control {
    /// A client of this number, with a socket or a connection of its own.
    pub(super) fn open(access: &Access, tls: Option<&Tls>, number: usize) -> Result<Self, BenchError> {
        let (username, password) = match &access.credential {
            Credential::User { name, password } => (name.clone(), password.clone()),
            Credential::SharedSecret(secret) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                let name = format!("{}:bench-{number}", now + CREDENTIAL_LIFETIME.as_secs());
                let password = rest_password(secret, name.as_bytes());
                (name, password)
            }
        };
        Ok(Self {
            link: Link::open(access, tls)?,
            server: access.server,
            username,
            password,
            realm: None,
            nonce: Vec::new(),
            transaction: (number as u64) << 32,
            request: Vec::new(),
            answer: Vec::new(),
        })
    }

    /// Allocates; returns the relayed address.
    pub(super) fn allocate(&mut self) -> Result<SocketAddr, BenchError> {
        self.ask(Method::Allocate, &allocate)?;
        let relayed = Message::parse(&self.answer).ok().and_then(|it| it.find_address(XOR_RELAYED_ADDRESS));
        relayed.flatten().ok_or_else(|| self.senseless(Method::Allocate, "XOR-RELAYED-ADDRESS"))
    }

    /// Binds a channel to a peer.
    pub(super) fn bind(&mut self, channel: u16, peer: SocketAddr) -> Result<(), BenchError> {
        let [high, low] = channel.to_be_bytes();
        self.ask(Method::ChannelBind, &|writer| {
            writer.bytes(CHANNEL_NUMBER, &[high, low, 0, 0]).address(XOR_PEER_ADDRESS, peer)
        })
    }

    /// Lets a peer send.
    pub(super) fn permit(&mut self, peer: SocketAddr) -> Result<(), BenchError> {
        self.ask(Method::CreatePermission, &|writer| writer.address(XOR_PEER_ADDRESS, peer))
    }

    /// Ends the allocation.
    pub(super) fn end(&mut self) -> Result<(), BenchError> {
        self.ask(Method::Refresh, &end)
    }

    /// Asks, and once more when the server says how to authenticate; the answer then lies in `answer`.
    fn ask(&mut self, method: Method, write: Write<'_>) -> Result<(), BenchError> {
        for _ in 0..MOST_CHALLENGES {
            self.send(method, write)?;
            if self.receive(method)? {
                return Ok(());
            }
        }
        Err(self.senseless(method, "an end of its challenges"))
    }

    /// Sends a request, signed as soon as the realm is known.
    pub(super) fn send(&mut self, method: Method, write: Write<'_>) -> Result<(), BenchError> {
        self.transaction += 1;
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.transaction.to_be_bytes());
        self.request.clear();
        let writer =
            write(MessageWriter::begin(&mut self.request, method, Class::Request, TransactionId(id)));
        if let Some((realm, key)) = &self.realm {
            let username = self.username.as_bytes();
            writer.bytes(USERNAME, username).bytes(REALM, realm).bytes(NONCE, &self.nonce).sign(key);
        }
        self.send_request()
    }

    /// Waits for the answer to what was just sent; false if it is a challenge, which the next request takes up.
    pub(super) fn receive(&mut self, method: Method) -> Result<bool, BenchError> {
        let server = self.server;
        let transaction = Message::parse(&self.request).map(|request| request.transaction());
        let mut patience = FIRST_PATIENCE;
        loop {
            // RFC 8489 §6.2.1: over UDP a request is sent again, each time after twice as long; a stream has one time-out.
            let wait = if self.link.is_lossy() { patience } else { LAST_PATIENCE };
            let received = self.link.receive(wait, &mut self.answer);
            if !received.map_err(|source| BenchError::Broken { server, source })? {
                if patience >= LAST_PATIENCE || !self.link.is_lossy() {
                    return Err(BenchError::NoAnswer { server, method });
                }
                patience *= 2;
                self.send_request()?;
                continue;
            }
            // What else comes are data of peers, and answers to what was sent again.
            if Message::parse(&self.answer).map(|answer| answer.transaction()) == transaction {
                return self.judge(method);
            }
        }
    }

    /// Whether the answer is a success; takes up what a challenge says.
    fn judge(&mut self, method: Method) -> Result<bool, BenchError> {
        let Ok(answer) = Message::parse(&self.answer) else {
            return Err(self.senseless(method, "a message"));
        };
        if answer.class() == Class::Success {
            return Ok(true);
        }
        let Some((code, reason)) = answer.error_code() else {
            return Err(self.senseless(method, "ERROR-CODE"));
        };
        let is_challenge = code == 438 || (code == 401 && self.realm.is_none());
        if !is_challenge {
            let reason = String::from_utf8_lossy(reason).into_owned();
            return Err(BenchError::Refused { server: self.server, method, code, reason });
        }
        let Some(nonce) = answer.find(NONCE) else { return Err(self.senseless(method, "NONCE")) };
        self.nonce.clear();
        self.nonce.extend_from_slice(nonce);
        if let Some(realm) = answer.find(REALM) {
            let text = String::from_utf8_lossy(realm);
            let key = Key::long_term(self.username.as_bytes(), &text, self.password.expose());
            self.realm = Some((realm.to_vec(), key));
        }
        match self.realm {
            Some(_) => Ok(false),
            None => Err(self.senseless(method, "REALM")),
        }
    }

    fn send_request(&mut self) -> Result<(), BenchError> {
        let server = self.server;
        self.link.send(server, &self.request).map_err(|source| BenchError::Broken { server, source })
    }

    fn senseless(&self, method: Method, what: &'static str) -> BenchError {
        BenchError::Senseless { server: self.server, method, what }
    }
}

/// What an Allocate request asks for.
pub(super) fn allocate(writer: MessageWriter<'_>) -> MessageWriter<'_> {
    writer.bytes(REQUESTED_TRANSPORT, &[TRANSPORT_UDP, 0, 0, 0])
}

/// What a Refresh request says that ends an allocation.
pub(super) fn end(writer: MessageWriter<'_>) -> MessageWriter<'_> {
    writer.u32(LIFETIME, 0)
}

/// A stale nonce and a second one, at most.
const MOST_CHALLENGES: usize = 4;
/// RFC 8489 §6.2.1: the first retransmission comes after half a second.
const FIRST_PATIENCE: Duration = Duration::from_millis(500);
/// After 500 ms, 1, 2 and 4 s nobody will answer.
const LAST_PATIENCE: Duration = Duration::from_secs(4);
/// Longer than any measurement.
const CREDENTIAL_LIFETIME: Duration = Duration::from_secs(3600);
