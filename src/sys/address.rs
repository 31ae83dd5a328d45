//! Socket addresses in the kernel's form and back.

use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Room for an address of either family.
pub(super) type Storage = libc::sockaddr_storage;

/// An empty address.
pub(super) fn empty() -> Storage {
    // SAFETY: a sockaddr_storage is plain integers, for which all zeros is a value.
    unsafe { mem::zeroed() }
}

/// Writes an address and returns how long it is.
pub(super) fn encode(address: SocketAddr, storage: &mut Storage) -> libc::socklen_t {
    match address {
        SocketAddr::V4(v4) => {
            let name = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: ipv4(*v4.ip()),
                sin_zero: [0; 8],
            };
            // SAFETY: a sockaddr_storage is larger than a sockaddr_in and at least as strictly aligned.
            unsafe { (&raw mut *storage).cast::<libc::sockaddr_in>().write(name) };
            size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            let name = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: 0,
                sin6_addr: ipv6(*v6.ip()),
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: a sockaddr_storage is larger than a sockaddr_in6 and at least as strictly aligned.
            unsafe { (&raw mut *storage).cast::<libc::sockaddr_in6>().write(name) };
            size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

/// Reads an address that the kernel wrote; `None` when it is of neither family.
pub(super) fn decode(storage: &Storage) -> Option<SocketAddr> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says that the storage holds a sockaddr_in.
            let name = unsafe { (&raw const *storage).cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(name.sin_port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the family says that the storage holds a sockaddr_in6.
            let name = unsafe { (&raw const *storage).cast::<libc::sockaddr_in6>().read() };
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            Some(SocketAddr::V6(SocketAddrV6::new(ip, u16::from_be(name.sin6_port), 0, name.sin6_scope_id)))
        }
        _ => None,
    }
}

pub(super) fn ipv4(ip: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from(ip).to_be() }
}

pub(super) fn ipv6(ip: Ipv6Addr) -> libc::in6_addr {
    libc::in6_addr { s6_addr: ip.octets() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_undoes_encoding() {
        for text in ["192.0.2.1:3478", "[2001:db8::1]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut storage = empty();
            encode(address, &mut storage);
            assert_eq!(decode(&storage), Some(address));
        }
        assert_eq!(decode(&empty()), None);
    }
}
