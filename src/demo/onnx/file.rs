//! `ModelFile`: an ONNX file as it was read, and the network that is made of it.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use tract_onnx::Onnx;
use tract_onnx::pb::{GraphProto, ModelProto};
use tract_onnx::prelude::{Framework, InferenceModelExt, IntoRunnable, TractError, TractResult};

use super::error::OnnxProblem;
use super::input::InputForm;
use super::metadata::Metadata;
use super::network::Network;

/// What a file holds.
pub(super) struct ModelFile {
    onnx: Onnx,
    proto: ModelProto,
    graph: GraphProto,
    folder: PathBuf,
}

impl ModelFile {
    /// Reads a file, of which nothing is computed yet.
    pub(super) fn read(path: &Path) -> Result<Self, OnnxProblem> {
        let about = fs::metadata(path).map_err(OnnxProblem::Unreadable)?;
        if !about.is_file() {
            return Err(OnnxProblem::NotAFile);
        }
        if about.len() > MOST_BYTES {
            return Err(OnnxProblem::TooLarge(about.len()));
        }
        let bytes = fs::read(path).map_err(OnnxProblem::Unreadable)?;
        // Shapes between the nodes follow from the input's, and those that an exporter noted may contradict them once the
        // input is settled.
        let onnx = tract_onnx::onnx().with_ignore_value_info(true);
        let mut proto = onnx.proto_model_for_read(&mut bytes.as_slice()).map_err(|_| OnnxProblem::NotOnnx)?;
        let graph = proto.graph.take().filter(|graph| !graph.node.is_empty()).ok_or(OnnxProblem::NotOnnx)?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { onnx, proto, graph, folder })
    }

    /// What the exporter has written about the model.
    pub(super) fn metadata(&self) -> Result<Metadata, OnnxProblem> {
        let entries = &self.proto.metadata_props;
        Metadata::read(entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())))
    }

    /// What the model takes.
    pub(super) fn input(&self, metadata: &Metadata) -> Result<InputForm, OnnxProblem> {
        InputForm::of(&self.graph, metadata)
    }

    /// Makes the network for so many pictures at once; `None` for any number.
    pub(super) fn network(&self, input: &InputForm, pictures: Option<usize>) -> TractResult<Network> {
        let mut graph = self.graph.clone();
        input.settle(&mut graph, pictures);
        if let Some(missing) = missing_value(&graph) {
            return Err(TractError::msg(format!("no node computes `{missing}`, which is used")));
        }
        // What is not asked for is not computed: detections are the first output, and masks or grids come after them.
        graph.output.truncate(1);
        let proto = ModelProto { graph: Some(graph), ..self.proto.clone() };
        let parsed = self.onnx.parse(&proto, self.folder.to_str())?;
        Ok(Network::new(parsed.model.into_optimized()?.into_runnable()?, input.is_half))
    }
}

/// The name of something that is used and comes from nowhere. tract panics at an output of that kind.
fn missing_value(graph: &GraphProto) -> Option<&str> {
    let computed = graph.node.iter().flat_map(|node| &node.output);
    let weights = graph.initializer.iter().map(|weight| &weight.name);
    let given = graph.input.iter().map(|input| &input.name);
    let known: HashSet<&String> = computed.chain(weights).chain(given).collect();
    let read = graph.node.iter().flat_map(|node| &node.input);
    let written = graph.output.iter().map(|output| &output.name);
    // An optional input that is left out has no name.
    read.chain(written).find(|name| !name.is_empty() && !known.contains(name)).map(String::as_str)
}

/// 2 GiB: a protobuf message is no larger.
const MOST_BYTES: u64 = 2 << 30;
