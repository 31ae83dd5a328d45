//! The codec against the vectors of RFC 5769 and against webrtc-rs's own.

use std::net::SocketAddr;

use proptest::prelude::*;
use stun::message::{Getter, Setter};

use super::attribute::*;
use super::*;

/// RFC 5769 §2.1: a Binding request with short-term credentials.
const SAMPLE_REQUEST: &[u8] =
    b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\
    \x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\x00\x06\x00\x09evtj:h6vY\x20\x20\x20\
    \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
    \x80\x28\x00\x04\xe5\x7a\x3b\xcf";

/// RFC 5769 §2.2: its answer with an IPv4 address.
const SAMPLE_RESPONSE: &[u8] =
    b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x0btest vector\x20\x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
    \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
    \x80\x28\x00\x04\xc0\x7d\x4c\x96";

/// RFC 5769 §2.4: a request with long-term credentials.
const SAMPLE_LONG_TERM: &[u8] =
    b"\x00\x01\x00\x60\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
    \x00\x06\x00\x12\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9\x00\x00\
    \x00\x15\x00\x1cf//499k954d6OL34oL9FSTvy64sA\x00\x14\x00\x0bexample.org\x00\
    \x00\x08\x00\x14\xf6\x70\x24\x65\x6d\xd6\x4a\x3e\x02\xb8\xe0\x71\x2e\x85\xc9\xa2\x8c\xa8\x96\x66";

/// RFC 8489 §B.1 as erratum 6268 corrects it: a request with a hidden user name and SHA-256.
const SAMPLE_SHA256: &[u8] =
    b"\x00\x01\x00\x90\x21\x12\xa4\x42\x78\xad\x34\x33\xc6\xad\x72\xc0\x29\xda\x41\x2e\
    \x00\x1e\x00\x20\x4a\x3c\xf3\x8f\xef\x69\x92\xbd\xa9\x52\xc6\x78\x04\x17\xda\x0f\
    \x24\x81\x94\x15\x56\x9e\x60\xb2\x05\xc4\x6e\x41\x40\x7f\x17\x04\
    \x00\x15\x00\x29obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA\x00\x00\x00\
    \x00\x14\x00\x0bexample.org\x00\x00\x1d\x00\x04\x00\x02\x00\x00\
    \x00\x1c\x00\x20\xb5\xc7\xbf\x00\x5b\x6c\x52\xa2\x1c\x51\xc5\xe8\x92\xf8\x19\x24\
    \x13\x62\x96\xcb\x92\x7c\x43\x14\x93\x09\x27\x8c\xc6\x51\x8e\x65";

// RFC 8489 §9.2.2, §14.4, §14.6, §18.5
#[test]
fn reads_the_sample_request_of_rfc8489() {
    let message = Message::parse(SAMPLE_SHA256).unwrap();
    let name = "マトリックス";
    assert_eq!(message.find(USERHASH), Some(&integrity::user_hash(name, "example.org")[..]));
    assert_eq!(message.find(PASSWORD_ALGORITHM), Some(&[0, 2, 0, 0][..]));
    assert_eq!(message.integrity(), Some(Integrity::Sha256));
    let key = LongTermKey::derive(PasswordAlgorithm::Sha256, name.as_bytes(), "example.org", "TheMatrIX");
    assert!(message.is_protected_by(&key));
    let md5 = LongTermKey::derive(PasswordAlgorithm::Md5, name.as_bytes(), "example.org", "TheMatrIX");
    assert!(!message.is_protected_by(&md5));
}

// RFC 8489 §9.2.2
#[test]
fn derives_the_sample_key_of_rfc8489() {
    // RFC 8489 §9.2.2.
    let key =
        [0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb];
    let mut bytes = Vec::new();
    MessageWriter::begin(&mut bytes, Method::Refresh, Class::Request, TransactionId([1; 12]))
        .sign(&Key::long_term(b"user", "realm", "pass"));
    assert!(Message::parse(&bytes).unwrap().is_protected_by(&LongTermKey::new(Integrity::Sha1, &key)));
}

/// A request whose MESSAGE-INTEGRITY-SHA256 keeps this many bytes.
fn shortened(key: &[u8], length: usize) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    let mut bytes = Vec::new();
    MessageWriter::begin(&mut bytes, Method::Refresh, Class::Request, TransactionId([1; 12]))
        .bytes(USERNAME, b"alice");
    let padded = length.next_multiple_of(4);
    bytes[3] = (bytes.len() - 20 + 4 + padded) as u8;
    let mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap().chain_update(&bytes).finalize().into_bytes();
    bytes.extend_from_slice(&[0, 0x1c, 0, length as u8]);
    bytes.extend(mac.iter().copied().chain([0; 8]).take(length));
    bytes.resize(bytes.len() + padded - length, 0);
    bytes
}

