//! Live sessions: what each offer that was answered became, until somebody ends it or the relay says that it is over.
//!
//! In: offers that begin, answers, what the relay tells of allocations, and orders to end. Out: bounds on how many a
//! client or a user may have, a list for operators, the users for whom
//! the most was relayed, and one log line at the end of each.
//!
//! ```text
//! open ─▶ offered ─▶ answered ─an allocation is claimed─▶ claimed ─▶ connected ─▶ media ⇄ stalled ─the last one ends─▶ ended
//!            │          └─ no allocation for a while: direct, and nobody sees its end
//!            └─ dropped: the offer failed
//! ```

mod biggest_users;
mod bounds;
mod expected_checks;
mod filter;
mod handle;
mod open_session;
mod progress;
mod record;
mod registry;
mod report;
mod session;
mod session_span;
mod settings;
mod space_saving;
mod store;
mod usage;
mod user_traffic;

pub(in crate::gateway) use bounds::{Bounds, Refusal};
pub(in crate::gateway) use expected_checks::ExpectedCheck;
pub(in crate::gateway) use filter::Filter;
pub use handle::{AllocationEnd, AllocationTag, CheckSeen, SessionsHandle};
pub use progress::{LegView, QualityView};
pub(in crate::gateway) use session::Opening;
pub use session::SessionView;
pub use settings::SessionSettings;
pub(in crate::gateway) use store::Sessions;
pub use usage::Usage;
pub use user_traffic::{BiggestUsers, UserShare};
