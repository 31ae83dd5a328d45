//! The HTTP front: checks keys, bounds requests, forwards offers to the backend, and serves operators.
//!
//! In: HTTP/1.1 and HTTP/2 requests, in the clear or over TLS, on connections of its own or handed over. Out: requests
//! to the backend, its answers unchanged, and what the gateway itself refuses, as problems in JSON.
//!
//! ```text
//! front ─▶ routes ─┬▶ whip ─▶ offer ─▶ admission (keys, limits), sessions, backends        http: what all of them pass
//!                  └▶ offer
//! ```

mod access_log;
mod admin;
mod admission;
mod backends;
mod drain;
mod front;
mod http;
mod ice_servers;
mod keys;
mod limits;
mod offer;
mod passthrough;
mod record_link;
mod relay_link;
mod request_span;
mod routes;
mod server;
mod sessions;
mod settings;
mod trace_link;
mod whip;

#[cfg(test)]
mod tests;

pub use access_log::AccessLogSettings;
pub use admin::{Admin, Controls, Operations, PartReadiness, Readiness, ReloadReport};
pub use backends::{
    BackendFailureView, BackendSettings, BackendTimeouts, BackendUrl, BackendUrlError, BackendView,
    BackendsHandle, BackendsSettings, EjectionSettings, HealthCheckSettings, IdempotencySettings,
    KeyToBackend, UnknownBackend,
};
pub use drain::Drain;
pub use front::{Door, FrontSettings, Handed, Listener, StartError};
pub use http::ids::SessionId;
pub use http::{CorsSettings, OriginPattern, OriginPatternError, ProxyFields, ProxySettings};
pub use ice_servers::{IceServerSettings, IceUrl, IceUrlError, UsernameForm};
pub use keys::{ApiKey, ClientLimits, KeyDigest, KeyState, KeyView, Scope, Scopes};
pub use limits::{LimitSettings, RateLimit};
pub use offer::OfferSettings;
pub use passthrough::PassthroughSettings;
pub use relay_link::{Claim, RelayView, UntilDone};
pub use server::{Gateway, Updater};
pub use sessions::{
    AllocationEnd, AllocationTag, BiggestUsers, CheckSeen, LegView, QualityView, SessionSettings,
    SessionView, SessionsHandle, Usage, UserShare,
};
pub use settings::{AdminSettings, Settings, Timeouts};
pub use whip::WhipSettings;
