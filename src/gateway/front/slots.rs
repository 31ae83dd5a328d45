//! `Slots`: how many connections there are, in total and of each source.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::settings::FrontSettings;
use crate::telemetry::{ConnectionBound, FrontMetrics, HttpListener};

/// The connections of one listener; clones share them.
#[derive(Debug, Clone)]
pub(in crate::gateway) struct Slots {
    table: Arc<Mutex<Table>>,
    listener: HttpListener,
    metrics: FrontMetrics,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(in crate::gateway) struct Slot {
    slots: Slots,
    source: Option<IpAddr>,
}

#[derive(Debug)]
struct Table {
    most: usize,
    most_per_source: usize,
    open: usize,
    /// Only sources that have a connection, so never more than connections.
    of_source: HashMap<IpAddr, usize>,
}

impl Slots {
    pub(in crate::gateway) fn new(
        settings: &FrontSettings,
        listener: HttpListener,
        metrics: FrontMetrics,
    ) -> Self {
        let table = Table {
            most: settings.connections,
            most_per_source: settings.connections_per_source,
            open: 0,
            of_source: HashMap::new(),
        };
        metrics.set_connections_limit(listener, table.most);
        Self { table: Arc::new(Mutex::new(table)), listener, metrics }
    }

    /// Holds for connections from now on; those beyond stay.
    pub(in crate::gateway) fn update(&self, settings: &FrontSettings) {
        let mut table = self.lock();
        table.most = settings.connections;
        table.most_per_source = settings.connections_per_source;
        self.metrics.set_connections_limit(self.listener, table.most);
    }

    /// A place for a connection, unless there is none left.
    pub(in crate::gateway) fn take(&self) -> Option<Slot> {
        let mut table = self.lock();
        if table.open >= table.most {
            self.metrics.connection_refused(self.listener, ConnectionBound::Total);
            return None;
        }
        table.open += 1;
        self.metrics.set_connections(self.listener, table.open);
        drop(table);
        Some(Slot { slots: self.clone(), source: None })
    }

    // Whole after every step, so also after a panic.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Counts the connection in for its source; false if that has as many as it may.
    pub(in crate::gateway) fn assign(&mut self, client: IpAddr) -> bool {
        let source = source(client);
        let mut table = self.slots.lock();
        let most = table.most_per_source;
        let count = table.of_source.entry(source).or_default();
        if *count >= most {
            if *count == 0 {
                table.of_source.remove(&source);
            }
            self.slots.metrics.connection_refused(self.slots.listener, ConnectionBound::Source);
            return false;
        }
        *count += 1;
        drop(table);
        self.source = Some(source);
        true
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut table = self.slots.lock();
        table.open -= 1;
        if let Some(source) = self.source
            && let Some(count) = table.of_source.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                table.of_source.remove(&source);
            }
        }
        self.slots.metrics.set_connections(self.slots.listener, table.open);
    }
}

/// An IPv4 address, or an IPv6 network of 64 bits: a customer has a whole one.
fn source(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    #[test]
    fn there_are_only_so_many_in_total() {
        let (slots, metrics) = slots(2, 10);
        let first = slots.take().unwrap();
        let _second = slots.take().unwrap();

        assert!(slots.take().is_none());
        drop(first);

        assert!(slots.take().is_some());
        let text = metrics.exposition().unwrap();
        assert!(text.contains("turnpike_gateway_connections{listener=\"gateway\"} 1\n"), "{text}");
        let refused = "turnpike_gateway_connections_refused_total{bound=\"total\",listener=\"gateway\"} 1\n";
        assert!(text.contains(refused), "{text}");
    }

    #[test]
    fn a_source_has_only_so_many_and_others_have_theirs() {
        let (slots, _) = slots(10, 1);
        let connect = |ip: &str| {
            let mut slot = slots.take().unwrap();
            slot.assign(ip.parse().unwrap()).then_some(slot)
        };
        let first = connect("198.51.100.7").unwrap();
        let _v6 = connect("2001:db8::1").unwrap();

        assert!(connect("::ffff:198.51.100.7").is_none());
        assert!(connect("2001:db8::ffff:0:0:2").is_none());
        assert!(connect("198.51.100.8").is_some());
        assert!(connect("2001:db8:0:1::1").is_some());
        drop(first);

        assert!(connect("198.51.100.7").is_some());
        assert_eq!(slots.lock().of_source.len(), 1, "who has no connection is not remembered");
    }

    #[test]
    fn other_bounds_hold_for_those_who_come_later() {
        let (slots, metrics) = slots(1, 1);
        let shows = |most: usize| {
            let line = format!("turnpike_gateway_connections_limit{{listener=\"gateway\"}} {most}\n");
            metrics.exposition().unwrap().contains(&line)
        };
        assert!(shows(1));
        let first = slots.take().unwrap();
        slots.update(&FrontSettings { connections: 2, ..FrontSettings::default() });
        assert!(shows(2));

        assert!(slots.take().is_some());
        slots.update(&FrontSettings { connections: 0, ..FrontSettings::default() });
        assert!(slots.take().is_none());
        drop(first);
    }

    fn slots(connections: usize, connections_per_source: usize) -> (Slots, Metrics) {
        let metrics = Metrics::new();
        let settings = FrontSettings { connections, connections_per_source, ..FrontSettings::default() };
        (Slots::new(&settings, HttpListener::Gateway, metrics.front().clone()), metrics)
    }
}
