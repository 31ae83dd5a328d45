//! Cuts a byte stream into STUN messages and ChannelData (RFC 8489 §6.2.2, RFC 8656 §12.5).

use super::channel_data::ChannelData;
use super::classify::{Protocol, classify};
use super::message::{HEADER_LEN, MAGIC_COOKIE};

/// What a stream begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The beginning of a frame, which has at least this many bytes in all.
    Need(usize),
    /// A whole frame.
    Frame {
        /// The bytes of the message.
        len: usize,
        /// Where the next frame begins.
        padded_len: usize,
    },
    /// Neither a STUN message nor ChannelData: nothing tells where the next frame would begin.
    Garbage,
}

/// Finds the first frame of a stream, of which more may come later.
pub fn cut(stream: &[u8]) -> Cut {
    match classify(stream) {
        Protocol::Stun => cut_message(stream),
        Protocol::ChannelData => cut_channel_data(stream),
        Protocol::Unknown if stream.is_empty() => Cut::Need(ChannelData::HEADER_LEN),
        Protocol::Unknown => Cut::Garbage,
    }
}

fn cut_message(stream: &[u8]) -> Cut {
    // RFC 8489 §5: every message has the magic cookie behind its length. What comes of it is checked as it comes, so
    // that garbage is found before it fills a buffer.
    let cookie = stream.get(4..).unwrap_or_default();
    if cookie.iter().zip(MAGIC_COOKIE.to_be_bytes()).any(|(&is, must_be)| is != must_be) {
        return Cut::Garbage;
    }
    let Some(&[_, _, l0, l1]) = stream.first_chunk::<4>() else {
        return Cut::Need(HEADER_LEN);
    };
    let attributes_len = usize::from(u16::from_be_bytes([l0, l1]));
    // RFC 8489 §5: attributes are padded, so their length is a multiple of four.
    if !attributes_len.is_multiple_of(4) {
        return Cut::Garbage;
    }
    let len = HEADER_LEN + attributes_len;
    if stream.len() < len { Cut::Need(len) } else { Cut::Frame { len, padded_len: len } }
}

fn cut_channel_data(stream: &[u8]) -> Cut {
    let Some(&[_, _, l0, l1]) = stream.first_chunk::<4>() else {
        return Cut::Need(ChannelData::HEADER_LEN);
    };
    let len = ChannelData::HEADER_LEN + usize::from(u16::from_be_bytes([l0, l1]));
    // RFC 8656 §12.5: over a stream ChannelData is padded to a multiple of four, which its length does not count.
    let padded_len = len.next_multiple_of(4);
    if stream.len() < padded_len { Cut::Need(padded_len) } else { Cut::Frame { len, padded_len } }
}

/// The longest frame: the length fields have 16 bits, and the header of a STUN message is the longer one.
pub const MAX_FRAME_LEN: usize = HEADER_LEN + 0xfffc;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(attributes_len: usize) -> Vec<u8> {
        let mut message = vec![0, 1];
        message.extend_from_slice(&(attributes_len as u16).to_be_bytes());
        message.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
        message.resize(HEADER_LEN + attributes_len, 7);
        message
    }

    fn channel_data(payload_len: usize) -> Vec<u8> {
        let mut data = vec![0x40, 1];
        data.extend_from_slice(&(payload_len as u16).to_be_bytes());
        data.resize(4 + payload_len, 7);
        data.resize(data.len().next_multiple_of(4), 0);
        data
    }

    #[test]
    fn finds_a_message_and_channel_data() {
        assert_eq!(cut(&message(8)), Cut::Frame { len: 28, padded_len: 28 });
        assert_eq!(cut(&channel_data(5)), Cut::Frame { len: 9, padded_len: 12 });
        assert_eq!(cut(&channel_data(0)), Cut::Frame { len: 4, padded_len: 4 });
    }

    #[test]
    fn the_longest_frames_fit() {
        assert_eq!(cut(&message(0xfffc)), Cut::Frame { len: MAX_FRAME_LEN, padded_len: MAX_FRAME_LEN });
        assert_eq!(cut(&channel_data(0xffff)), Cut::Frame { len: 65_539, padded_len: 65_540 });
    }

    #[test]
    fn waits_for_the_padding() {
        assert_eq!(cut(&channel_data(5)[..9]), Cut::Need(12));
    }

    #[test]
    fn says_how_much_is_needed_as_soon_as_it_is_known() {
        assert_eq!(cut(&[]), Cut::Need(4));
        assert_eq!(cut(&message(8)[..3]), Cut::Need(20));
        assert_eq!(cut(&message(8)[..4]), Cut::Need(28));
        assert_eq!(cut(&channel_data(5)[..3]), Cut::Need(4));
        assert_eq!(cut(&channel_data(5)[..4]), Cut::Need(12));
    }

    #[test]
    fn garbage_is_found_with_its_first_wrong_byte() {
        assert_eq!(cut(&[0x80]), Cut::Garbage);
        assert_eq!(cut(&[0, 1, 0, 3]), Cut::Garbage, "a length that is no multiple of four");
        assert_eq!(cut(&[0, 1, 0, 0, 0x22]), Cut::Garbage, "not the cookie");
    }

    proptest! {
        #[test]
        fn frames_come_out_whole_wherever_the_stream_is_split(
            frames in prop::collection::vec((any::<bool>(), 0_usize..200), 1..20),
            chunk in 1_usize..64,
        ) {
            let frames: Vec<Vec<u8>> = frames
                .into_iter()
                .map(|(is_message, len)| if is_message { message(len / 4 * 4) } else { channel_data(len) })
                .collect();
            let stream = frames.concat();
            let (mut buffer, mut found) = (Vec::new(), Vec::new());
            for chunk in stream.chunks(chunk) {
                buffer.extend_from_slice(chunk);
                loop {
                    match cut(&buffer) {
                        Cut::Frame { padded_len, .. } => {
                            found.push(buffer.drain(..padded_len).collect::<Vec<u8>>());
                        }
                        Cut::Need(needed) => {
                            prop_assert!(needed > buffer.len());
                            break;
                        }
                        Cut::Garbage => prop_assert!(false, "garbage in {buffer:?}"),
                    }
                }
            }
            prop_assert_eq!(found, frames);
        }

        #[test]
        fn never_reaches_beyond_the_stream(stream in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Cut::Frame { len, padded_len } = cut(&stream) {
                prop_assert!(len <= padded_len && padded_len <= stream.len() && padded_len <= MAX_FRAME_LEN);
            }
        }
    }
}
