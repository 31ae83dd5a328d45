//! `FastPath`: where bound channels lead, both ways, in a plain table that `turn`'s outputs fill and empty.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use foldhash::fast::RandomState;

use super::by_allocation::ByAllocation;
use super::claim::Claimant;
use super::outbox::Via;
use super::session_events::{AllocationTag, SessionTag};
use crate::media::FlowWatch;
use crate::telemetry::{Direction, DropReason, RelayedFamily};
use crate::turn::{AllocationId, FiveTuple, Grant, Transport};
use crate::wire::{ChannelData, ChannelNumber};

/// The flows of one worker.
#[derive(Debug, Default)]
pub(super) struct FastPath {
    by_client: HashMap<FiveTuple, u32, RandomState>,
    flows: ByAllocation<Flow>,
}

/// What relaying for one allocation needs and counts.
#[derive(Debug)]
pub(super) struct Flow {
    /// What sessions know the allocation by.
    pub(super) tag: AllocationTag,
    /// The way to the client.
    pub(super) client: FiveTuple,
    /// The socket that it is reached by.
    pub(super) via: Via,
    /// The way before the client moved, and its socket, until the client uses the new one.
    pub(super) previous: Option<Box<(FiveTuple, Via)>>,
    /// What it relays to.
    pub(super) family: RelayedFamily,
    /// When the allocation began.
    pub(super) began: Instant,
    /// What the gateway granted for it, if it did.
    pub(super) grant: Option<Arc<Grant>>,
    /// Who has claimed it, if somebody has.
    pub(super) claimant: Option<Arc<Claimant>>,
    /// Whose it is, if a session has claimed it.
    pub(super) session: Option<SessionTag>,
    /// Looks at what is relayed for a session.
    pub(super) watch: Option<Box<FlowWatch>>,
    /// How many more of its client's connectivity checks are told while it is nobody's.
    pub(super) checks_to_tell: u8,
    /// The open routes; few, so a list is searched faster than a map.
    routes: Vec<Route>,
    pub(super) traffic: Traffic,
    /// What of it its session has been told.
    pub(super) told: Traffic,
}

#[derive(Debug, Clone, Copy)]
struct Route {
    channel: ChannelNumber,
    peer: SocketAddr,
}

/// What was relayed for an allocation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// From its client to its peers.
    pub to_peer: Count,
    /// From its peers to its client.
    pub to_client: Count,
}

/// Packets and the bytes of their payloads.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Datagrams; over streams, frames.
    pub packets: u64,
    /// The bytes of what they carry, without headers of TURN.
    pub bytes: u64,
}

impl Flow {
    /// What was relayed since the session was told last, which then is told.
    pub(super) fn tell(&mut self) -> Traffic {
        let untold = self.traffic.since(&self.told);
        self.told = self.traffic;
        untold
    }
}

impl Traffic {
    /// What came after an earlier count.
    fn since(&self, earlier: &Self) -> Self {
        let since = |now: Count, then: Count| Count {
            packets: now.packets - then.packets,
            bytes: now.bytes - then.bytes,
        };
        Self {
            to_peer: since(self.to_peer, earlier.to_peer),
            to_client: since(self.to_client, earlier.to_client),
        }
    }
}

impl FastPath {
    /// Begins a flow without routes.
    pub(super) fn begin(
        &mut self,
        allocation: AllocationId,
        client: FiveTuple,
        family: RelayedFamily,
        via: Via,
        now: Instant,
    ) {
        self.by_client.insert(client, allocation.index);
        let (routes, traffic) = (Vec::new(), Traffic::default());
        let told = traffic;
        let flow = Flow {
            tag: AllocationTag::new(),
            client,
            via,
            previous: None,
            family,
            began: now,
            grant: None,
            claimant: None,
            session: None,
            watch: None,
            checks_to_tell: CHECKS_TO_TELL,
            routes,
            traffic,
            told,
        };
        self.flows.insert(allocation.index, flow);
    }

