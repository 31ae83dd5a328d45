//! `ClientHello`: what a client with TLS asks for, read before TLS is begun with it.

use rustls::server::Acceptor;

/// What the first bytes of a client with TLS tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientHello {
    /// More must come.
    Incomplete,
    /// The whole message has come.
    Complete {
        /// The protocols that the client would like to speak, by their ALPN names; empty if it does not say.
        protocols: Vec<Vec<u8>>,
    },
    /// No server can begin with it.
    Malformed,
}

impl ClientHello {
    /// Reads the beginning of a stream, of which more may come later. The stream is to be given to TLS as a whole then.
    pub fn peek(stream: &[u8]) -> Self {
        let mut acceptor = Acceptor::default();
        let mut unread = stream;
        while !unread.is_empty() {
            if acceptor.read_tls(&mut unread).is_err() {
                return Self::Malformed;
            }
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    let protocols = accepted.client_hello().alpn();
                    let protocols = protocols.into_iter().flatten().map(<[u8]>::to_vec).collect();
                    return Self::Complete { protocols };
                }
                Err(_) => return Self::Malformed,
            }
        }
        Self::Incomplete
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    use super::*;

    /// What a client sends first, in records of at most so many bytes.
    pub(crate) fn hello(protocols: &[&[u8]], record_len: Option<usize>) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config.max_fragment_size = record_len;
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut records = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut records).unwrap();
        }
        records
    }

    #[test]
    fn tells_the_protocols_once_the_last_byte_has_come() {
        // One record, and one of several.
        for record_len in [None, Some(100)] {
            for protocols in [&[][..], &[b"h2" as &[u8], b"http/1.1"], &[b"stun.turn"]] {
                let hello = hello(protocols, record_len);
                let protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
                for len in 0..hello.len() {
                    assert_eq!(ClientHello::peek(&hello[..len]), ClientHello::Incomplete, "{len}");
                }
                assert_eq!(ClientHello::peek(&hello), ClientHello::Complete { protocols });
            }
        }
    }

    #[test]
    fn tells_what_is_none() {
        for stream in
            [&[22, 3, 1, 0, 4, 1, 0, 0, 0][..], &[22, 3, 1, 0, 4, 2, 0, 0, 0], &[22, 3, 1, 0xff, 0xff]]
        {
            assert_eq!(ClientHello::peek(stream), ClientHello::Malformed, "{stream:?}");
        }
        assert_eq!(ClientHello::peek(&[22]), ClientHello::Incomplete);
    }

    proptest! {
        #[test]
        fn survives_any_beginning(kept in 0_usize..600, garbage in prop::collection::vec(any::<u8>(), 0..9000)) {
            let mut stream = hello(&[b"h2"], None);
            stream.truncate(kept);
            stream.extend_from_slice(&garbage);
            ClientHello::peek(&stream);
        }
    }
}