// RFC 8489 §14.6
#[test]
fn a_shortened_sha256_has_16_to_32_bytes_in_steps_of_four() {
    let key = Key::new(Integrity::Sha256, b"key");
    for length in 0..=40 {
        let bytes = shortened(b"key", length);
        let message = Message::parse(&bytes).unwrap();
        let is_sound = (16..=32).contains(&length) && length % 4 == 0;
        assert_eq!(message.is_signed_with(&key), is_sound, "{length}");
        assert_eq!(message.integrity(), is_sound.then_some(Integrity::Sha256), "{length}");
        assert!(!message.is_signed_with(&Key::new(Integrity::Sha256, b"kez")), "{length}");
    }
}

// RFC 8489 §9.2.4, §14.6
#[test]
fn of_two_integrity_attributes_the_stronger_one_protects() {
    let key = LongTermKey::derive(PasswordAlgorithm::Md5, b"alice", "realm", "secret");
    let other = LongTermKey::derive(PasswordAlgorithm::Md5, b"alice", "realm", "guess");
    fn begin(bytes: &mut Vec<u8>) -> MessageWriter<'_> {
        MessageWriter::begin(bytes, Method::Refresh, Class::Request, TransactionId([1; 12]))
    }
    for (sha1, sha256, is_right) in [(&key, &key, true), (&other, &key, true), (&key, &other, false)] {
        let mut bytes = Vec::new();
        begin(&mut bytes)
            .bytes(USERNAME, b"alice")
            .protect(sha1, Integrity::Sha1)
            .protect(sha256, Integrity::Sha256)
            .fingerprint();
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.integrity(), Some(Integrity::Sha256));
        assert_eq!(message.is_protected_by(&key), is_right);
        assert_eq!(message.attributes().count(), 1);
    }
    // After MESSAGE-INTEGRITY-SHA256, MESSAGE-INTEGRITY does not count.
    let mut bytes = Vec::new();
    begin(&mut bytes).protect(&key, Integrity::Sha256).protect(&key, Integrity::Sha1);
    assert!(!Message::parse(&bytes).unwrap().is_signed_with(&Key::long_term(b"alice", "realm", "secret")));
}

// RFC 8489 §5, §14.5, §14.7
#[test]
fn reads_the_sample_request_of_rfc5769() {
    let message = Message::parse(SAMPLE_REQUEST).unwrap();
    assert_eq!((message.method(), message.class()), (Method::Binding, Class::Request));
    assert_eq!(message.find(USERNAME), Some(&b"evtj:h6vY"[..]));
    assert!(message.has_fingerprint());
    assert!(message.is_signed_with(&Key::new(Integrity::Sha1, b"VOkJxbRl1RmTxUk/WvJxBt")));
    assert!(!message.is_signed_with(&Key::new(Integrity::Sha1, b"VOkJxbRl1RmTxUk/WvJxBT")));
}

// RFC 8489 §14.2
#[test]
fn reads_the_sample_response_of_rfc5769() {
    let message = Message::parse(SAMPLE_RESPONSE).unwrap();
    assert_eq!(message.class(), Class::Success);
    let address = message.find_address(XOR_MAPPED_ADDRESS).unwrap();
    assert_eq!(address, Some("192.0.2.1:32853".parse().unwrap()));
}

// RFC 8489 §9.2.2
#[test]
fn derives_the_long_term_key_of_rfc5769() {
    let message = Message::parse(SAMPLE_LONG_TERM).unwrap();
    let key = Key::long_term(message.find(USERNAME).unwrap(), "example.org", "TheMatrIX");
    assert!(message.is_signed_with(&key));
}

// RFC 8489 §14.7
#[test]
fn a_flipped_bit_spoils_the_fingerprint() {
    let mut bytes = SAMPLE_REQUEST.to_vec();
    bytes[30] ^= 1;
    assert_eq!(Message::parse(&bytes).unwrap_err(), ParseError::WrongFingerprint);
}

// RFC 8489 §14.5
#[test]
fn ignores_what_follows_the_integrity() {
    let key = Key::new(Integrity::Sha1, b"key");
    let mut bytes = Vec::new();
    let transaction = TransactionId([1; 12]);
    MessageWriter::begin(&mut bytes, Method::Refresh, Class::Request, transaction)
        .bytes(USERNAME, b"alice")
        .sign(&key)
        .u32(LIFETIME, 0);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.find(LIFETIME), None);
    assert_eq!(message.find(USERNAME), Some(&b"alice"[..]));
    assert!(message.is_signed_with(&key));
}

// RFC 8489 §14
#[test]
fn the_first_of_repeated_attributes_counts() {
    let mut bytes = Vec::new();
    MessageWriter::begin(&mut bytes, Method::Refresh, Class::Request, TransactionId([1; 12]))
        .u32(LIFETIME, 7)
        .u32(LIFETIME, 8);
    assert_eq!(Message::parse(&bytes).unwrap().find_u32(LIFETIME), Some(Some(7)));
}

