//! `OnnxError`: why a model cannot be used, and what mends it.

use std::io;
use std::path::PathBuf;

use tract_onnx::prelude::TractError;

use super::input::{LONGEST_SIDE, MOST_PICTURES};
use super::names::NamesError;

/// Why the model of a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the model {} cannot be used: {problem}", path.display())]
pub struct OnnxError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: OnnxProblem,
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum OnnxProblem {
    /// The file cannot be read.
    #[error("{0}; give the path of an .onnx file that this process may read")]
    Unreadable(io::Error),
    /// A folder, or something else that is no file.
    #[error("it is not a file; give the path of an .onnx file")]
    NotAFile,
    /// Larger than ONNX allows.
    #[error("it has {0} bytes, and an ONNX file has at most 2 GiB; export a smaller model")]
    TooLarge(u64),
    /// The file holds something else.
    #[error("it is not an ONNX file; export the model anew, such as with `yolo export format=onnx`")]
    NotOnnx,
    /// The classes cannot be told.
    #[error("its metadata `names` is not a list of classes such as {{0: 'mole'}}: {0}; export it anew")]
    Names(NamesError),
    /// The size cannot be told.
    #[error("its metadata `imgsz` is `{0}` instead of a size such as [640, 640]; export it anew")]
    MetadataSize(String),
    /// A model that finds no boxes.
    #[error(
        "it was made for the task `{0}`, and only `detect`, `segment` and `pose` give boxes; export such a model"
    )]
    Task(String),
    /// Not one input.
    #[error("it has {0} inputs instead of one picture; export a detector of the YOLO family")]
    InputCount(usize),
    /// An input that is no picture.
    #[error(
        "its input is {0} instead of float32 or float16 of 1×3×height×width; export a detector of the YOLO family"
    )]
    Input(String),
    /// An input too large to compute with.
    #[error(
        "its input is {width}×{height} pixels, and from 1×1 to {most}×{most} can be used; export it with an `imgsz` of that",
        most = LONGEST_SIDE
    )]
    InputSize {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// A fixed batch too large to compute with.
    #[error(
        "it takes {0} pictures at once, and from 1 to {most} can be used; export it with `batch=1`",
        most = MOST_PICTURES
    )]
    Batch(usize),
    /// Something in it cannot be computed.
    #[error("it cannot be computed: {0:#}; export it with opset 17 and `simplify=True`, without `nms=True`")]
    Graph(TractError),
    /// The computation gives something else than boxes.
    #[error(
        "its first output is {found}, which is none of the YOLO family's: N×(5+classes), (4+classes)×N or N×6{names}; export a detector"
    )]
    Output {
        /// Its shape.
        found: String,
        /// How many names of classes the metadata has, in words.
        names: String,
    },
}
