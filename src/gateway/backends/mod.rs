//! The inference backend: where it is, and how a request is forwarded to it.

mod backend;
mod url;

pub(in crate::gateway) use backend::{Backend, BackendError, Forwarded};
pub use url::{BackendUrl, BackendUrlError};
