//! What the kernel grants: files, buffers, ports, and the time.

use std::fs;
use std::ops::RangeInclusive;

use super::finding::Finding;
use crate::config::Settings;
use crate::sys;

/// Looks at all of it.
pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    vec![files(settings), buffers(settings), ports(settings), clock()]
}

/// Each allocation has a socket, and each connection.
fn files(settings: &Settings) -> Finding {
    let ports = settings.relay.relay_ports.len() as u64;
    let wanted = ports.min(MOST_ALLOCATIONS) + settings.relay.max_connections as u64;
    match sys::raise_open_files_limit() {
        Ok(limit) if limit >= wanted => Finding::good("files", format!("{limit} may be open at once")),
        Ok(limit) => Finding::doubtful(
            "files",
            format!(
                "{limit} may be open at once, and {wanted} would be with all allocations and connections that may be; raise \
                 LimitNOFILE of the unit, or `ulimit -Hn`"
            ),
        ),
        Err(error) => {
            Finding::doubtful("files", format!("the limit of open files cannot be raised: {error}"))
        }
    }
}

fn buffers(settings: &Settings) -> Finding {
    let wanted = settings.relay.listener_buffer_bytes as u64;
    match number_of("/proc/sys/net/core/rmem_max") {
        Some(most) if most >= wanted => {
            Finding::good("buffers", format!("the kernel grants {most} bytes, and {wanted} are asked for"))
        }
        // Whoever may administrate the network gets more than that.
        Some(most) => Finding::doubtful(
            "buffers",
            format!(
                "the kernel grants {most} bytes of turn.listener_buffer's {wanted}, so that bursts get lost; run `sysctl -w \
                 net.core.rmem_max={wanted} net.core.wmem_max={wanted}`, or give the process CAP_NET_ADMIN"
            ),
        ),
        None => Finding::doubtful("buffers", "net.core.rmem_max cannot be read"),
    }
}

/// Ports that the kernel gives to others are missing for relay sockets now and then.
fn ports(settings: &Settings) -> Finding {
    let relay = &settings.relay.relay_ports;
    let (first, last) = (relay.start(), relay.end());
    let Some(own) = kernel_ports() else {
        return Finding::doubtful("ports", "net.ipv4.ip_local_port_range cannot be read");
    };
    let overlap = *own.start().max(first)..=*own.end().min(last);
    let is_reserved = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports")
        .is_ok_and(|reserved| covers(&reserved, &overlap));
    if overlap.is_empty() || is_reserved {
        return Finding::good("ports", format!("{first} to {last} are the relay's alone"));
    }
    Finding::doubtful(
        "ports",
        format!(
            "the kernel gives {} to {} to whoever connects somewhere, and the relay has {first} to {last}; run `sysctl -w \
             net.ipv4.ip_local_reserved_ports={}-{}`",
            own.start(),
            own.end(),
            overlap.start(),
            overlap.end()
        ),
    )
}

fn kernel_ports() -> Option<RangeInclusive<u16>> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some(numbers.next()?.ok()?..=numbers.next()?.ok()?)
}

/// Whether a list such as `8080,49152-65535` has all ports of a range in one of its parts.
fn covers(list: &str, range: &RangeInclusive<u16>) -> bool {
    list.trim().split(',').any(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let numbers = (first.parse::<u16>(), last.parse::<u16>());
        matches!(numbers, (Ok(first), Ok(last)) if first <= *range.start() && last >= *range.end())
    })
}

/// Credentials that expire, certificates and keys go by it.
fn clock() -> Finding {
    match sys::is_clock_synchronised() {
        Ok(true) => Finding::good("clock", "it is kept right"),
        Ok(false) => Finding::doubtful(
            "clock",
            "nothing keeps it right: credentials that expire may be refused, or live too long; start an NTP client",
        ),
        Err(error) => {
            Finding::doubtful("clock", format!("the kernel does not say whether it is kept right: {error}"))
        }
    }
}

fn number_of(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// More than the default range of ports has, on any machine.
const MOST_ALLOCATIONS: u64 = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_ports_are_a_list_of_ranges() {
        let range = 49152..=60999;
        assert!(covers("49152-65535\n", &range));
        assert!(covers("8080,49000-61000,9090", &range));
        assert!(!covers("", &range));
        assert!(!covers("49152,60999", &range));
        assert!(!covers("50000-65535", &range));
    }
}
