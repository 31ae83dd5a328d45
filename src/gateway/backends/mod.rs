//! The inference backends: which one gets an offer, and what is sent to it and taken from it.
//!
//! In: a checked request and its client's headers. Out: the whole answer of one backend with the guard that counts the
//! session there, or why there is none. What is known of a backend by its name (sessions, health, ejection) outlives a
//! change of the settings.
//!
//! ```text
//! Backends ─▶ choice ─▶ Attempt ─▶ exchange        standing: what is known of one backend
//!                                                  ├─ circuit: it failed offers
//!                                                  └─ health: it does not answer checks (checks.rs asks)
//! ```

mod attempt;
mod backend;
mod checks;
mod choice;
mod circuit;
mod client;
mod error;
mod exchange;
mod handle;
mod health;
mod idempotency;
mod keeper;
mod passing;
mod pool;
mod settings;
mod standing;
mod url;
mod view;

pub(in crate::gateway) use attempt::MediaSlot;
pub(in crate::gateway) use error::{BackendError, ForwardError};
pub(in crate::gateway) use exchange::Forwarded;
pub use handle::BackendsHandle;
pub(in crate::gateway) use idempotency::{Claim, Claimed, IdempotencyRefusal};
pub(in crate::gateway) use passing::{Upgrade, name_web_socket, names_web_socket};
pub(in crate::gateway) use pool::{Backends, Exchange};
pub use settings::{
    BackendSettings, BackendTimeouts, BackendsSettings, EjectionSettings, HealthCheckSettings,
    IdempotencySettings, KeyToBackend,
};
pub use url::{BackendUrl, BackendUrlError};
pub use view::{BackendFailureView, BackendView, UnknownBackend};
