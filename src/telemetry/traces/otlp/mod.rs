//! Brings spans to a collector: OTLP 1, binary protobuf by HTTP.
//!
//! In: spans that have ended. Out: POST requests of up to 512 spans each, one after the other. What a collector does not
//! take at once is tried again for a while, during which the queue fills; then it is lost, and counted.

mod collector;
mod encode;
mod exporter;
mod message;

pub(super) use exporter::{CLOSE_PATIENCE, Exporter};