    /// Ends a flow with all its routes and returns what it counted.
    pub(super) fn end(&mut self, allocation: AllocationId) -> Option<Flow> {
        let flow = self.flows.remove(allocation.index)?;
        self.forget(allocation, &flow.client);
        if let Some(previous) = &flow.previous {
            self.forget(allocation, &previous.0);
        }
        if self.by_client.capacity() > 4 * self.by_client.len().max(LEAST_CAPACITY) {
            self.by_client.shrink_to(2 * self.by_client.len());
        }
        Some(*flow)
    }

    /// Goes on with a flow that was another worker's, by whose sockets its client is not reached from here.
    pub(super) fn adopt(&mut self, allocation: AllocationId, flow: Flow) {
        self.by_client.insert(flow.client, allocation.index);
        self.flows.insert(allocation.index, Flow { via: Via::Nowhere, previous: None, ..flow });
    }

    /// Reaches the client of a flow on another path; the way before stays good until [`left`](Self::left).
    pub(super) fn moved(&mut self, allocation: AllocationId, client: FiveTuple, via: Via) {
        let Some(flow) = self.flow_mut(allocation.index) else { return };
        flow.previous = Some(Box::new((flow.client, flow.via)));
        (flow.client, flow.via) = (client, via);
        self.by_client.insert(client, allocation.index);
    }

    /// Forgets a path of a flow; returns the socket that it came by.
    pub(super) fn left(&mut self, allocation: AllocationId, path: &FiveTuple) -> Option<Via> {
        let flow = self.flow_mut(allocation.index)?;
        let via = if let Some(previous) = flow.previous.take_if(|previous| previous.0 == *path) {
            previous.1
        } else if flow.client == *path {
            std::mem::replace(&mut flow.via, Via::Nowhere)
        } else {
            return None;
        };
        self.forget(allocation, path);
        Some(via)
    }

    /// Whether data of this client has a way.
    pub(super) fn knows(&self, client: &FiveTuple) -> bool {
        self.by_client.contains_key(client)
    }

    fn forget(&mut self, allocation: AllocationId, path: &FiveTuple) {
        // After the end of its connection the path may be another allocation's.
        if self.by_client.get(path) == Some(&allocation.index) {
            self.by_client.remove(path);
        }
    }

    pub(super) fn open_route(&mut self, allocation: AllocationId, channel: ChannelNumber, peer: SocketAddr) {
        if let Some(flow) = self.flow_mut(allocation.index) {
            flow.routes.push(Route { channel, peer });
        }
    }

    pub(super) fn close_route(&mut self, allocation: AllocationId, channel: ChannelNumber) {
        if let Some(flow) = self.flow_mut(allocation.index) {
            flow.routes.retain(|route| route.channel != channel);
        }
    }

    /// Where ChannelData of a client goes: the flow's index, the peer, and the payload.
    pub(super) fn to_peer<'d>(
        &self,
        client: &FiveTuple,
        datagram: &'d [u8],
    ) -> Result<(u32, SocketAddr, &'d [u8]), DropReason> {
        self.route(self.by_client.get(client).copied(), datagram)
    }

    /// The same for a client whose flow is known.
    pub(super) fn route<'d>(
        &self,
        index: Option<u32>,
        datagram: &'d [u8],
    ) -> Result<(u32, SocketAddr, &'d [u8]), DropReason> {
        let data = ChannelData::parse(datagram).ok_or(DropReason::Malformed)?;
        let index = index.ok_or(DropReason::NoAllocation)?;
        let flow = self.flow(index).ok_or(DropReason::NoAllocation)?;
        let route = flow.routes.iter().find(|route| route.channel == data.channel);
        let route = route.ok_or(DropReason::NoChannel)?;
        Ok((index, route.peer, data.payload))
    }

    /// The channel that data of this peer goes to the client on, if one leads there.
    pub(super) fn to_client(&self, index: u32, peer: SocketAddr) -> Option<(ChannelNumber, &Flow)> {
        let flow = self.flow(index)?;
        let route = flow.routes.iter().find(|route| route.peer == peer)?;
        Some((route.channel, flow))
    }

    /// The socket that a client is reached by, if it has an allocation.
    pub(super) fn via(&self, client: &FiveTuple) -> Option<Via> {
        Some(self.flow(*self.by_client.get(client)?)?.via)
    }

    pub(super) fn flow(&self, index: u32) -> Option<&Flow> {
        self.flows.get(index)
    }

    /// Counts a packet that was relayed.
    pub(super) fn count(&mut self, index: u32, direction: Direction, payload_bytes: u64) {
        let Some(flow) = self.flow_mut(index) else { return };
        let count = match direction {
            Direction::ToPeer => &mut flow.traffic.to_peer,
            Direction::ToClient => &mut flow.traffic.to_client,
        };
        count.packets += 1;
        count.bytes += payload_bytes;
    }

    /// What carries TURN to the client of a flow.
    pub(super) fn transport(&self, index: u32) -> Transport {
        self.flow(index).map_or(Transport::Udp, |flow| flow.client.transport)
    }

    pub(super) fn flow_mut(&mut self, index: u32) -> Option<&mut Flow> {
        self.flows.get_mut(index)
    }
}

