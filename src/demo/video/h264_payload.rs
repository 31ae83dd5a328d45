//! Payloads of RTP → an access unit of H.264 as a byte stream (RFC 6184, packetization modes 0 and 1).

use bytes::Bytes;

use super::error::VideoError;

/// Puts the payloads of an access unit together, each NAL unit behind a start code.
pub(super) fn access_unit(payloads: &[Bytes]) -> Result<Vec<u8>, VideoError> {
    let mut unit = Vec::with_capacity(payloads.iter().map(Bytes::len).sum::<usize>() + 64);
    let mut in_fragments = false;
    for payload in payloads {
        let &first = payload.first().ok_or(VideoError::Payload)?;
        let kind = first & KIND;
        if in_fragments && kind != FRAGMENT {
            return Err(VideoError::Incomplete);
        }
        match kind {
            1..=23 => push(&mut unit, payload),
            AGGREGATE => push_all(&mut unit, &payload[1..])?,
            FRAGMENT => {
                let &header = payload.get(1).ok_or(VideoError::Payload)?;
                let (begins, ends) = (header & FRAGMENT_START != 0, header & FRAGMENT_END != 0);
                // One of before is missing, or one of after was.
                if begins == in_fragments {
                    return Err(VideoError::Incomplete);
                }
                if begins {
                    push(&mut unit, &[(first & !KIND) | (header & KIND)]);
                }
                unit.extend_from_slice(&payload[2..]);
                in_fragments = !ends;
            }
            _ => return Err(VideoError::Payload),
        }
    }
    if in_fragments { Err(VideoError::Incomplete) } else { Ok(unit) }
}

/// Whether a decoder can begin with an access unit: it brings its parameters or an IDR picture along.
pub(super) fn is_key_frame(unit: &[u8]) -> bool {
    let starts = unit.windows(START_CODE.len() + 1);
    starts
        .filter(|window| window.starts_with(&START_CODE))
        .any(|window| matches!(window[START_CODE.len()] & KIND, IDR | PARAMETERS))
}

fn push(unit: &mut Vec<u8>, nal: &[u8]) {
    unit.extend_from_slice(&START_CODE);
    unit.extend_from_slice(nal);
}

/// The NAL units of a STAP-A (§5.7.1), each behind its size.
fn push_all(unit: &mut Vec<u8>, mut rest: &[u8]) -> Result<(), VideoError> {
    while let Some((size, behind)) = rest.split_first_chunk::<2>() {
        let size = usize::from(u16::from_be_bytes(*size));
        let (nal, behind) = behind.split_at_checked(size).ok_or(VideoError::Payload)?;
        push(unit, nal);
        rest = behind;
    }
    if rest.is_empty() { Ok(()) } else { Err(VideoError::Payload) }
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const KIND: u8 = 0x1f;
const IDR: u8 = 5;
const PARAMETERS: u8 = 7;
const AGGREGATE: u8 = 24;
const FRAGMENT: u8 = 28;
const FRAGMENT_START: u8 = 0x80;
const FRAGMENT_END: u8 = 0x40;

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(payloads: &[&[u8]]) -> Result<Vec<u8>, VideoError> {
        let payloads: Vec<Bytes> = payloads.iter().map(|payload| Bytes::copy_from_slice(payload)).collect();
        access_unit(&payloads)
    }

    #[test]
    fn single_aggregated_and_fragmented_units_become_a_byte_stream() {
        let parameters = &[0x78, 0, 2, 0x67, 1, 0, 1, 0x68][..];
        let fragments = [&[0x7c, 0x85, 1, 2][..], &[0x7c, 0x05, 3], &[0x7c, 0x45, 4]];
        let whole = unit(&[parameters, fragments[0], fragments[1], fragments[2], &[0x06, 9]]).unwrap();
        let expected =
            [&[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 0, 0, 0, 1, 0x65, 1, 2, 3, 4][..], &[0, 0, 0, 1, 6, 9]];
        assert_eq!(whole, expected.concat());
        assert!(is_key_frame(&whole));
        assert!(!is_key_frame(&unit(&[&[0x41, 1, 2]]).unwrap()));
    }

    #[test]
    fn what_lacks_a_part_is_refused() {
        for payloads in [
            &[&[0x7c, 0x05, 3][..]][..],
            &[&[0x7c, 0x85, 3]],
            &[&[0x7c, 0x85, 3], &[0x41, 1]],
            &[&[0x7c, 0x85, 3], &[0x7c, 0x85, 3]],
        ] {
            assert!(matches!(unit(payloads), Err(VideoError::Incomplete)), "{payloads:02x?}");
        }
        for payload in [&[][..], &[0x7c], &[0x78, 0], &[0x78, 0, 2, 1], &[0x1d, 1], &[0x00, 1]] {
            assert!(matches!(unit(&[payload]), Err(VideoError::Payload)), "{payload:02x?}");
        }
    }
}
