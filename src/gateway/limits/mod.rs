//! How many requests there may be: of a client, of a user, of a source, and how many keys of a source may be refused.
//!
//! In: who a request comes from. Out: leave to go on, or the time to wait; and the fields that tell clients of it.

mod buckets;
mod clock;
mod fields;
mod limiter;
mod settings;
mod source;
mod table;

pub(in crate::gateway) use fields::RateFields;
pub(in crate::gateway) use limiter::Exceeded;
pub use settings::{LimitSettings, RateLimit};
pub(in crate::gateway) use table::Limits;
