//! Certificates: reads them, says what is wrong with them, and makes what rustls needs to serve them.
//!
//! In: the names of PEM files and the present time. Out: a `rustls::ServerConfig` for each new client, with the newest
//! certificate, or the one reason why not.

mod certificate;
mod error;
mod store;
#[cfg(test)]
mod tests;

pub use certificate::{Certificate, CertificateFiles};
pub use error::TlsError;
pub use store::CertificateStore;
