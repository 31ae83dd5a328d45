//! Why the embedded backend does not start.

use std::io;

/// What stands in its way.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No thread for inference.
    #[error("the embedded backend cannot start its inference threads")]
    Threads(#[source] io::Error),
    /// No port to take offers at.
    #[error("the embedded backend cannot listen on 127.0.0.1")]
    Listen(#[source] io::Error),
}