/// Agents send checks again, and may send some before their session is known here.
const CHECKS_TO_TELL: u8 = 8;

/// Below this many clients there is nothing to be gained by giving memory back.
const LEAST_CAPACITY: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOCATION: AllocationId = AllocationId { index: 2, generation: 7 };

    fn client() -> FiveTuple {
        FiveTuple {
            transport: Transport::Udp,
            client: "192.0.2.1:4000".parse().unwrap(),
            server: "192.0.2.2:3478".parse().unwrap(),
        }
    }

    fn peer() -> SocketAddr {
        "198.51.100.1:5000".parse().unwrap()
    }

    fn channel(number: u16) -> ChannelNumber {
        ChannelNumber::new(number).unwrap()
    }

    fn with_route() -> FastPath {
        let mut fast_path = FastPath::default();
        fast_path.begin(ALLOCATION, client(), RelayedFamily::Ipv4, Via::Listener(1), Instant::now());
        fast_path.open_route(ALLOCATION, channel(0x4001), peer());
        fast_path
    }

    #[test]
    fn a_route_leads_both_ways() {
        let fast_path = with_route();
        assert_eq!(fast_path.to_peer(&client(), b"\x40\x01\0\x02hi"), Ok((2, peer(), &b"hi"[..])));
        let (number, flow) = fast_path.to_client(2, peer()).unwrap();
        assert_eq!((number, flow.client, flow.via), (channel(0x4001), client(), Via::Listener(1)));
        assert_eq!(fast_path.route(Some(2), b"\x40\x01\0\x02hi"), Ok((2, peer(), &b"hi"[..])));
    }

    #[test]
    fn what_leads_nowhere_is_dropped_for_its_reason() {
        let fast_path = with_route();
        let stranger = FiveTuple { client: peer(), ..client() };
        let data = b"\x40\x01\0\x02hi";
        assert_eq!(fast_path.to_peer(&stranger, data), Err(DropReason::NoAllocation));
        assert_eq!(fast_path.to_peer(&client(), b"\x40\x02\0\x02hi"), Err(DropReason::NoChannel));
        assert_eq!(fast_path.to_peer(&client(), b"\x40\x01\0\x03hi"), Err(DropReason::Malformed));
        assert!(fast_path.to_client(2, "198.51.100.1:5001".parse().unwrap()).is_none());
        assert!(fast_path.to_client(0, peer()).is_none());
    }

    #[test]
    fn a_closed_route_and_an_ended_flow_lead_nowhere() {
        let mut fast_path = with_route();
        fast_path.close_route(ALLOCATION, channel(0x4001));
        assert_eq!(fast_path.to_peer(&client(), b"\x40\x01\0\0"), Err(DropReason::NoChannel));
        fast_path.count(2, Direction::ToPeer, 100);
        let traffic = fast_path.end(ALLOCATION).unwrap().traffic;
        assert_eq!(traffic.to_peer, Count { packets: 1, bytes: 100 });
        assert_eq!(fast_path.to_peer(&client(), b"\x40\x01\0\0"), Err(DropReason::NoAllocation));
        assert!(fast_path.end(ALLOCATION).is_none());
    }
}
