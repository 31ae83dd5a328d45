//! A description cut into lines (RFC 8866 §5).

use std::ops::Range;

use memchr::memchr;

use super::flaw::{Flaw, Invalid};

/// One line: `m=video 9 …` has the kind `m`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Counted from 1, empty lines included.
    pub number: usize,
    /// The letter in front of the `=`.
    pub kind: u8,
    /// What follows the `=`.
    pub value: &'a str,
    /// Where the line lies in the text, its line break included; the rest of a text without it is still a description.
    pub range: Range<usize>,
}

/// The lines of a text, empty ones left out.
///
/// RFC 8866 §5 wants CRLF and tells parsers to take LF as well. Other characters that some libraries break lines at, as
/// Python's `splitlines` does, are refused: a reader behind us would find lines that we never saw.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    text: &'a str,
    at: usize,
    number: usize,
    is_plain: bool,
}

impl<'a> Lines<'a> {
    /// The lines of a text that begins with line `number`.
    pub fn new(text: &'a str, number: usize) -> Self {
        Self { text, at: 0, number, is_plain: is_plain(text.as_bytes()) }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Line<'a>, Invalid>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let (raw, len) = match memchr(b'\n', rest.as_bytes()) {
                Some(end) => (&rest[..end], end + 1),
                None => (rest, rest.len()),
            };
            let (start, number) = (self.at, self.number);
            self.at += len;
            self.number += 1;
            let line = raw.strip_suffix('\r').unwrap_or(raw);
            if !line.is_empty() {
                let line = read(line, self.is_plain);
                let line = line.map(|(kind, value)| Line { number, kind, value, range: start..self.at });
                return Some(line.map_err(|flaw| flaw.at(number)));
            }
        }
    }
}

impl<'a> Line<'a> {
    /// Name and value of an `a=` line; the value of a flag is empty.
    pub fn attribute(&self) -> Option<(&'a str, &'a str)> {
        (self.kind == b'a').then(|| self.value.split_once(':').unwrap_or((self.value, "")))
    }
}

fn read(line: &str, is_plain: bool) -> Result<(u8, &str), Flaw> {
    if line.len() > LINE_BYTES {
        return Err(Flaw::LineLength);
    }
    if !is_plain && (line.bytes().any(is_control) || has_wide_break(line)) {
        return Err(Flaw::ControlCharacter);
    }
    match line.as_bytes() {
        [kind @ b'a'..=b'z', b'=', ..] => Ok((*kind, &line[2..])),
        _ => Err(Flaw::LineForm),
    }
}

/// Whether a text has nothing but printable ASCII, tabs, and line breaks, as nearly all have. Then its lines need no further
/// look.
///
/// Without an early end, so that the compiler looks at many bytes at once.
fn is_plain(text: &[u8]) -> bool {
    let mut odd = 0;
    for &byte in text {
        odd |= u8::from(!matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
    }
    // A return that no line feed follows.
    for (&byte, &next) in text.iter().zip(text.get(1..).unwrap_or_default()) {
        odd |= u8::from(byte == b'\r') & u8::from(next != b'\n');
    }
    odd == 0
}

fn is_control(byte: u8) -> bool {
    byte < b' ' && byte != b'\t' || byte == 0x7F
}

fn has_wide_break(line: &str) -> bool {
    !line.is_ascii() && line.contains(['\u{85}', '\u{2028}', '\u{2029}'])
}

/// Real lines have up to 300 bytes. An identity assertion (RFC 8827 §5), the longest that there may be, has some
/// thousands.
const LINE_BYTES: usize = 8 << 10;
