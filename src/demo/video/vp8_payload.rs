//! Payloads of RTP → a frame of VP8 (RFC 7741).

use bytes::Bytes;

use super::error::VideoError;

/// Puts the payloads of a frame together.
pub(super) fn frame(payloads: &[Bytes]) -> Result<Vec<u8>, VideoError> {
    let mut frame = Vec::with_capacity(payloads.iter().map(Bytes::len).sum());
    for (number, payload) in payloads.iter().enumerate() {
        let (begins, part) = part(payload).ok_or(VideoError::Payload)?;
        // The first one begins the first partition (§4.2), or there was another before it.
        if number == 0 && !begins {
            return Err(VideoError::Incomplete);
        }
        frame.extend_from_slice(part);
    }
    Ok(frame)
}

/// Whether a frame needs no earlier one (RFC 6386 §9.1).
pub(super) fn is_key_frame(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 1 == 0)
}

/// Whether the payload begins a frame, and what it carries behind its descriptor.
fn part(payload: &[u8]) -> Option<(bool, &[u8])> {
    let (&first, mut rest) = payload.split_first()?;
    if first & EXTENDED != 0 {
        let (&extensions, behind) = rest.split_first()?;
        rest = behind;
        if extensions & PICTURE_ID != 0 {
            let is_long = rest.first()? & 0x80 != 0;
            rest = rest.get(if is_long { 2 } else { 1 }..)?;
        }
        if extensions & TL0_PICTURE != 0 {
            rest = rest.get(1..)?;
        }
        if extensions & (TEMPORAL_LAYER | KEY_INDEX) != 0 {
            rest = rest.get(1..)?;
        }
    }
    let begins = first & START != 0 && first & PARTITION == 0;
    (!rest.is_empty()).then_some((begins, rest))
}

const EXTENDED: u8 = 0x80;
const START: u8 = 0x10;
const PARTITION: u8 = 0x07;
const PICTURE_ID: u8 = 0x80;
const TL0_PICTURE: u8 = 0x40;
const TEMPORAL_LAYER: u8 = 0x20;
const KEY_INDEX: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_the_descriptor() {
        for (payload, expected) in [
            (&[0x10, 7][..], Some((true, &[7][..]))),
            (&[0x00, 7], Some((false, &[7]))),
            (&[0x11, 7], Some((false, &[7]))),
            (&[0x90, 0x80, 0x05, 7], Some((true, &[7]))),
            (&[0x90, 0x80, 0x85, 0x01, 7], Some((true, &[7]))),
            (&[0x90, 0xf0, 0x85, 0x01, 0x02, 0x03, 7], Some((true, &[7]))),
            (&[0x90, 0x10, 0x03, 7, 8], Some((true, &[7, 8]))),
            (&[0x90, 0x00, 7], Some((true, &[7]))),
        ] {
            assert_eq!(part(payload), expected, "{payload:02x?}");
        }
    }

    #[test]
    fn no_beginning_of_a_payload_is_one() {
        let whole = [0x90, 0xf0, 0x85, 0x01, 0x02, 0x03];
        for length in 0..=whole.len() {
            assert_eq!(part(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn a_frame_without_its_beginning_is_none() {
        let [head, tail] = [&[0x10, 1, 2][..], &[0x00, 3]].map(Bytes::from_static);
        assert_eq!(frame(&[head.clone(), tail.clone()]).unwrap(), [1, 2, 3]);
        assert!(matches!(frame(std::slice::from_ref(&tail)), Err(VideoError::Incomplete)));
        assert!(matches!(frame(&[head, Bytes::new()]), Err(VideoError::Payload)));
    }
}
