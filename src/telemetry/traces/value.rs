//! `Value`: what an attribute of a span says.

use std::fmt;

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text, at most 1024 characters of it.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// Yes or no.
    Boolean(bool),
}

impl Value {
    /// Something as it shows itself; people must come in a type that redacts.
    pub fn shown(value: impl fmt::Display) -> Self {
        Self::from(value.to_string())
    }
}

impl From<String> for Value {
    fn from(mut text: String) -> Self {
        if let Some((end, _)) = text.char_indices().nth(MOST_CHARACTERS) {
            text.truncate(end);
        }
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.chars().take(MOST_CHARACTERS).collect())
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u16> for Value {
    fn from(number: u16) -> Self {
        Self::Integer(number.into())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Self {
        Self::Boolean(is_so)
    }
}

/// Paths of honest requests are shorter; those of others need not be kept whole.
const MOST_CHARACTERS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_the_length_of_text() {
        let long = "ä".repeat(2000);
        for value in [Value::from(&*long), Value::from(long.clone()), Value::shown(&long)] {
            assert_eq!(value, Value::Text("ä".repeat(1024)));
        }
        assert_eq!(Value::from("short"), Value::from("short".to_owned()));
    }

    #[test]
    fn a_count_beyond_every_number_is_the_largest() {
        assert_eq!(Value::from(u64::MAX), Value::Integer(i64::MAX));
    }
}
