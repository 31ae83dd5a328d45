//! `ClientText`: what a client wrote, as logs can show it where it need not be hidden.

use std::fmt::{self, Write};

use super::redact::write_escaped;

/// The beginning of a text of a client's, with whatever could forge a line escaped.
#[derive(Clone, Copy)]
pub struct ClientText<'a> {
    text: &'a str,
    most_characters: usize,
}

impl<'a> ClientText<'a> {
    /// At most so many characters of it.
    pub fn new(text: &'a str, most_characters: usize) -> Self {
        Self { text, most_characters }
    }
}

impl fmt::Display for ClientText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.text.chars();
        for character in characters.by_ref().take(self.most_characters) {
            write_escaped(f, character)?;
        }
        if characters.next().is_some() { f.write_char('…') } else { Ok(()) }
    }
}

impl fmt::Debug for ClientText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_beginning_and_escapes_what_could_forge_a_line() {
        assert_eq!(ClientText::new("/whip/Zoë", 9).to_string(), "/whip/Zoë");
        assert_eq!(ClientText::new("/whip/Zoë", 8).to_string(), "/whip/Zo…");
        assert_eq!(ClientText::new("a\n\u{1b}[31m\u{2028}b", 20).to_string(), "a\\n\\u{1b}[31m\\u{2028}b");
    }
}
