//! The addresses of this machine.

use std::io;
use std::net::IpAddr;

/// Every address of every interface, as it is now.
pub fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    Ok(if_addrs::get_if_addrs()?.into_iter().map(|interface| interface.ip()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_among_them() {
        assert!(interface_addresses().unwrap().contains(&"127.0.0.1".parse().unwrap()));
    }
}
