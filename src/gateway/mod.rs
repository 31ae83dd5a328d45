//! The HTTP front: checks keys, bounds requests, forwards offers to the backend, and serves operators.
//!
//! In: HTTP/1.1 and HTTP/2 requests, in the clear or over TLS, on connections of its own or handed over. Out: requests
//! to the backend, its answers unchanged, and what the gateway itself refuses, as problems in JSON.
//!
//! ```text
//! front ─▶ routes ─▶ keys ─▶ offer ─▶ backends        http: what all of them pass
//! ```

mod admin;
mod backends;
mod front;
mod http;
mod keys;
mod offer;
mod routes;
mod server;
mod settings;
#[cfg(test)]
mod tests;

pub use admin::{Admin, PartReadiness, Readiness};
pub use backends::{BackendUrl, BackendUrlError};
pub use front::{Door, Handed, Listener, StartError};
pub use keys::ApiKey;
pub use server::Gateway;
pub use settings::{AdminSettings, Settings, Timeouts};
