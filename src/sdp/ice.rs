//! ICE credentials (RFC 8839 §5.4).

use std::ops::RangeInclusive;

use super::line::Lines;

/// What the checks of one media section are made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IceCredentials<'a> {
    /// `a=ice-ufrag`.
    pub ufrag: &'a str,
    /// `a=ice-pwd`.
    pub pwd: &'a str,
}

/// The credentials that each of the first media sections has, if it has any, whatever else stands in the text. What a
/// section does not say it has from the session.
pub fn ice_credentials(text: &str) -> Vec<Option<IceCredentials<'_>>> {
    // The first one is the session's.
    let mut sections = vec![(None, None)];
    for line in Lines::new(text, 1).flatten() {
        if line.kind == b'm' {
            if sections.len() > MOST_SECTIONS {
                break;
            }
            sections.push(sections[0]);
        }
        let section = sections.len() - 1;
        match line.attribute() {
            Some(("ice-ufrag", value)) if is_ufrag(value) => sections[section].0 = Some(value),
            Some(("ice-pwd", value)) if is_pwd(value) => sections[section].1 = Some(value),
            _ => {}
        }
    }
    let of_media = sections.into_iter().skip(1);
    of_media.map(|(ufrag, pwd)| Some(IceCredentials { ufrag: ufrag?, pwd: pwd? })).collect()
}

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

/// Sound, video and data, twice; most clients bundle all that into one.
const MOST_SECTIONS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const PWD: &str = "0123456789abcdef012345";

    #[test]
    fn reads_what_each_section_says_or_has_from_the_session() {
        let text = format!(
            "v=0\r\na=ice-ufrag:sess\r\na=ice-pwd:{PWD}\r\nm=audio 9 RTP 0\r\nm=video 9 RTP 0\r\na=ice-ufrag:vide\r\n"
        );
        let of = |ufrag| Some(IceCredentials { ufrag, pwd: PWD });
        assert_eq!(ice_credentials(&text), [of("sess"), of("vide")]);
    }

    #[test]
    fn leaves_out_what_is_none_and_is_bounded() {
        assert_eq!(ice_credentials("v=0\na=ice-ufrag:ab\nm=audio 9 RTP 0\n"), [None]);
        assert_eq!(ice_credentials("a=ice-ufrag:abcd\n"), []);
        assert_eq!(ice_credentials(&"m=audio 9 RTP 0\n".repeat(5000)).len(), MOST_SECTIONS);
    }
}
