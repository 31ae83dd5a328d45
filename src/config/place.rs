//! Where a value was written: a file with line and column, or an environment variable.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Somewhere in a file, or nowhere in particular.
    File {
        /// The file.
        path: PathBuf,
        /// Line and column, both from 1; the column counts characters.
        position: Option<(usize, usize)>,
    },
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, position: Some((line, column)) } => {
                write!(f, "{}:{line}:{column}", path.display())
            }
            Self::File { path, position: None } => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// The place of every key that was written, by the path of the key, such as `gateway.keys[0].id`.
#[derive(Debug, Clone)]
pub(super) struct Places {
    file: PathBuf,
    known: BTreeMap<String, Place>,
}

impl Places {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), known: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, key: String, place: Place) {
        self.known.insert(key, place);
    }

    /// The place of the key, of what holds it, or else the whole file.
    pub(super) fn of(&self, key: &str) -> Place {
        let mut key = key;
        loop {
            if let Some(place) = self.known.get(key) {
                return place.clone();
            }
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => {
                    return Place::File { path: self.file.clone(), position: None };
                }
            }
        }
    }

    /// The environment variables that were used.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        let mut names: Vec<&str> = self
            .known
            .values()
            .filter_map(|place| match place {
                Place::Variable(name) => Some(name.as_str()),
                Place::File { .. } => None,
            })
            .collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter()
    }
}

/// The line and column of a byte of the text.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_from_one() {
        assert_eq!(position("", 0), (1, 1));
        assert_eq!(position("a = 1\nß = 2", 8), (2, 2));
        assert_eq!(position("a", 99), (1, 2));
    }

    #[test]
    fn falls_back_to_what_holds_the_key() {
        let mut places = Places::new(Path::new("t.toml"));
        places.add("gateway.keys".into(), Place::Variable("KEYS".into()));
        assert_eq!(places.of("gateway.keys[1].id").to_string(), "KEYS");
        assert_eq!(places.of("turn.realm").to_string(), "t.toml");
        assert_eq!(places.variables().collect::<Vec<_>>(), ["KEYS"]);
    }
}
