//! Any bytes: the parsers neither panic nor look outside of them, and agree with webrtc-rs about what is a message.

#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_fuzz::wire::stream::{Cut, cut};
use turnpike_fuzz::wire::{ChannelData, Integrity, Key, Message, ProxyHeader, classify};

fuzz_target!(|bytes: &[u8]| {
    classify(bytes);
    match cut(bytes) {
        Cut::Frame { len, padded_len } => assert!(len <= padded_len && padded_len <= bytes.len()),
        Cut::Need(needed) => assert!(needed > bytes.len()),
        Cut::Garbage => assert!(Message::parse(bytes).is_err()),
    }
    if let ProxyHeader::Complete { len, .. } = ProxyHeader::parse(bytes) {
        assert!(len <= bytes.len());
    }
    if let Some(data) = ChannelData::parse(bytes) {
        assert!(data.payload.len() + ChannelData::HEADER_LEN <= bytes.len());
    }
    let Ok(message) = Message::parse(bytes) else { return };
    message.is_signed_with(&Key::new(Integrity::Sha1, b"key"));
    for attribute in message.attributes() {
        message.find_address(attribute.kind);
        message.find_u32(attribute.kind);
        let range = message.find_range(attribute.kind).expect("it was just seen");
        assert!(range.end <= bytes.len());
    }
    let mut oracle = stun::message::Message::new();
    oracle.unmarshal_binary(bytes).expect("webrtc-rs reads what we read");
    assert_eq!(oracle.transaction_id.0, message.transaction().0);
});
