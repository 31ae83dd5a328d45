//! ONNX models that tests make: tiny ones whose output is known.

use prost::Message;
use tempfile::NamedTempFile;
use tract_onnx::pb::attribute_proto::AttributeType;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto,
};

/// A length of the input: a number, or a name for one that is left open.
#[derive(Clone, Copy)]
pub(super) enum Length {
    Fixed(i64),
    Open(&'static str),
}

/// Side of the input, unless a test says otherwise.
pub(super) const SIDE: i64 = 64;

/// Pictures of 64×64 pixels, so many at once.
pub(super) fn pictures(batch: Length) -> [Length; 4] {
    [batch, Length::Fixed(3), Length::Fixed(SIDE), Length::Fixed(SIDE)]
}

/// A model whose output is always the same.
pub(super) fn constant(shape: &[usize], values: &[f32]) -> ModelProto {
    let value = AttributeProto {
        name: "value".into(),
        r#type: AttributeType::Tensor.into(),
        t: Some(tensor("", shape, values)),
        ..AttributeProto::default()
    };
    model(pictures(Length::Fixed(1)), vec![node("Constant", &[], "output0", vec![value])], Vec::new())
}

/// A model that finds one box in each picture, with its centre at 32, 24 of the input and 16×8 in size. How surely it is
/// `red` is how red the picture is in the mean; likewise `blue`.
pub(super) fn red_or_blue(batch: Length) -> ModelProto {
    let nodes = vec![
        node("GlobalAveragePool", &["images"], "means", Vec::new()),
        node("Conv", &["means", "weights", "bias"], "columns", Vec::new()),
        node("Squeeze", &["columns"], "output0", vec![integers("axes", &[3])]),
    ];
    let mut weights = [0.0; 6 * 3];
    weights[4 * 3] = 1.0;
    weights[5 * 3 + 2] = 1.0;
    let weights = vec![
        tensor("weights", &[6, 3, 1, 1], &weights),
        tensor("bias", &[6], &[32.0, 24.0, 16.0, 8.0, 0.0, 0.0]),
    ];
    with_metadata(model(pictures(batch), nodes, weights), &[("names", "{0: 'red', 1: 'blue'}")])
}

/// The same model, which says that it takes any number of pictures, and takes one.
pub(super) fn red_or_blue_with_one_built_in() -> ModelProto {
    let mut model = red_or_blue(Length::Open("batch"));
    let graph = model.graph.as_mut().unwrap();
    graph.node[2] = node("Reshape", &["columns", "shape"], "output0", Vec::new());
    graph.initializer.push(TensorProto {
        name: "shape".into(),
        dims: vec![3],
        data_type: DataType::Int64.into(),
        int64_data: vec![1, 6, 1],
        ..TensorProto::default()
    });
    model
}

/// The same model, with an input of 16-bit numbers.
pub(super) fn red_or_blue_of_half_floats() -> ModelProto {
    let mut model = red_or_blue(Length::Fixed(1));
    let graph = model.graph.as_mut().unwrap();
    let to = AttributeProto {
        name: "to".into(),
        r#type: AttributeType::Int.into(),
        i: i64::from(i32::from(DataType::Float)),
        ..AttributeProto::default()
    };
    graph.input = vec![value("halves", DataType::Float16, &pictures(Length::Fixed(1)))];
    graph.node.insert(0, node("Cast", &["halves"], "images", vec![to]));
    model
}

/// Adds metadata.
pub(super) fn with_metadata(mut model: ModelProto, entries: &[(&str, &str)]) -> ModelProto {
    let entry =
        |(key, value): &(&str, &str)| StringStringEntryProto { key: (*key).into(), value: (*value).into() };
    model.metadata_props.extend(entries.iter().map(entry));
    model
}

/// Gives the model another input.
pub(super) fn with_input(mut model: ModelProto, kind: DataType, lengths: &[Length]) -> ModelProto {
    model.graph.as_mut().unwrap().input = vec![value("images", kind, lengths)];
    model
}

/// Writes a model into a file.
pub(super) fn saved(model: &ModelProto) -> NamedTempFile {
    saved_bytes(&model.encode_to_vec())
}

/// Writes a file.
pub(super) fn saved_bytes(bytes: &[u8]) -> NamedTempFile {
    let file = tempfile::Builder::new().suffix(".onnx").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// A node with one output.
pub(super) fn node(
    op_type: &str,
    inputs: &[&str],
    output: &str,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        op_type: op_type.into(),
        name: output.into(),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output.into()],
        attribute,
        ..NodeProto::default()
    }
}

/// An input or output.
pub(super) fn value(name: &str, kind: DataType, lengths: &[Length]) -> ValueInfoProto {
    let dimension = |length: &Length| Dimension {
        value: Some(match length {
            Length::Fixed(length) => dimension::Value::DimValue(*length),
            Length::Open(name) => dimension::Value::DimParam((*name).into()),
        }),
        ..Dimension::default()
    };
    let shape = TensorShapeProto { dim: lengths.iter().map(dimension).collect() };
    let tensor = type_proto::Tensor { elem_type: kind.into(), shape: Some(shape) };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto {
        name: name.into(),
        r#type: Some(TypeProto { value, ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

fn model(input: [Length; 4], node: Vec<NodeProto>, initializer: Vec<TensorProto>) -> ModelProto {
    let graph = GraphProto {
        name: "test".into(),
        node,
        initializer,
        input: vec![value("images", DataType::Float, &input)],
        output: vec![ValueInfoProto { name: "output0".into(), ..ValueInfoProto::default() }],
        ..GraphProto::default()
    };
    ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { version: 11, ..OperatorSetIdProto::default() }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

fn tensor(name: &str, shape: &[usize], values: &[f32]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: shape.iter().map(|length| i64::try_from(*length).unwrap()).collect(),
        data_type: DataType::Float.into(),
        float_data: values.to_vec(),
        ..TensorProto::default()
    }
}

fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints.into(),
        ints: values.to_vec(),
        ..AttributeProto::default()
    }
}
