//! Certificates: reads them, says what is wrong with them, and makes what rustls needs to serve them.
//!
//! In: the names of PEM files and the present time. Out: a `rustls::ServerConfig`, or the one reason why not.

mod certificate;
mod error;

pub use certificate::{CertificateFiles, load};
pub use error::TlsError;
