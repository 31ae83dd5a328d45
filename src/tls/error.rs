//! `TlsError`: what can be wrong with a certificate and its key.

use std::io;
use std::path::PathBuf;

use rustls::pki_types::pem;

/// Why a certificate cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file does not exist.
    #[error("{}: no such file; check the path", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}; let this process's user read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file is not PEM.
    #[error("{}: not valid PEM: {source}; convert DER with `openssl x509` or `openssl pkey`", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// Where the reading stopped.
        source: pem::Error,
    },
    /// The certificate's file holds none.
    #[error("{}: no certificate in it; it must hold the server's certificate and then its chain, as PEM", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The first certificate of the file is malformed.
    #[error("{}: its first certificate is malformed; have it issued again", path.display())]
    MalformedCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The system trusts nobody.
    #[error("this system has no certificates of issuers; install ca-certificates, or name a file of them")]
    NoIssuers,
    /// The certificate's time has not come.
    #[error("{}: not valid before {not_before}; check this machine's clock, or have it issued again", path.display())]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// When the certificate becomes valid.
        not_before: String,
    },
    /// The certificate's time has passed.
    #[error("{}: expired at {not_after}; renew it", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// When the certificate ceased to be valid.
        not_after: String,
    },
    /// The private key's file holds none.
    #[error("{}: no private key in it; an encrypted one must be decrypted first, with `openssl pkey`", path.display())]
    NoPrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key is of a kind that rustls cannot use.
    #[error("{}: the private key cannot be used: {source}; use RSA of 2048 bits or more, ECDSA or Ed25519", path.display())]
    UnusableKey {
        /// The file.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// The private key is another certificate's.
    #[error(
        "{}: the private key does not belong to the certificate in {}; name the two files that were issued together",
        private_key.display(), certificate.display()
    )]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The private key's file.
        private_key: PathBuf,
    },
    /// rustls refuses the pair for a reason that the checks above do not know.
    #[error("{}: rustls refuses the certificate: {source}; have it issued again", path.display())]
    Refused {
        /// The certificate's file.
        path: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
}
