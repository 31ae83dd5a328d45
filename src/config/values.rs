//! `Values`: what was written for each option, to tell later what has changed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use toml::de::{DeTable, DeValue};

use super::keys::{Shape, options};

/// A fingerprint of the value of each option that was written; not the values, as there are secrets among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, u64>);

impl Values {
    pub(super) fn of(tree: &DeTable<'_>, shape: &Shape) -> Self {
        let written = options(shape).into_iter().filter_map(|(path, _)| {
            let mut hasher = DefaultHasher::new();
            hash(find(tree, &path)?, &mut hasher);
            Some((path, hasher.finish()))
        });
        Self(written.collect())
    }

    /// The options whose values differ, in the order of their names; a repeated section is one option.
    pub fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        let mut names: Vec<&str> = self.0.keys().chain(other.0.keys()).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter(|&name| self.0.get(name) != other.0.get(name))
    }

    /// Takes over from others the values of those options that a condition holds for.
    pub fn take_over(&mut self, others: &Self, condition: impl Fn(&str) -> bool) {
        self.0.retain(|option, _| !condition(option));
        let taken = others.0.iter().filter(|(option, _)| condition(option));
        self.0.extend(taken.map(|(option, &value)| (option.clone(), value)));
    }
}

fn find<'t, 'a>(tree: &'t DeTable<'a>, path: &str) -> Option<&'t DeValue<'a>> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = tree.get(first)?.get_ref();
    match (rest, value) {
        (None, value) => Some(value),
        (Some(rest), DeValue::Table(inner)) => find(inner, rest),
        (Some(_), _) => None,
    }
}

/// Hashes a value without the place where it was written.
fn hash(value: &DeValue<'_>, hasher: &mut DefaultHasher) {
    match value {
        DeValue::String(text) => text.hash(hasher),
        DeValue::Integer(number) => number.to_string().hash(hasher),
        DeValue::Float(number) => number.to_string().hash(hasher),
        DeValue::Boolean(is_true) => is_true.hash(hasher),
        DeValue::Datetime(moment) => moment.to_string().hash(hasher),
        DeValue::Array(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| hash(item.get_ref(), hasher));
        }
        DeValue::Table(entries) => {
            entries.len().hash(hasher);
            for (key, value) in entries {
                key.get_ref().hash(hasher);
                hash(value.get_ref(), hasher);
            }
        }
    }
}
