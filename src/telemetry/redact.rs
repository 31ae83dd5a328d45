//! How addresses and user ids look in logs: the one place that decides what is shown of a person.

use std::fmt::{self, Write};
use std::net::SocketAddr;

/// A user id or TURN username as logs show it: at most 256 characters, with whatever could forge a line escaped.
#[derive(Clone, Copy)]
pub struct RedactedUser<'a>(pub &'a str);

/// An address of a client or peer as logs show it.
#[derive(Clone, Copy)]
pub struct RedactedAddr(pub SocketAddr);

impl fmt::Display for RedactedUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        for character in characters.by_ref().take(SHOWN_CHARACTERS) {
            write_escaped(f, character)?;
        }
        if characters.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

impl fmt::Debug for RedactedUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RedactedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for RedactedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes a character so that no terminal, pager or collector can take it for more than text.
///
/// Control characters begin lines and steer terminals; bidirectional marks and the line separators of Unicode do the same
/// to viewers. A quote or a letter with its accent stays as it is, so that ids can be searched for.
pub(super) fn write_escaped(out: &mut impl Write, character: char) -> fmt::Result {
    let steers_viewers = matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if character.is_control() || steers_viewers {
        write!(out, "{}", character.escape_default())
    } else {
        out.write_char(character)
    }
}

/// The longest `user_id` that the gateway takes, and nobody reads more of a TURN username.
const SHOWN_CHARACTERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_an_ordinary_user_as_it_is() {
        for user in ["user-42", "Zoë O'Brien", "सीता", "1732530000:alice"] {
            assert_eq!(RedactedUser(user).to_string(), user);
        }
    }

    #[test]
    fn escapes_what_could_forge_a_line() {
        assert_eq!(
            RedactedUser("a\nb\r\u{1b}[31m\u{9b}\0\u{2028}\u{202e}").to_string(),
            "a\\nb\\r\\u{1b}[31m\\u{9b}\\u{0}\\u{2028}\\u{202e}"
        );
    }

    #[test]
    fn bounds_the_length() {
        let shown = RedactedUser(&"ä".repeat(1000)).to_string();

        assert_eq!(shown.chars().count(), 257);
        assert!(shown.ends_with("ä…"));
    }

    #[test]
    fn debugs_as_it_displays() {
        assert_eq!(format!("{:?}", RedactedUser("a\nb")), "a\\nb");
    }
}
