//! A certificate that is its own issuer, for whoever has none yet.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DnType, KeyPair, SanType};

use crate::secret::Secret;

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// Its private key.
    pub private_key: Secret,
}

/// Makes one up for an address, and for `localhost`, that is valid for three months.
pub fn self_signed(address: IpAddr, now: SystemTime) -> Result<SelfSigned, rcgen::Error> {
    let mut parameters = CertificateParams::new(vec!["localhost".to_owned()])?;
    parameters.subject_alt_names.push(SanType::IpAddress(address));
    parameters.distinguished_name.push(DnType::CommonName, "turnpike demo");
    // Clocks differ.
    parameters.not_before = (now - DAY).into();
    parameters.not_after = (now + 90 * DAY).into();
    let key = KeyPair::generate()?;
    let certificate = parameters.self_signed(&key)?;
    Ok(SelfSigned { certificate: certificate.pem(), private_key: Secret::new(key.serialize_pem()) })
}

const DAY: Duration = Duration::from_secs(24 * 3600);
