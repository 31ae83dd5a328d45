//! ICE credentials (RFC 8839 §5.4).

use std::ops::RangeInclusive;

/// Whether a text can be a user name fragment.
pub(super) fn is_ufrag(text: &str) -> bool {
    is_made_of_ice_chars(text, 4..=256)
}

/// Whether a text can be a password.
pub(super) fn is_pwd(text: &str) -> bool {
    is_made_of_ice_chars(text, 22..=256)
}

/// The RFC has letters, digits, `+` and `/`. libwebrtc also takes the other four, since there are clients that write
/// them.
fn is_made_of_ice_chars(text: &str, lengths: RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=#".contains(&byte))
}
