//! Addresses hidden by XOR from meddling NATs (RFC 8489 §14.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::message::{MAGIC_COOKIE, TransactionId};

/// The family of an address, as REQUESTED-ADDRESS-FAMILY numbers it (RFC 8656 §18.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressFamily {
    /// 0x01
    Ipv4,
    /// 0x02
    Ipv6,
}

impl AddressFamily {
    /// The family with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            0x01 => Some(Self::Ipv4),
            0x02 => Some(Self::Ipv6),
            _ => None,
        }
    }

    /// The number of the family.
    pub fn number(self) -> u8 {
        match self {
            Self::Ipv4 => 0x01,
            Self::Ipv6 => 0x02,
        }
    }

    /// The family of an address.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }
}

/// Reads the value of an XOR address attribute; `None` when its length or family is wrong.
pub(super) fn decode(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let (&[_reserved, family, port_high, port_low], ip) = value.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes([port_high, port_low]) ^ cookie_port();
    let ip = match AddressFamily::from_number(family)? {
        AddressFamily::Ipv4 => {
            let bytes: [u8; 4] = ip.try_into().ok()?;
            IpAddr::V4(Ipv4Addr::from(u32::from_be_bytes(bytes) ^ MAGIC_COOKIE))
        }
        AddressFamily::Ipv6 => {
            let bytes: [u8; 16] = ip.try_into().ok()?;
            IpAddr::V6(Ipv6Addr::from(u128::from_be_bytes(bytes) ^ mask(transaction)))
        }
    };
    Some(SocketAddr::new(ip, port))
}

/// Appends the value of an XOR address attribute.
pub(super) fn encode(address: SocketAddr, transaction: &TransactionId, out: &mut Vec<u8>) {
    let port = (address.port() ^ cookie_port()).to_be_bytes();
    match address.ip() {
        IpAddr::V4(ip) => {
            out.extend_from_slice(&[0, 0x01, port[0], port[1]]);
            out.extend_from_slice(&(u32::from(ip) ^ MAGIC_COOKIE).to_be_bytes());
        }
        IpAddr::V6(ip) => {
            out.extend_from_slice(&[0, 0x02, port[0], port[1]]);
            out.extend_from_slice(&(u128::from(ip) ^ mask(transaction)).to_be_bytes());
        }
    }
}

/// Appends the value of an address attribute that nothing hides (RFC 8489 §14.1).
pub(super) fn encode_plain(address: SocketAddr, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0, AddressFamily::of(address.ip()).number()]);
    out.extend_from_slice(&address.port().to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
}

fn cookie_port() -> u16 {
    (MAGIC_COOKIE >> 16) as u16
}

/// The magic cookie followed by the transaction id.
fn mask(transaction: &TransactionId) -> u128 {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    bytes[4..].copy_from_slice(&transaction.0);
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRANSACTION: TransactionId = TransactionId([7; 12]);

    #[test]
    fn decoding_undoes_encoding() {
        for text in ["192.0.2.1:32853", "[2001:db8::7]:1"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut value = Vec::new();
            encode(address, &TRANSACTION, &mut value);
            assert_eq!(decode(&value, &TRANSACTION), Some(address));
        }
    }

    #[test]
    fn refuses_a_wrong_length_or_family() {
        assert_eq!(decode(&[0, 1, 0, 0, 1, 2, 3], &TRANSACTION), None);
        assert_eq!(decode(&[0, 1, 0, 0, 1, 2, 3, 4, 5], &TRANSACTION), None);
        assert_eq!(decode(&[0, 2, 0, 0, 1, 2, 3, 4], &TRANSACTION), None);
        assert_eq!(decode(&[0, 3, 0, 0, 1, 2, 3, 4], &TRANSACTION), None);
        assert_eq!(decode(&[0, 1], &TRANSACTION), None);
    }
}
