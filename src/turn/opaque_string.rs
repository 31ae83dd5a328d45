//! The OpaqueString profile, which names, realms and passwords pass before they become keys (RFC 8265 §4.2).

use unicode_normalization::UnicodeNormalization;

/// Prepares a name, a realm or a password: spaces beyond ASCII become U+0020, and the rest gets normalization form C.
pub(super) fn opaque_string(text: &str) -> String {
    // Deviation from RFC 8265 §4.2.1: code points outside of the FreeformClass are let be. The tables of the crates that
    // know the class end with Unicode 6.3, so that they would lock out a password with a newer letter or emoji. Control
    // characters in names and realms are refused where the configuration is read.
    text.chars().map(|c| if is_space(c) { ' ' } else { c }).nfc().collect()
}

/// Whether the character is a space separator (general category Zs).
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8265 §4.2
    #[test]
    fn prepares_the_examples_of_rfc8265() {
        // RFC 8265 §4.3, and a letter that is written in two ways.
        for (text, prepared) in [
            ("correct horse battery staple", "correct horse battery staple"),
            ("Correct Horse Battery Staple", "Correct Horse Battery Staple"),
            ("πßå", "πßå"),
            ("Jack of ♦s", "Jack of ♦s"),
            ("foo\u{1680}bar", "foo bar"),
            ("e\u{301}", "é"),
            ("マトリックス", "マトリックス"),
        ] {
            assert_eq!(opaque_string(text), prepared);
        }
    }

    #[test]
    fn leaves_what_younger_unicode_assigned() {
        assert_eq!(opaque_string("🤖"), "🤖");
    }
}
