//! Connections: where they come in, how TLS is agreed upon, and the deadlines that they have.

pub(in crate::gateway) mod connection;
mod error;
mod handed;
pub(in crate::gateway) mod listener;
mod secured;

pub(in crate::gateway) use connection::{Front, Origin};
pub use error::{Listener, StartError};
pub use handed::{Door, Handed};
