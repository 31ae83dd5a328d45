//! The file and the environment as one tree of values that remembers where each was written.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde_path_to_error::Segment;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{Cause, ConfigError, ConfigErrors};
use super::keys::{Shape, options};
use super::place::{Place, Places, position};
use super::schema::Schema;
use super::suggestion::Suggestion;
use super::values::Values;

/// The tree of values.
pub(super) struct Document<'a> {
    shape: &'a Shape,
    tree: DeTable<'a>,
    places: Places,
    errors: ConfigErrors,
}

impl<'a> Document<'a> {
    /// Reads a file's text. Keys that do not exist become errors and leave the tree.
    pub(super) fn parse(path: &Path, text: &'a str, shape: &'a Shape) -> Self {
        let at = |span: Range<usize>| Place::File {
            path: path.to_owned(),
            position: Some(position(text, span.start)),
        };
        let mut document =
            Self { shape, tree: DeTable::new(), places: Places::new(path), errors: ConfigErrors::default() };
        match DeTable::parse(text) {
            Ok(tree) => {
                let mut tree = Spanned::new(tree.span(), DeValue::Table(tree.into_inner()));
                document.admit("", &mut tree, shape, &at);
                if let DeValue::Table(tree) = tree.into_inner() {
                    document.tree = tree;
                }
            }
            Err(error) => {
                let place = at(error.span().unwrap_or_default());
                document.errors.push(ConfigError::new(place, Cause::Syntax(error)));
            }
        }
        document
    }

    /// Puts a value from elsewhere over the file's.
    pub(super) fn put(&mut self, key: &str, shape: &Shape, value: DeValue<'a>, place: &Place) {
        let mut value = Spanned::new(0..0, value);
        if !self.admit(key, &mut value, shape, &|_| place.clone()) {
            return;
        }
        let mut table = &mut self.tree;
        let (sections, name) = key.rsplit_once('.').unwrap_or(("", key));
        for section in sections.split('.').filter(|section| !section.is_empty()) {
            let inner = table
                .entry(Spanned::new(0..0, section.to_owned().into()))
                .or_insert_with(|| Spanned::new(0..0, DeValue::Table(DeTable::new())));
            let DeValue::Table(inner) = inner.get_mut() else {
                return;
            };
            table = inner;
        }
        table.insert(Spanned::new(0..0, name.to_owned().into()), value);
    }

    /// What was written for each option.
    pub(super) fn values(&self) -> Values {
        Values::of(&self.tree, self.shape)
    }

    /// Notes what is wrong with a source of values.
    pub(super) fn refuse(&mut self, error: ConfigError) {
        self.errors.push(error);
    }

    /// Turns the tree into the schema's types.
    ///
    /// serde stops at the first wrong value. To find them all, each one leaves the tree and serde starts again.
    pub(super) fn read(mut self) -> Result<(Schema, Places), ConfigErrors> {
        let mut removed = BTreeMap::new();
        loop {
            let tree = Spanned::new(0..0, self.tree.clone());
            let error = match serde_path_to_error::deserialize(toml::de::Deserializer::from(tree)) {
                Ok(schema) if self.errors.is_empty() => return Ok((schema, self.places)),
                Ok(_) => return Err(self.errors),
                Err(error) => error,
            };
            let segments: Vec<Segment> = error.path().iter().cloned().collect();
            let key = remove(&mut self.tree, &segments, &mut removed);
            let place = self.places.of(key.as_deref().unwrap_or_default());
            let found = ConfigError::new(place, Cause::Value(error.into_inner()));
            let Some(key) = key else {
                self.errors.push(found);
                return Err(self.errors);
            };
            self.errors.push(found.of(&key));
        }
    }

    /// Notes the places of a value and of all that it holds; tells whether it fits the shape so far that serde should
    /// see it.
    fn admit(
        &mut self,
        key: &str,
        value: &mut Spanned<DeValue<'_>>,
        shape: &Shape,
        at: &dyn Fn(Range<usize>) -> Place,
    ) -> bool {
        let place = at(value.span());
        if !key.is_empty() {
            self.places.add(key.to_owned(), place.clone());
        }
        let cause = match (shape, value.get_mut()) {
            (Shape::Table(keys), DeValue::Table(table)) => {
                self.admit_table(key, table, keys, at);
                return true;
            }
            (Shape::Tables(keys), DeValue::Array(tables)) => {
                return self.admit_tables(key, tables, keys, at);
            }
            (Shape::Texts, DeValue::Array(texts)) => {
                for (index, text) in texts.iter().enumerate() {
                    self.places.add(format!("{key}[{index}]"), at(text.span()));
                }
                return true;
            }
            // serde's own message would quote the value, which may be a secret.
            (Shape::Tables(_), _) => Cause::NotRepeated,
            (Shape::Table(_), DeValue::Array(_)) => Cause::Repeated,
            (Shape::Table(_), _) => Cause::NoTable,
            (Shape::Texts, _) => Cause::NoList,
            (Shape::Text | Shape::Literal, _) => return true,
        };
        self.errors.push(ConfigError::new(place, cause).of(key));
        false
    }

