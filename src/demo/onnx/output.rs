//! `OutputForm`: how a model of the YOLO family writes its boxes, and what is read from them.

use super::letterbox::{Letterbox, PixelSize};
use super::metadata::Metadata;
use crate::demo::inference::Area;

/// A box that may become a detection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) class: usize,
    pub(super) score: f32,
    /// In pixels of the picture, within it.
    pub(super) area: Area,
}

/// How the boxes of one picture are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct OutputForm {
    layout: Layout,
    rows: usize,
    columns: usize,
    classes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// YOLOv5 and v7: each row is a box by its centre and size, how surely there is one, and how surely of each class.
    Rows,
    /// YOLOv8, v9 and v11: each column is a box by its centre and size, and how surely there is one of each class.
    Columns,
    /// YOLOv10 and models that suppress by themselves: each row is a box by two corners, its score, and its class.
    EndToEnd,
}

impl OutputForm {
    /// Tells the form from an output's shape without the batch; `None` if it is none of the YOLO family.
    pub(super) fn of([rows, columns]: [usize; 2], metadata: &Metadata, input: PixelSize) -> Option<Self> {
        if rows == 0 || columns == 0 {
            return None;
        }
        let names = metadata.names.as_ref().map(Vec::len);
        let classes = |attributes: usize, others: usize| {
            match names {
                Some(names) if metadata.has_extras => (attributes > others + names).then_some(names),
                Some(names) => (attributes == others + names).then_some(names),
                None if metadata.has_extras => None,
                None => attributes.checked_sub(others),
            }
            .filter(|classes| *classes > 0)
        };

        if is_end_to_end([rows, columns], metadata, input) {
            return Some(Self {
                layout: Layout::EndToEnd,
                rows,
                columns,
                classes: names.unwrap_or(usize::MAX),
            });
        }
        // There are more boxes than numbers for each, unless the names say otherwise.
        let in_rows = classes(columns, OTHERS_IN_ROWS).filter(|_| rows > columns || names.is_some());
        let in_columns = classes(rows, OTHERS_IN_COLUMNS).filter(|_| rows <= columns || names.is_some());
        let (layout, classes) = match (in_rows, in_columns) {
            (Some(classes), other) if rows > columns || other.is_none() => (Layout::Rows, classes),
            (_, Some(classes)) => (Layout::Columns, classes),
            (_, None) => return None,
        };
        Some(Self { layout, rows, columns, classes })
    }

    /// Rows of one picture.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Numbers of a row.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Numbers of one picture.
    pub(super) fn len(&self) -> usize {
        self.rows * self.columns
    }

    /// Returns the boxes of one picture that are surer than `threshold`, in no order, `MOST_CANDIDATES` of them at most.
    ///
    /// # Panics
    ///
    /// If there are not as many values as `len` says.
    pub(super) fn candidates(&self, values: &[f32], threshold: f32, letterbox: &Letterbox) -> Vec<Candidate> {
        assert_eq!(values.len(), self.len());
        let mut candidates = match self.layout {
            Layout::Rows => self.read_rows(values, threshold, letterbox),
            Layout::Columns => self.read_columns(values, threshold, letterbox),
            Layout::EndToEnd => self.read_end_to_end(values, threshold, letterbox),
        };
        if candidates.len() > MOST_CANDIDATES {
            candidates.select_nth_unstable_by(MOST_CANDIDATES, |a, b| b.score.total_cmp(&a.score));
            candidates.truncate(MOST_CANDIDATES);
        }
        candidates
    }

    /// Whether the model itself has suppressed boxes that mean the same thing.
    pub(super) fn is_suppressed(&self) -> bool {
        self.layout == Layout::EndToEnd
    }

    fn read_rows(&self, values: &[f32], threshold: f32, letterbox: &Letterbox) -> Vec<Candidate> {
        let read = |row: &[f32]| {
            let objectness = row[4];
            // Most rows are no box: they end here, before their classes are looked at.
            if objectness <= threshold {
                return None;
            }
            let classes = &row[OTHERS_IN_ROWS..][..self.classes];
            let (class, best) = classes.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
            let corners = corners([row[0], row[1], row[2], row[3]]);
            candidate(class, objectness * best, threshold, corners, letterbox)
        };
        values.chunks_exact(self.columns).filter_map(read).collect()
    }

