//! `Connections`: the streams of one worker, found by index, and by the moment at which they have idled too long.

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use foldhash::quality::RandomState;
use slab::Slab;

use super::connection::Connection;
use crate::turn::FiveTuple;

/// Names one connection of one worker, and never another one after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionId {
    pub(super) index: u32,
    generation: u64,
}

/// Every open stream of one worker.
#[derive(Debug, Default)]
pub(super) struct Connections {
    entries: Slab<Entry>,
    /// One entry for each connection that has a deadline.
    deadlines: BTreeSet<(Instant, u32)>,
    /// The clients that proxies have brought. The kernel keeps 5-tuples apart, but only those that it sees.
    brought: HashSet<FiveTuple, RandomState>,
    /// Those that must be settled when the worker has a moment.
    touched: Vec<u32>,
    next_generation: u64,
}

#[derive(Debug)]
struct Entry {
    connection: Connection,
    generation: u64,
    deadline: Option<Instant>,
}

impl Connections {
    /// The index that the next connection gets.
    pub(super) fn next_index(&self) -> u32 {
        // There are no more connections than file descriptors, which are ints.
        self.entries.vacant_key() as u32
    }

    pub(super) fn insert(&mut self, connection: Connection) -> u32 {
        let index = self.next_index();
        self.next_generation += 1;
        let deadline = connection.idle_until;
        self.entries.insert(Entry { connection, generation: self.next_generation, deadline: None });
        self.set_deadline(index, Some(deadline));
        index
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Connection> {
        self.set_deadline(index, None);
        let entry = self.entries.try_remove(index as usize)?;
        self.brought.remove(&entry.connection.path);
        // A list that was long once must not keep its room for ever.
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
        Some(entry.connection)
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Connection> {
        self.entries.get_mut(index as usize).map(|entry| &mut entry.connection)
    }

    /// The connection of this name, if it has not ended.
    pub(super) fn get_named(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        let entry = self.entries.get_mut(id.index as usize)?;
        (entry.generation == id.generation).then_some(&mut entry.connection)
    }

    pub(super) fn name(&self, index: u32) -> Option<ConnectionId> {
        let entry = self.entries.get(index as usize)?;
        Some(ConnectionId { index, generation: entry.generation })
    }

    pub(super) fn indices(&self) -> Vec<u32> {
        self.entries.iter().map(|(index, _)| index as u32).collect()
    }

    /// Whether a proxy brought the client.
    pub(super) fn is_brought(&self, path: &FiveTuple) -> bool {
        self.brought.contains(path)
    }

    /// Gives a connection the 5-tuple of the client that a proxy brings; false if that client is here already.
    pub(super) fn bring(&mut self, index: u32, path: FiveTuple) -> bool {
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return false;
        };
        if !self.brought.insert(path) {
            return false;
        }
        entry.connection.path = path;
        true
    }

    /// Remembers the new 5-tuple of a connection that turned out to speak TLS.
    pub(super) fn renamed(&mut self, before: &FiveTuple, path: FiveTuple) {
        if self.brought.remove(before) {
            self.brought.insert(path);
        }
    }

    /// When the first of them has idled too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// One that has idled too long.
    pub(super) fn overdue(&self, now: Instant) -> Option<u32> {
        self.deadlines.first().filter(|&&(deadline, _)| deadline <= now).map(|&(_, index)| index)
    }

    /// Sets when a connection is closed; `None` keeps it.
    pub(super) fn set_deadline(&mut self, index: u32, deadline: Option<Instant>) {
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return;
        };
        if let Some(before) = entry.deadline {
            self.deadlines.remove(&(before, index));
        }
        entry.deadline = deadline;
        self.deadlines.extend(deadline.map(|deadline| (deadline, index)));
    }

    /// An allocation began on this connection, which now lives as long as it does.
    pub(super) fn allocation_began(&mut self, index: u32, flow: u32) {
        if let Some(connection) = self.get_mut(index) {
            connection.flow = Some(flow);
            self.set_deadline(index, None);
        }
    }

    /// The allocation of this connection ended; it may make another until the deadline.
    pub(super) fn allocation_ended(&mut self, index: u32, idle_until: Instant) {
        if let Some(connection) = self.get_mut(index) {
            connection.flow = None;
            connection.idle_until = idle_until;
            connection.queue.disown();
            self.set_deadline(index, Some(idle_until));
        }
    }

    /// Has a connection settled when the worker has a moment: watched for something else, or closed.
    pub(super) fn touch(&mut self, index: u32) {
        if let Some(connection) = self.entries.get_mut(index as usize).map(|entry| &mut entry.connection)
            && !connection.is_touched
        {
            connection.is_touched = true;
            self.touched.push(index);
        }
    }

    /// The next connection to settle.
    pub(super) fn next_touched(&mut self) -> Option<u32> {
        let index = self.touched.pop()?;
        if let Some(connection) = self.get_mut(index) {
            connection.is_touched = false;
        }
        Some(index)
    }
}
