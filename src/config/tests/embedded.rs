//! The embedded backend: its detector, and what is wrong with it.

use std::path::Path;

use super::Files;
use super::errors::refused;
use crate::demo::DetectorChoice;

/// A file whose backend is the embedded one.
fn with(table: &str) -> String {
    format!(
        "[gateway]\nbackend = \"embedded\"\n[[gateway.keys]]\nid = \"app\"\nkey = \"test-key-0123456789abcdef\"\n\
         [turn.peers]\nallow = [\"127.0.0.1\"]\n[embedded]\n{table}"
    )
}

#[test]
fn a_model_is_looked_for_beside_the_file() {
    let files = Files::new(&with("detector = \"onnx\"\nmodel = \"moles.onnx\"\nthreshold = 0.5\nbatch = 4"));
    let DetectorChoice::Onnx(onnx) = files.load(&[]).unwrap().embedded.unwrap().detector else {
        panic!("another detector");
    };
    assert!(onnx.model.is_absolute() && onnx.model.ends_with("moles.onnx"), "{}", onnx.model.display());
    assert_eq!((onnx.threshold, onnx.batch.get()), (0.5, 4));
    let files = Files::new(&with("detector = \"onnx\"\nmodel = \"/models/moles.onnx\""));
    let DetectorChoice::Onnx(onnx) = files.load(&[]).unwrap().embedded.unwrap().detector else {
        panic!("another detector");
    };
    assert_eq!(onnx.model, Path::new("/models/moles.onnx"));
    assert_eq!((onnx.threshold, onnx.batch.get()), (0.25, 1));
}

#[test]
fn names_what_is_wrong() {
    assert_eq!(
        refused(&with("detector = \"onnx\"\nthreshold = 1.5\nbatch = 65\nmax_clients = 0\ncodecs = []")),
        [
            "turnpike.toml:8:1: embedded.model: is missing; name the ONNX file for detector = \"onnx\"",
            "turnpike.toml:10:13: embedded.threshold: `1.5` is out of range; write 0 to 1",
            "turnpike.toml:11:9: embedded.batch: `65` is out of range; write 1 to 64",
            "turnpike.toml:12:15: embedded.max_clients: `0` is out of range; write 1 to 10000",
            "turnpike.toml:13:10: embedded.codecs: is empty; name at least one",
        ]
    );
    assert_eq!(
        refused(&with("model = \"moles.onnx\"")),
        [
            "turnpike.toml:9:9: embedded.model: has no effect without detector = \"onnx\"; write that too, or leave the model out"
        ]
    );
    assert_eq!(
        refused(&with("threshold = nan")),
        ["turnpike.toml:9:13: embedded.threshold: `NaN` is out of range; write 0 to 1"]
    );
}