    fn admit_tables(
        &mut self,
        key: &str,
        tables: &mut [Spanned<DeValue<'_>>],
        keys: &BTreeMap<String, Shape>,
        at: &dyn Fn(Range<usize>) -> Place,
    ) -> bool {
        let mut fits = true;
        for (index, element) in tables.iter_mut().enumerate() {
            let key = format!("{key}[{index}]");
            let place = at(element.span());
            self.places.add(key.clone(), place.clone());
            if let DeValue::Table(table) = element.get_mut() {
                self.admit_table(&key, table, keys, at);
            } else {
                self.errors.push(ConfigError::new(place, Cause::NotRepeated).of(&key));
                fits = false;
            }
        }
        fits
    }

    fn admit_table(
        &mut self,
        section: &str,
        table: &mut DeTable<'_>,
        keys: &BTreeMap<String, Shape>,
        at: &dyn Fn(Range<usize>) -> Place,
    ) {
        let written = std::mem::take(table);
        for (name, mut value) in written {
            let Some(shape) = keys.get(name.get_ref().as_ref()) else {
                let cause = self.unknown_key(name.get_ref(), section, keys);
                self.errors.push(ConfigError::new(at(name.span()), cause));
                continue;
            };
            let key = if section.is_empty() {
                name.get_ref().to_string()
            } else {
                format!("{section}.{}", name.get_ref())
            };
            if self.admit(&key, &mut value, shape, at) {
                table.insert(name, value);
            }
        }
    }

    fn unknown_key(&self, name: &str, section: &str, keys: &BTreeMap<String, Shape>) -> Cause {
        let mut suggestion = Suggestion::similar(name, keys.keys().map(String::as_str));
        if suggestion == Suggestion::None {
            let elsewhere = options(self.shape).into_iter().find_map(|(path, _)| {
                let (section, key) = path.rsplit_once('.')?;
                (key == name)
                    .then(|| Suggestion::Elsewhere { key: key.to_owned(), section: section.to_owned() })
            });
            suggestion = elsewhere.unwrap_or(Suggestion::None);
        }
        Cause::UnknownKey { key: name.to_owned(), section: section.to_owned(), suggestion }
    }
}

/// Takes the value that serde refused out of the tree and returns its key, or `None` if nothing is there.
///
/// An element leaves its list together with those before it, which serde had accepted; `removed` counts them, so that
/// the keys of the later ones stay true.
fn remove(
    tree: &mut DeTable<'_>,
    segments: &[Segment],
    removed: &mut BTreeMap<String, usize>,
) -> Option<String> {
    let mut table = tree;
    let mut key = String::new();
    for (depth, segment) in segments.iter().enumerate() {
        let Segment::Map { key: name } = segment else {
            return None;
        };
        let section = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        match segments.get(depth + 1) {
            Some(Segment::Seq { index }) => {
                let Some(DeValue::Array(elements)) = table.get_mut(name.as_str()).map(Spanned::get_mut)
                else {
                    return None;
                };
                *elements = std::mem::replace(elements, DeArray::new()).into_iter().skip(index + 1).collect();
                let before = removed.entry(section.clone()).or_default();
                let element = format!("{section}[{}]", *before + index);
                *before += index + 1;
                let longer = |key: String, inner: &Segment| match inner {
                    Segment::Seq { index } => format!("{key}[{index}]"),
                    Segment::Map { .. } | Segment::Enum { .. } | Segment::Unknown => format!("{key}.{inner}"),
                };
                return Some(segments[depth + 2..].iter().fold(element, longer));
            }
            Some(Segment::Map { .. }) => {
                let Some(DeValue::Table(inner)) = table.get_mut(name.as_str()).map(Spanned::get_mut) else {
                    return None;
                };
                (table, key) = (inner, section);
            }
            Some(Segment::Enum { .. } | Segment::Unknown) | None => {
                return table.remove(name.as_str()).map(|_| section);
            }
        }
    }
    None
}
