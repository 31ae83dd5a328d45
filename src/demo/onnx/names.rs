//! The names of a model's classes, as exporters write them: a Python literal, `{0: 'person', 1: 'bicycle'}` or `['person', 'bicycle']`.

use std::sync::Arc;

/// Why a text is no names of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NamesError {
    /// Something else is written at this byte than what has to be there.
    #[error("{expected} expected at byte {position}")]
    Unexpected {
        /// What has to be there.
        expected: &'static str,
        /// Bytes before it.
        position: usize,
    },
    /// A number that is no class, or comes twice.
    #[error("the numbers of the classes are not 0, 1, 2 and so on, each of them once")]
    Numbers,
    /// More of them than `MOST_CLASSES`.
    #[error("more than {MOST_CLASSES} classes")]
    TooMany,
}

/// Reads a literal. Nothing of it is evaluated, and what is not one of the two forms is an error.
pub(super) fn parse_names(text: &str) -> Result<Vec<Arc<str>>, NamesError> {
    let mut reader = Reader { text, position: 0 };
    let names = if reader.take('[') {
        reader.list()?
    } else if reader.take('{') {
        reader.dictionary()?
    } else {
        return Err(reader.unexpected("{ or ["));
    };
    reader.skip_blanks();
    if reader.position < text.len() { Err(reader.unexpected("the end")) } else { Ok(names) }
}

/// Reads from `position` on.
struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl Reader<'_> {
    fn list(&mut self) -> Result<Vec<Arc<str>>, NamesError> {
        let mut names = Vec::new();
        while !self.take(']') {
            if names.len() == MOST_CLASSES {
                return Err(NamesError::TooMany);
            }
            names.push(self.string()?.into());
            self.separator(']')?;
        }
        Ok(names)
    }

    fn dictionary(&mut self) -> Result<Vec<Arc<str>>, NamesError> {
        let mut numbered = Vec::new();
        while !self.take('}') {
            if numbered.len() == MOST_CLASSES {
                return Err(NamesError::TooMany);
            }
            let number = self.number()?;
            if !self.take(':') {
                return Err(self.unexpected(":"));
            }
            numbered.push((number, self.string()?));
            self.separator('}')?;
        }
        numbered.sort_by_key(|(number, _)| *number);
        if numbered.iter().enumerate().any(|(index, (number, _))| index != *number) {
            return Err(NamesError::Numbers);
        }
        Ok(numbered.into_iter().map(|(_, name)| name.into()).collect())
    }

    /// A comma, or `end`, which stays.
    fn separator(&mut self, end: char) -> Result<(), NamesError> {
        self.skip_blanks();
        if self.take(',') || self.rest().starts_with(end) {
            Ok(())
        } else {
            Err(self.unexpected("a comma or the end of the list"))
        }
    }

    fn number(&mut self) -> Result<usize, NamesError> {
        self.skip_blanks();
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        let number = self.rest()[..digits].parse().map_err(|_| self.unexpected("a class's number"))?;
        self.position += digits;
        Ok(number)
    }

    fn string(&mut self) -> Result<String, NamesError> {
        let quote = if self.take('\'') {
            '\''
        } else if self.take('"') {
            '"'
        } else {
            return Err(self.unexpected("a name in quotes"));
        };
        let mut name = String::new();
        loop {
            if name.len() > LONGEST_NAME_BYTES {
                return Err(self.unexpected("a shorter name"));
            }
            match self.next() {
                Some(character) if character == quote => return Ok(name),
                Some('\\') => name.push(self.escaped()?),
                Some('\n') | None => return Err(self.unexpected("the name's closing quote")),
                Some(character) => name.push(character),
            }
        }
    }

    /// What stands for a character that Python does not write as itself.
    fn escaped(&mut self) -> Result<char, NamesError> {
        let start = self.position;
        let digits = match self.next() {
            Some(character @ ('\\' | '\'' | '"')) => return Ok(character),
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => {
                return Err(NamesError::Unexpected {
                    expected: "an escape that Python writes",
                    position: start,
                });
            }
        };
        let code = self.rest().get(..digits).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let character = code.and_then(|code| u32::from_str_radix(code, 16).ok()).and_then(char::from_u32);
        self.position += digits;
        character.ok_or(NamesError::Unexpected { expected: "a character's code", position: start })
    }

    /// Whether this character comes next, blanks apart; if so it is read.
    fn take(&mut self, character: char) -> bool {
        self.skip_blanks();
        let found = self.rest().starts_with(character);
        if found {
            self.position += character.len_utf8();
        }
        found
    }

    fn next(&mut self) -> Option<char> {
        let character = self.rest().chars().next()?;
        self.position += character.len_utf8();
        Some(character)
    }

    fn skip_blanks(&mut self) {
        self.position += self.rest().bytes().take_while(u8::is_ascii_whitespace).count();
    }

    fn rest(&self) -> &str {
        &self.text[self.position..]
    }

    fn unexpected(&self, expected: &'static str) -> NamesError {
        NamesError::Unexpected { expected, position: self.position }
    }
}

