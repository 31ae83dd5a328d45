//! What every request passes, whatever it asks for: ids, headers, bodies, and refusals as problems.

pub(in crate::gateway) mod body;
pub(in crate::gateway) mod headers;
pub(in crate::gateway) mod ids;
pub(in crate::gateway) mod problem;
pub(in crate::gateway) mod reject;
