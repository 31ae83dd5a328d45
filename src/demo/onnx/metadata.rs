//! `Metadata`: what an exporter has written about a model into its file.

use std::sync::Arc;

use super::error::OnnxProblem;
use super::letterbox::PixelSize;
use super::names::parse_names;

/// What the model says of itself, as far as it matters here; the keys are those of the Ultralytics exporter.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Metadata {
    /// `names`: of the classes.
    pub(super) names: Option<Vec<Arc<str>>>,
    /// `imgsz`: height and width of the input.
    pub(super) input_size: Option<PixelSize>,
    /// `task`: whether masks or key points come with each box.
    pub(super) has_extras: bool,
    /// `end2end`: whether the model has left the best boxes only.
    pub(super) is_end_to_end: bool,
}

impl Metadata {
    /// Reads the entries that matter.
    pub(super) fn read<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, OnnxProblem> {
        let mut metadata = Self::default();
        for (key, value) in entries {
            match key {
                "names" => metadata.names = Some(parse_names(value).map_err(OnnxProblem::Names)?),
                "imgsz" => metadata.input_size = Some(input_size(value)?),
                "task" => metadata.has_extras = has_extras(value)?,
                "end2end" => metadata.is_end_to_end = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        Ok(metadata)
    }
}

/// `[480, 640]`, the height first, or one number for both.
fn input_size(text: &str) -> Result<PixelSize, OnnxProblem> {
    let inner = text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
    let numbers: Result<Vec<usize>, _> = inner.split(',').map(|number| number.trim().parse()).collect();
    match numbers.as_deref() {
        Ok([both]) => Ok(PixelSize { width: *both, height: *both }),
        Ok([height, width]) => Ok(PixelSize { width: *width, height: *height }),
        _ => Err(OnnxProblem::MetadataSize(text.chars().take(MOST_QUOTED).collect())),
    }
}

fn has_extras(task: &str) -> Result<bool, OnnxProblem> {
    match task {
        "detect" => Ok(false),
        "segment" | "pose" => Ok(true),
        other => Err(OnnxProblem::Task(other.chars().take(MOST_QUOTED).collect())),
    }
}

/// Characters of the file's that an error message quotes.
const MOST_QUOTED: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, value: &str) -> Result<Metadata, OnnxProblem> {
        Metadata::read([(key, value)].into_iter())
    }

    #[test]
    fn reads_what_the_exporter_writes() {
        let entries = [
            ("description", "a model"),
            ("names", "{0: 'mole'}"),
            ("imgsz", "[480, 640]"),
            ("task", "segment"),
            ("end2end", "True"),
        ];
        let metadata = Metadata::read(entries.into_iter()).unwrap();
        assert_eq!(metadata.names, Some(vec!["mole".into()]));
        assert_eq!(metadata.input_size, Some(PixelSize { width: 640, height: 480 }));
        assert!(metadata.has_extras);
        assert!(metadata.is_end_to_end);
    }

    #[test]
    fn needs_none_of_it() {
        assert_eq!(read("author", "somebody").unwrap(), Metadata::default());
    }

    #[test]
    fn reads_one_size_for_both_sides() {
        assert_eq!(read("imgsz", "320").unwrap().input_size, Some(PixelSize { width: 320, height: 320 }));
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for (key, value) in [
            ("imgsz", "large"),
            ("imgsz", "[1, 2, 3]"),
            ("imgsz", "[-1, 2]"),
            ("imgsz", ""),
            ("names", "mole"),
            ("task", "classify"),
            ("task", "obb"),
        ] {
            assert!(read(key, value).is_err(), "{key}={value}");
        }
    }
}
