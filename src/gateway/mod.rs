//! The HTTP front: checks keys, bounds requests, forwards offers to the backend, and serves operators.
//!
//! In: HTTP/1.1 and HTTP/2 requests, in the clear or over TLS, on connections of its own or handed over. Out: requests to the backend, its answers unchanged, and
//! what the gateway itself refuses, as problems in JSON.

mod admin;
mod backend;
mod body;
mod connection;
mod error;
mod handed;
mod headers;
mod ids;
mod keys;
mod listener;
mod offer;
mod offer_body;
mod offer_record;
mod problem;
mod reject;
mod routes;
mod secured;
mod server;
mod settings;
#[cfg(test)]
mod tests;

pub use admin::{Admin, PartReadiness, Readiness};
pub use error::{Listener, StartError};
pub use handed::{Door, Handed};
pub use server::Gateway;
pub use settings::{AdminSettings, ApiKey, BackendUrl, BackendUrlError, Settings, Timeouts};
