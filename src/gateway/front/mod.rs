//! Connections: where they come in, how many may, whom proxies bring, how TLS is agreed upon, and their deadlines.

mod activity;
pub(in crate::gateway) mod connection;
mod error;
mod handed;
pub(in crate::gateway) mod listener;
mod proxied;
mod secured;
mod settings;
mod slots;

pub(in crate::gateway) use super::http::origin::Origin;
pub(in crate::gateway) use connection::{Connection, Front, Proxies};
pub use error::{Listener, StartError};
pub use handed::{Door, Handed};
pub use settings::FrontSettings;
pub(in crate::gateway) use slots::Slots;
