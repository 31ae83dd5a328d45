//! Certificates and sessions: reads the ones and says what is wrong with them, keeps the others without buffers.
//!
//! In: the names of PEM files and the present time, and records of clients. Out: a `rustls::ServerConfig` for each new
//! client, with the newest certificate, or the one reason why not; what clients ask for, and what they say.

mod certificate;
mod client;
mod client_hello;
mod error;
mod self_signed;
mod session;
mod store;
#[cfg(test)]
mod tests;

pub use certificate::{Certificate, CertificateFiles};
pub use client::{ClientFiles, ClientTls, client_config, client_config_of_nobody, is_server_name};
pub use client_hello::ClientHello;
#[cfg(test)]
pub(crate) use client_hello::tests::hello;
pub use error::TlsError;
pub use self_signed::{SelfSigned, self_signed};
pub use session::{Protection, TlsSession};
pub use store::CertificateStore;
