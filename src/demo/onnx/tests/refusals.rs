//! Files that are no models of the YOLO family: each is refused in words that help.

use std::num::NonZeroUsize;
use std::path::Path;

use prost::Message;
use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::super::{OnnxModel, OnnxProblem};
use super::models::{
    Length, constant, node, pictures, red_or_blue, saved, saved_bytes, value, with_input, with_metadata,
};

fn refused_file(path: &Path) -> (OnnxProblem, String) {
    let error = OnnxModel::load(path, NonZeroUsize::MIN, 0.25).unwrap_err();
    assert_eq!(error.path, path);
    let message = error.to_string();
    assert!(message.contains(&path.display().to_string()), "{message}");
    (error.problem, message)
}

fn refused(model: &ModelProto) -> (OnnxProblem, String) {
    refused_file(saved(model).path())
}

macro_rules! assert_refused {
    ($refused:expr, $problem:pat, $words:expr) => {
        let (problem, message) = $refused;
        assert!(matches!(problem, $problem), "{problem:?}");
        assert!(message.contains($words), "{message}");
    };
}

#[test]
fn what_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert_refused!(refused_file(folder.path()), OnnxProblem::NotAFile, "not a file");
    assert_refused!(
        refused_file(&folder.path().join("none.onnx")),
        OnnxProblem::Unreadable(_),
        "No such file"
    );
}

#[test]
fn what_is_no_onnx() {
    for bytes in [&b""[..], b"\n", b"import torch\n", b"PK\x03\x04 a zip file", &[0xff; 1000], &[0; 1000]] {
        assert_refused!(refused_file(saved_bytes(bytes).path()), OnnxProblem::NotOnnx, "not an ONNX file");
    }
    assert_refused!(refused(&ModelProto::default()), OnnxProblem::NotOnnx, "export the model anew");
}

#[test]
fn an_input_that_is_no_picture() {
    let model = || red_or_blue(Length::Fixed(1));
    let fixed = |lengths: &[i64]| lengths.iter().map(|length| Length::Fixed(*length)).collect::<Vec<_>>();
    for (lengths, shown) in [
        (&[1, 64, 64, 3][..], "float of 1×64×64×3"),
        (&[1, 1, 64, 64], "float of 1×1×64×64"),
        (&[3, 64, 64], "float of 3×64×64"),
        (&[], "float of no shape"),
    ] {
        let model = with_input(model(), DataType::Float, &fixed(lengths));
        assert_refused!(refused(&model), OnnxProblem::Input(_), shown);
    }
    let integers = with_input(model(), DataType::Uint8, &pictures(Length::Open("batch")));
    assert_refused!(refused(&integers), OnnxProblem::Input(_), "uint8 of ?×3×64×64");
    let large = with_input(model(), DataType::Float, &fixed(&[1, 3, 64, 100_000]));
    assert_refused!(refused(&large), OnnxProblem::InputSize { .. }, "100000×64 pixels");
    let open = with_metadata(
        with_input(
            model(),
            DataType::Float,
            &[Length::Fixed(1), Length::Fixed(3), Length::Open("h"), Length::Open("w")],
        ),
        &[("imgsz", "[0, 0]")],
    );
    assert_refused!(refused(&open), OnnxProblem::InputSize { .. }, "0×0 pixels");
    let many = with_input(model(), DataType::Float, &pictures(Length::Fixed(1000)));
    assert_refused!(refused(&many), OnnxProblem::Batch(1000), "1000 pictures at once");
}

#[test]
fn not_one_input() {
    let mut two = red_or_blue(Length::Fixed(1));
    let second = value("second", DataType::Float, &pictures(Length::Fixed(1)));
    two.graph.as_mut().unwrap().input.push(second);
    assert_refused!(refused(&two), OnnxProblem::InputCount(2), "2 inputs");
    let mut none = red_or_blue(Length::Fixed(1));
    none.graph.as_mut().unwrap().input.clear();
    assert_refused!(refused(&none), OnnxProblem::InputCount(0), "0 inputs");
}

#[test]
fn an_output_that_is_no_boxes() {
    for (shape, shown) in [
        (&[1, 1000][..], "1×1000,"),
        (&[1, 4, 20], "1×4×20,"),
        (&[1, 20, 3], "1×20×3,"),
        (&[2, 6, 20], "2×6×20,"),
        (&[1, 3, 80, 85], "1×3×80×85,"),
        (&[1, 0, 6], "1×0×6,"),
        (&[1, 6, 0], "1×6×0,"),
    ] {
        let model = constant(shape, &vec![0.0; shape.iter().product()]);
        assert_refused!(refused(&model), OnnxProblem::Output { .. }, shown);
    }
}

#[test]
fn names_that_do_not_fit_the_output() {
    let model = with_metadata(constant(&[1, 7, 20], &[0.0; 140]), &[("names", "['a', 'b']")]);
    assert_refused!(refused(&model), OnnxProblem::Output { .. }, "with the 2 classes of its names");
}

#[test]
fn metadata_that_cannot_be_read() {
    let with = |key, value| with_metadata(red_or_blue(Length::Fixed(1)), &[(key, value)]);
    assert_refused!(
        refused(&with("names", "{0: mole}")),
        OnnxProblem::Names(_),
        "a name in quotes expected at byte 4"
    );
    assert_refused!(refused(&with("imgsz", "big")), OnnxProblem::MetadataSize(_), "`big`");
    assert_refused!(refused(&with("task", "classify")), OnnxProblem::Task(_), "`classify`");
}

#[test]
fn what_cannot_be_computed() {
    let mut unknown = red_or_blue(Length::Fixed(1));
    unknown.graph.as_mut().unwrap().node[0] = node("ReadMinds", &["images"], "means", Vec::new());
    assert_refused!(refused(&unknown), OnnxProblem::Graph(_), "ReadMinds");
    let mut dangling = red_or_blue(Length::Fixed(1));
    dangling.graph.as_mut().unwrap().node[1].input[0] = "nothing".into();
    assert_refused!(refused(&dangling), OnnxProblem::Graph(_), "no node computes `nothing`");
    let mut without_output = red_or_blue(Length::Fixed(1));
    without_output.graph.as_mut().unwrap().output[0].name = "elsewhere".into();
    assert_refused!(refused(&without_output), OnnxProblem::Graph(_), "no node computes `elsewhere`");
    let mut no_output = red_or_blue(Length::Fixed(1));
    no_output.graph.as_mut().unwrap().output.clear();
    assert_refused!(refused(&no_output), OnnxProblem::Graph(_), "no output");
}

#[test]
fn an_axis_that_there_is_not() {
    let mut model = red_or_blue(Length::Fixed(1));
    model.graph.as_mut().unwrap().node[2].attribute[0].ints = vec![11];
    assert_refused!(refused(&model), OnnxProblem::Graph(_), "index < len");
}

#[test]
fn damage_at_any_byte_is_no_panic() {
    let whole = red_or_blue(Length::Open("batch")).encode_to_vec();
    for position in 0..whole.len() {
        for bit in [0x01, 0x08] {
            let mut damaged = whole.clone();
            damaged[position] ^= bit;
            // It may well load: not every byte matters.
            let _ = OnnxModel::load(saved_bytes(&damaged).path(), NonZeroUsize::new(2).unwrap(), 0.25);
        }
    }
}
