//! `OnnxModel`: a file's network, and how to speak with it.

use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::Arc;

use tract_onnx::prelude::{Tensor, TractError, TractResult};

use super::error::{OnnxError, OnnxProblem};
use super::file::ModelFile;
use super::input::{COLOURS, InputForm, MOST_PICTURES};
use super::letterbox::{Letterbox, Scratch};
use super::metadata::Metadata;
use super::network::Network;
use super::nms::{MOST_BOXES, suppress};
use super::output::{Candidate, OutputForm};
use crate::demo::inference::Detection;
use crate::demo::video::Picture;

/// A detector's network and how to speak with it. It is loaded once, and any thread may run it.
#[derive(Debug)]
pub struct OnnxModel {
    network: Network,
    input: InputForm,
    output: OutputForm,
    pictures: Pictures,
    names: Vec<Arc<str>>,
    threshold: f32,
}

/// How many pictures one run takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pictures {
    Exactly(usize),
    UpTo(usize),
}

impl OnnxModel {
    /// Loads a model of the YOLO family, and runs it once to see that it can be.
    ///
    /// `batch` is how many pictures it may take at once if it leaves that open, 64 at most. `threshold` is how sure a
    /// detection has to be, from 0 to 1; 0.25 is usual.
    ///
    /// A batch of 1 is the quickest: a core computes YOLOv8n of 320×320 in 57 ms a picture by itself and 83 ms a picture
    /// in a batch of 4, and of 640×640 in 249 and 353 ms.
    pub fn load(path: &Path, batch: NonZeroUsize, threshold: f32) -> Result<Self, OnnxError> {
        Self::prepare(path, batch, threshold).map_err(|problem| OnnxError { path: path.to_owned(), problem })
    }

    /// How many pictures one run takes.
    pub fn pictures_at_once(&self) -> usize {
        match self.pictures {
            Pictures::Exactly(pictures) | Pictures::UpTo(pictures) => pictures,
        }
    }

    /// The names of its classes; none if its file has none, and they are called "0", "1" and so on.
    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    fn prepare(path: &Path, batch: NonZeroUsize, threshold: f32) -> Result<Self, OnnxProblem> {
        let file = ModelFile::read(path)?;
        let metadata = file.metadata()?;
        let input = file.input(&metadata)?;
        let most = batch.get().min(MOST_PICTURES);
        let any_number = if input.pictures.is_none() && most > 1 {
            // Many models leave the number open, but have 1 built in somewhere: these get one picture at a time.
            tried(&file, &input, &metadata, Pictures::UpTo(most)).ok()
        } else {
            None
        };
        let (network, output, pictures) = match any_number {
            Some((network, output)) => (network, output, Pictures::UpTo(most)),
            None => {
                let pictures = Pictures::Exactly(input.pictures.unwrap_or(1));
                let (network, output) = tried(&file, &input, &metadata, pictures)?;
                (network, output, pictures)
            }
        };
        Ok(Self { network, input, output, pictures, names: metadata.names.unwrap_or_default(), threshold })
    }

    /// Returns what is in pictures, of which there are at most as many as one run takes.
    pub(super) fn detect(
        &self,
        pictures: &[Arc<Picture>],
        scratch: &mut Scratch,
    ) -> TractResult<Vec<Vec<Detection>>> {
        let places = match self.pictures {
            Pictures::Exactly(places) => places,
            Pictures::UpTo(_) => pictures.len(),
        };
        let mut input = blank(&self.input, places)?;
        let mut view = input.try_as_plain_ram_mut()?;
        let per_picture = COLOURS * self.input.size.pixels();
        let mut letterboxes = Vec::with_capacity(pictures.len());
        for (picture, planes) in
            pictures.iter().zip(view.as_slice_mut::<f32>()?.chunks_exact_mut(per_picture))
        {
            let letterbox = Letterbox::new(picture, self.input.size);
            letterbox.fill(picture, planes, scratch);
            letterboxes.push(letterbox);
        }

        let output = self.network.run(input)?;
        if *output.shape() != [places, self.output.rows(), self.output.columns()] {
            return Err(TractError::msg(format!(
                "the model's output was of another shape, {:?}",
                output.shape()
            )));
        }
        let values = output.try_as_plain_ram()?.as_slice::<f32>()?;
        let of_each = values.chunks_exact(self.output.len());
        Ok(letterboxes
            .iter()
            .zip(of_each)
            .map(|(letterbox, values)| self.detections(values, letterbox))
            .collect())
    }

    fn detections(&self, values: &[f32], letterbox: &Letterbox) -> Vec<Detection> {
        let mut candidates = self.output.candidates(values, self.threshold, letterbox);
        if self.output.is_suppressed() {
            candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
            candidates.truncate(MOST_BOXES);
        } else {
            candidates = suppress(candidates);
        }
        let detection = |candidate: Candidate| Detection {
            class: self.name(candidate.class),
            area: candidate.area,
            score: candidate.score,
        };
        candidates.into_iter().map(detection).collect()
    }

    fn name(&self, class: usize) -> Arc<str> {
        self.names.get(class).cloned().unwrap_or_else(|| class.to_string().into())
    }
}

/// Makes a network and runs it once, so that what cannot be computed shows at the start.
fn tried(
    file: &ModelFile,
    input: &InputForm,
    metadata: &Metadata,
    pictures: Pictures,
) -> Result<(Network, OutputForm), OnnxProblem> {
    let (settled, places) = match pictures {
        Pictures::Exactly(places) => (Some(places), places),
        // Two are enough to tell.
        Pictures::UpTo(_) => (None, 2),
    };
    let attempt = || {
        let network = file.network(input, settled)?;
        let values = network.run(blank(input, places)?)?;
        Ok((network, values))
    };
    let (network, values) = without_panic(attempt).map_err(OnnxProblem::Graph)?;
    let output = match *values.shape() {
        [pictures, rows, columns] if pictures == places => {
            OutputForm::of([rows, columns], metadata, input.size)
        }
        _ => None,
    };
    match output {
        Some(output) => Ok((network, output)),
        None => Err(unfit_output(values.shape(), metadata)),
    }
}

/// tract meets some faults of a model, such as an axis that there is not, with a panic.
fn without_panic<T>(attempt: impl FnOnce() -> TractResult<T>) -> TractResult<T> {
    // Nothing that the attempt has touched outlives it.
    panic::catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Err(TractError::msg(text.unwrap_or_else(|| "for an unknown reason".to_owned())))
    })
}

/// Black pictures.
fn blank(input: &InputForm, pictures: usize) -> TractResult<Tensor> {
    Tensor::zero::<f32>(&[pictures, COLOURS, input.size.height, input.size.width])
}

fn unfit_output(shape: &[usize], metadata: &Metadata) -> OnnxProblem {
    let lengths: Vec<_> = shape.iter().map(ToString::to_string).collect();
    let names = metadata.names.as_ref().map(Vec::len);
    OnnxProblem::Output {
        found: lengths.join("×"),
        names: names.map_or_else(String::new, |names| format!(" with the {names} classes of its names")),
    }
}
