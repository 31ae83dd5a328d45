//! Finds what somebody may have meant by a misspelt name.

use std::fmt;

/// What may have been meant; prints as the end of a message, or as nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suggestion {
    /// A similar name.
    Similar(String),
    /// The same name, in another section.
    Elsewhere {
        /// The name.
        key: String,
        /// The section that it belongs in.
        section: String,
    },
    /// Nothing comes close.
    None,
}

impl Suggestion {
    /// The known name that is most like this one, if any is like it at all.
    pub(super) fn similar<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Self {
        known
            .map(|known| (strsim::normalized_damerau_levenshtein(name, known), known))
            .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map_or(Self::None, |(_, known)| Self::Similar(known.to_owned()))
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Similar(name) => write!(f, "; did you mean `{name}`?"),
            Self::Elsewhere { key, section } => write!(f, "; `{key}` belongs in [{section}]"),
            Self::None => Ok(()),
        }
    }
}

/// Of 1, where 1 is the same: `relm` for `realm` is 0.8, `user` for `users` too, `port` for `secret` 0.17.
const LEAST_LIKENESS: f64 = 0.55;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_close() {
        let known = ["realm", "listen", "workers"];
        let suggest = |name| Suggestion::similar(name, known.into_iter()).to_string();
        assert_eq!(suggest("relm"), "; did you mean `realm`?");
        assert_eq!(suggest("lsiten"), "; did you mean `listen`?");
        assert_eq!(suggest("certificate"), "");
    }
}