#[test]
fn an_attribute_that_overruns_is_malformed_but_answerable() {
    let mut bytes = Vec::new();
    let transaction = TransactionId([9; 12]);
    MessageWriter::begin(&mut bytes, Method::Allocate, Class::Request, transaction).u32(LIFETIME, 7);
    bytes[23] = 8;
    let expected =
        ParseError::MalformedAttributes { method: Method::Allocate, class: Class::Request, transaction };
    assert_eq!(Message::parse(&bytes).unwrap_err(), expected);
}

// RFC 8489 §6.3
#[test]
fn a_wrong_header_is_no_stun() {
    let mut wrong_cookie = SAMPLE_RESPONSE.to_vec();
    wrong_cookie[4] = 0;
    let mut wrong_length = SAMPLE_RESPONSE.to_vec();
    wrong_length[3] -= 4;
    let mut leading_bits = SAMPLE_RESPONSE.to_vec();
    leading_bits[0] |= 0x80;
    for bytes in [wrong_cookie, wrong_length, leading_bits, vec![], vec![0; 19]] {
        assert_eq!(Message::parse(&bytes).unwrap_err(), ParseError::NotStun);
    }
}

#[test]
fn webrtc_rs_reads_what_we_write() {
    let key = Key::long_term(b"alice", "realm", "secret");
    let peer: SocketAddr = "[2001:db8::1]:4242".parse().unwrap();
    let mut bytes = Vec::new();
    MessageWriter::begin(&mut bytes, Method::Allocate, Class::Error, TransactionId([3; 12]))
        .error_code(ErrorCode::UNKNOWN_ATTRIBUTE)
        .unknown_attributes(&[AttributeType(0x7abc), EVEN_PORT])
        .address(XOR_PEER_ADDRESS, peer)
        .sign(&key)
        .fingerprint();

    let mut oracle = stun::message::Message::new();
    oracle.unmarshal_binary(&bytes).unwrap();
    let mut code = stun::error_code::ErrorCodeAttribute::default();
    code.get_from(&oracle).unwrap();
    assert_eq!((code.code.0, code.reason), (420, b"Unknown Attribute".to_vec()));
    let mut unknown = stun::uattrs::UnknownAttributes(Vec::new());
    unknown.get_from(&oracle).unwrap();
    assert_eq!(unknown.0.iter().map(|kind| kind.value()).collect::<Vec<_>>(), [0x7abc, EVEN_PORT.0]);
    let mut address = webrtc_turn::proto::peeraddr::PeerAddress::default();
    address.get_from(&oracle).unwrap();
    assert_eq!(SocketAddr::new(address.ip, address.port), peer);
    stun::fingerprint::FINGERPRINT.check(&oracle).unwrap();
    let integrity = stun::integrity::MessageIntegrity::new_long_term_integrity(
        "alice".into(),
        "realm".into(),
        "secret".into(),
    );
    integrity.check(&mut oracle).unwrap();
}

#[test]
fn we_read_what_webrtc_rs_writes() {
    let mut oracle = stun::message::Message::new();
    let integrity = stun::integrity::MessageIntegrity::new_long_term_integrity(
        "alice".into(),
        "realm".into(),
        "secret".into(),
    );
    let setters: [Box<dyn Setter>; 5] = [
        Box::new(stun::agent::TransactionId::new()),
        Box::new(stun::message::MessageType::new(
            stun::message::METHOD_REFRESH,
            stun::message::CLASS_REQUEST,
        )),
        Box::new(webrtc_turn::proto::lifetime::Lifetime(std::time::Duration::from_secs(77))),
        Box::new(integrity),
        Box::new(stun::fingerprint::FINGERPRINT),
    ];
    oracle.build(&setters).unwrap();

    let message = Message::parse(&oracle.raw).unwrap();
    assert_eq!((message.method(), message.class()), (Method::Refresh, Class::Request));
    assert_eq!(message.find_u32(LIFETIME), Some(Some(77)));
    assert!(message.is_signed_with(&Key::long_term(b"alice", "realm", "secret")));
    assert!(message.has_fingerprint());
}

proptest! {
    #[test]
    fn no_input_makes_the_parser_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        // A sound header in front lets the walk over the attributes see the noise.
        if bytes.len() >= 20 {
            let length = (bytes.len() - 20) as u16;
            bytes[0] &= 0x3f;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            bytes[4..8].copy_from_slice(&message::MAGIC_COOKIE.to_be_bytes());
        }
        if let Ok(message) = Message::parse(&bytes) {
            let key = Key::new(Integrity::Sha1, b"k");
            message.is_signed_with(&key);
            for attribute in message.attributes() {
                message.find_address(attribute.kind);
                message.find_u32(attribute.kind);
                prop_assert!(message.find_range(attribute.kind).unwrap().end <= bytes.len());
            }
        }
        ChannelData::parse(&bytes);
    }
}
