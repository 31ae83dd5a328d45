//! The machine's addresses: whether those that are named are its own, and whether clients elsewhere can reach them.

use std::net::IpAddr;

use super::finding::Finding;
use crate::config::Settings;
use crate::sys;

/// Looks at the addresses of listeners and of the relay.
pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let own = match sys::interface_addresses() {
        Ok(own) => own,
        Err(error) => return vec![Finding::doubtful("addresses", format!("cannot be listed: {error}"))],
    };
    let relay = &settings.relay;
    let listeners = relay.listen.iter().chain(&relay.listen_tcp).chain(&settings.gateway.listen);
    let named = listeners.map(|listener| listener.ip()).chain(relay.relay_addresses.iter().copied());
    let mut foreign: Vec<IpAddr> =
        named.filter(|address| !address.is_unspecified() && !own.contains(address)).collect();
    foreign.sort_unstable();
    foreign.dedup();
    let mut findings: Vec<Finding> = foreign.iter().map(|address| not_ours(*address)).collect();
    if findings.is_empty() {
        findings.push(Finding::good("addresses", "all that are named are this machine's"));
    }
    findings.push(reach(settings, &own));
    findings
}

fn not_ours(address: IpAddr) -> Finding {
    Finding::wrong(
        "addresses",
        format!(
            "{address} is no address of this machine; name one that it has, or 0.0.0.0. Behind NAT the public one belongs in \
             turn.external_ip"
        ),
    )
}

/// Whether clients of other networks can reach what they are told.
fn reach(settings: &Settings, own: &[IpAddr]) -> Finding {
    let told: Vec<IpAddr> = settings.turn.external_addresses.public_addresses().collect();
    if !told.is_empty() {
        let list: Vec<String> = told.iter().map(ToString::to_string).collect();
        return Finding::good(
            "reach",
            format!("clients and peers are told {}; probe it from outside: turnpike probe", list.join(", ")),
        );
    }
    let relay = &settings.relay.relay_addresses;
    let mut told = if relay.is_empty() { own.iter() } else { relay.iter() };
    if told.any(|address| is_public(*address)) {
        return Finding::good("reach", "a public address of this machine is relayed from");
    }
    Finding::doubtful(
        "reach",
        "no address that is relayed from is public: clients and peers reach it in this network alone. Behind NAT name the public \
         one in turn.external_ip",
    )
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || is_shared)
        }
        IpAddr::V6(ip) => ip.segments()[0] & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_others_can_reach() {
        for (address, expected) in [
            ("192.0.2.1", true),
            ("10.0.0.1", false),
            ("172.31.0.1", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("169.254.0.1", false),
            ("2001:db8::1", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }
}