/// The largest vocabularies of detectors have some 20,000 classes (Objects365 has 365, LVIS 1,203, V3Det 13,204).
pub(super) const MOST_CLASSES: usize = 32_768;

/// A name goes out with each box, so that a long one costs every client; names of data sets stay under 100 bytes.
const LONGEST_NAME_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<String>, NamesError> {
        parse_names(text).map(|names| names.iter().map(ToString::to_string).collect())
    }

    fn error_at(text: &str) -> usize {
        let Err(NamesError::Unexpected { position, .. }) = parse_names(text) else {
            panic!("{text}");
        };
        position
    }

    #[test]
    fn reads_a_dictionary_in_any_order() {
        assert_eq!(parsed("{0: 'person', 1: 'bicycle'}").unwrap(), ["person", "bicycle"]);
        assert_eq!(parsed(" { 1 :\"b\" ,0:'a' , } ").unwrap(), ["a", "b"]);
        assert_eq!(parsed("{}").unwrap(), [""; 0]);
    }

    #[test]
    fn reads_a_list() {
        assert_eq!(parsed("['a', \"b\"]").unwrap(), ["a", "b"]);
        assert_eq!(parsed("[]").unwrap(), [""; 0]);
    }

    #[test]
    fn reads_quotes_escapes_and_other_scripts() {
        assert_eq!(
            parsed(r#"{0: "driver's", 1: 'a "b"', 2: 'it\'s'}"#).unwrap(),
            ["driver's", "a \"b\"", "it's"]
        );
        assert_eq!(parsed(r"['\\ \n\t', '\xe9\u00e9\U0001f600', '猫']").unwrap(), ["\\ \n\t", "éé😀", "猫"]);
    }

    #[test]
    fn refuses_what_is_not_a_literal_of_names() {
        for text in [
            "",
            "person",
            "{0: person}",
            "{0 'a'}",
            "{'0': 'a'}",
            "{-1: 'a'}",
            "{0: 'a' 1: 'b'}",
            "{0: 'a'",
            "['a'",
            "['a']]",
            "{0: 'a'} or 1",
            "['a\n']",
            "{0: ['a']}",
            "dict(a=1)",
            "[,]",
            "{0: b'a'}",
            "{99999999999999999999: 'a'}",
            r"['\q']",
            r"['\x4']",
            r"['\ud800']",
            "['\\",
            r"['\u1é']",
            r"['\x+1']",
        ] {
            assert!(parse_names(text).is_err(), "{text}");
        }
    }

    #[test]
    fn says_where_it_stopped() {
        assert_eq!(error_at("{0: person}"), 4);
        assert_eq!(error_at("{0: 'a' 1: 'b'}"), 8);
        assert_eq!(error_at("['a'] ]"), 6);
        assert_eq!(
            parse_names("{0: person}").unwrap_err().to_string(),
            "a name in quotes expected at byte 4"
        );
    }

    #[test]
    fn refuses_numbers_with_gaps_or_twice() {
        assert_eq!(parse_names("{0: 'a', 2: 'b'}"), Err(NamesError::Numbers));
        assert_eq!(parse_names("{0: 'a', 0: 'b'}"), Err(NamesError::Numbers));
        assert_eq!(parse_names("{1: 'a'}"), Err(NamesError::Numbers));
    }

    #[test]
    fn has_bounds() {
        let names = |count: usize| format!("[{}]", "'a',".repeat(count));
        assert_eq!(parse_names(&names(MOST_CLASSES)).unwrap().len(), MOST_CLASSES);
        assert_eq!(parse_names(&names(MOST_CLASSES + 1)), Err(NamesError::TooMany));
        assert!(parse_names(&format!("['{}']", "a".repeat(LONGEST_NAME_BYTES))).is_ok());
        assert!(parse_names(&format!("['{}']", "a".repeat(LONGEST_NAME_BYTES + 1))).is_err());
    }
}
