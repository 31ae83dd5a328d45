//! What every request passes, whatever it asks for: checks, ids, headers, bodies, CORS, and refusals as problems.

pub(in crate::gateway) mod body;
pub(in crate::gateway) mod check;
pub(in crate::gateway) mod cors;
mod forwarded;
pub(in crate::gateway) mod headers;
pub(in crate::gateway) mod ids;
pub(in crate::gateway) mod origin;
mod origin_pattern;
pub(in crate::gateway) mod path;
pub(in crate::gateway) mod problem;
pub(in crate::gateway) mod reject;
mod settings;
pub(in crate::gateway) mod trace;

pub use cors::{OriginPattern, OriginPatternError};
pub use settings::{CorsSettings, ProxyFields, ProxySettings};