    fn read_columns(&self, values: &[f32], threshold: f32, letterbox: &Letterbox) -> Vec<Candidate> {
        let mut scores = vec![threshold; self.columns];
        let mut best_classes = vec![0; self.columns];
        let classes = values.chunks_exact(self.columns).skip(OTHERS_IN_COLUMNS).take(self.classes);
        for (class, of_class) in classes.enumerate() {
            for ((value, score), best_class) in of_class.iter().zip(&mut scores).zip(&mut best_classes) {
                if value > score {
                    *score = *value;
                    *best_class = class;
                }
            }
        }
        let read = |(column, (score, class)): (usize, (f32, usize))| {
            let place = [0, 1, 2, 3].map(|row| values[row * self.columns + column]);
            candidate(class, score, threshold, corners(place), letterbox)
        };
        scores.into_iter().zip(best_classes).enumerate().filter_map(read).collect()
    }

    fn read_end_to_end(&self, values: &[f32], threshold: f32, letterbox: &Letterbox) -> Vec<Candidate> {
        let read = |row: &[f32]| {
            let class = row[5];
            let is_class = class >= 0.0 && class.fract() == 0.0 && class <= LARGEST_CLASS;
            let class = is_class.then_some(class as usize).filter(|class| *class < self.classes)?;
            candidate(class, row[4], threshold, [row[0], row[1], row[2], row[3]], letterbox)
        };
        values.chunks_exact(self.columns).filter_map(read).collect()
    }
}

/// Six numbers a row are corners, score and class, unless one class is all there is and there are as many rows as YOLOv5
/// has boxes.
fn is_end_to_end([rows, columns]: [usize; 2], metadata: &Metadata, input: PixelSize) -> bool {
    let may_be_one_class = metadata.names.as_ref().is_none_or(|names| names.len() == 1);
    if metadata.is_end_to_end {
        columns == END_TO_END_COLUMNS || (metadata.has_extras && columns > END_TO_END_COLUMNS)
    } else {
        columns == END_TO_END_COLUMNS
            && !(may_be_one_class && STRIDES.iter().any(|strides| rows == anchors(strides, input)))
    }
}

/// Boxes of YOLOv5 and v7: three at each place of each grid.
fn anchors(strides: &[usize], input: PixelSize) -> usize {
    strides.iter().map(|stride| 3 * (input.width / stride) * (input.height / stride)).sum()
}

/// The corners of a box that is given by its centre and size.
fn corners([x, y, width, height]: [f32; 4]) -> [f32; 4] {
    [x - width / 2.0, y - height / 2.0, x + width / 2.0, y + height / 2.0]
}

fn candidate(
    class: usize,
    score: f32,
    threshold: f32,
    corners: [f32; 4],
    letterbox: &Letterbox,
) -> Option<Candidate> {
    let is_finite = score.is_finite() && corners.iter().all(|corner| corner.is_finite());
    if !is_finite || score <= threshold {
        return None;
    }
    Some(Candidate { class, score: score.min(1.0), area: letterbox.area_in_picture(corners)? })
}

/// Numbers of a box before its classes: centre, size and objectness.
const OTHERS_IN_ROWS: usize = 5;

/// Likewise: centre and size.
const OTHERS_IN_COLUMNS: usize = 4;

/// Two corners, score, class.
const END_TO_END_COLUMNS: usize = 6;

/// Pixels of the input from one place of a grid to the next, of the models with three grids and with four.
const STRIDES: [&[usize]; 2] = [&[8, 16, 32], &[8, 16, 32, 64]];

/// Of what a model without suppression may find ten times over, this is as many boxes as are kept in the end. It bounds the
/// time of suppression.
const MOST_CANDIDATES: usize = 10 * super::nms::MOST_BOXES;

/// Numbers up to here are exact in 32-bit floats, and no model has so many classes.
const LARGEST_CLASS: f32 = 1e6;
