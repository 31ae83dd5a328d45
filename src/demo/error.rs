//! Why the embedded backend does not start.

use std::io;

#[cfg(feature = "onnx")]
use super::onnx::OnnxError;

/// What stands in its way.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// A model that is of no use.
    #[cfg(feature = "onnx")]
    #[error("the embedded backend has nothing to detect with")]
    Model(#[source] OnnxError),
    /// A model, and nothing that runs it.
    #[cfg(not(feature = "onnx"))]
    #[error(
        "this turnpike was built without the feature `onnx`: build it with that, or write embedded.detector = \"lesion\""
    )]
    NoOnnx,
    /// No thread for inference.
    #[error("the embedded backend cannot start its inference threads")]
    Threads(#[source] io::Error),
    /// No port to take offers at.
    #[error("the embedded backend cannot listen on 127.0.0.1")]
    Listen(#[source] io::Error),
}
