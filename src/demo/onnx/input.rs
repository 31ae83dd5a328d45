//! `InputForm`: what a model takes.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::Dimension;
use tract_onnx::pb::tensor_shape_proto::dimension::Value;
use tract_onnx::pb::{GraphProto, ValueInfoProto, type_proto};

use super::error::OnnxProblem;
use super::letterbox::PixelSize;
use super::metadata::Metadata;

/// What a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InputForm {
    pub(super) size: PixelSize,
    /// How many pictures at once, neither more nor fewer; `None` if the model leaves that open.
    pub(super) pictures: Option<usize>,
    /// Whether its numbers have 16 bits instead of 32.
    pub(super) is_half: bool,
}

impl InputForm {
    /// Finds the one input that is a batch of RGB pictures. What it leaves open of their size is as the metadata has it, or
    /// 640 pixels.
    pub(super) fn of(graph: &GraphProto, metadata: &Metadata) -> Result<Self, OnnxProblem> {
        let inputs: Vec<_> = graph.input.iter().filter(|input| is_no_weight(graph, input)).collect();
        let [input] = inputs[..] else {
            return Err(OnnxProblem::InputCount(inputs.len()));
        };
        let unfit = || OnnxProblem::Input(described(input));
        let tensor = tensor(input).ok_or_else(unfit)?;
        let is_half = match DataType::try_from(tensor.elem_type) {
            Ok(DataType::Float) => false,
            Ok(DataType::Float16) => true,
            _ => return Err(unfit()),
        };
        let dimensions = tensor.shape.as_ref().map(|shape| shape.dim.as_slice()).unwrap_or_default();
        let [pictures, colours, height, width] = dimensions else {
            return Err(unfit());
        };
        if fixed(colours).is_some_and(|colours| colours != COLOURS) {
            return Err(unfit());
        }
        let open = metadata.input_size.unwrap_or(USUAL_SIZE);
        let size = PixelSize {
            width: fixed(width).unwrap_or(open.width),
            height: fixed(height).unwrap_or(open.height),
        };
        let may_be = 1..=LONGEST_SIDE;
        if !may_be.contains(&size.width) || !may_be.contains(&size.height) {
            return Err(OnnxProblem::InputSize { width: size.width, height: size.height });
        }
        match fixed(pictures) {
            Some(pictures) if pictures > MOST_PICTURES => Err(OnnxProblem::Batch(pictures)),
            pictures => Ok(Self { size, pictures, is_half }),
        }
    }

    /// Writes into the graph what this form has settled. `pictures` of `None` leaves their number open.
    pub(super) fn settle(&self, graph: &mut GraphProto, pictures: Option<usize>) {
        let number = |number: usize| Value::DimValue(i64::try_from(number).unwrap_or(i64::MAX));
        let values = [
            pictures.map_or_else(|| Value::DimParam(OPEN_BATCH.to_owned()), number),
            number(COLOURS),
            number(self.size.height),
            number(self.size.width),
        ];
        let weights: Vec<_> = graph.initializer.iter().map(|weight| weight.name.clone()).collect();
        let input = graph.input.iter_mut().find(|input| !weights.contains(&input.name));
        let value = input.and_then(|input| input.r#type.as_mut()).and_then(|kind| kind.value.as_mut());
        if let Some(type_proto::Value::TensorType(tensor)) = value
            && let Some(shape) = &mut tensor.shape
        {
            for (dimension, value) in shape.dim.iter_mut().zip(values) {
                dimension.value = Some(value);
            }
        }
    }
}

/// Old exporters list weights among the inputs.
fn is_no_weight(graph: &GraphProto, input: &ValueInfoProto) -> bool {
    graph.initializer.iter().all(|weight| weight.name != input.name)
}

fn tensor(input: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    let type_proto::Value::TensorType(tensor) = input.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

/// A length, unless it is left open.
fn fixed(dimension: &Dimension) -> Option<usize> {
    match &dimension.value {
        Some(Value::DimValue(length)) => usize::try_from(*length).ok().filter(|length| *length > 0),
        Some(Value::DimParam(_)) | None => None,
    }
}

/// An input's type and shape, to be shown.
fn described(input: &ValueInfoProto) -> String {
    let Some(tensor) = tensor(input) else {
        return "of no type".to_owned();
    };
    let kind = DataType::try_from(tensor.elem_type).map_or("UNKNOWN", |kind| kind.as_str_name());
    let lengths = tensor.shape.iter().flat_map(|shape| &shape.dim).take(MOST_SHOWN);
    let lengths: Vec<_> = lengths
        .map(|length| fixed(length).map_or_else(|| "?".to_owned(), |length| length.to_string()))
        .collect();
    let shape = if lengths.is_empty() { "no shape".to_owned() } else { lengths.join("×") };
    format!("{} of {shape}", kind.to_lowercase())
}

/// Red, green and blue.
pub(super) const COLOURS: usize = 3;

/// The size that YOLO models are trained at unless somebody wanted another.
const USUAL_SIZE: PixelSize = PixelSize { width: 640, height: 640 };

/// Pixels. Of a model of the smallest kind, an input of this size takes some 350 billion multiplications.
pub(super) const LONGEST_SIDE: usize = 4096;

/// Pictures in one run. More gain nothing: a core has its hands full with one.
pub(super) const MOST_PICTURES: usize = 64;

/// Dimensions that an error message shows; ONNX names no bound.
const MOST_SHOWN: usize = 8;

/// The name of the number of pictures that is not settled.
const OPEN_BATCH: &str = "pictures";
