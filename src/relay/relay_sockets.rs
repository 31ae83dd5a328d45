//! `RelaySockets`: the sockets of a worker's allocations, on addresses and ports that peers reach.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tracing::{error, warn};

use super::by_allocation::ByAllocation;
use super::endpoint::Endpoint;
use super::port_owners::Owner;
use super::ports::{BoundPort, PortLease, RelayPorts};
use super::quotas::{QuotaLease, Quotas};
use super::settings::Settings;
use super::shared::Shared;
use super::token::Token;
use crate::sys::{Readiness, StreamListener, UdpSocket};
use crate::turn::{
    AllocationId, OpenRelay, OpenedRelay, PerFamily, RelayPort, RelayRefusal, RelayTransport, RelayWish,
    ReservationToken,
};
use crate::wire::AddressFamily;

/// The relay sockets of a worker, by the index of their allocation.
#[derive(Debug)]
pub(super) struct RelaySockets {
    /// Which worker's they are.
    worker: u16,
    addresses: Vec<IpAddr>,
    buffer_bytes: usize,
    ports: Arc<RelayPorts>,
    quotas: Arc<Quotas>,
    sockets: ByAllocation<PerFamily<Option<RelaySocket>>>,
    random: StdRng,
}

/// An open relay socket; port and quota are given back after the socket is closed.
#[derive(Debug)]
pub(super) struct RelaySocket {
    socket: Endpoint,
    lease: PortLease,
    /// Whose it is; nobody's until it is kept.
    allocation: Option<AllocationId>,
    /// What names the port that was reserved with it.
    reservation: Option<ReservationToken>,
}

/// Sockets for an allocation that has no name yet.
#[derive(Debug)]
pub(super) struct Opened {
    sockets: PerFamily<Option<RelaySocket>>,
    /// What `turn` is told about them.
    pub(super) relay: OpenedRelay,
}

/// Sockets on their way from one worker to another.
#[derive(Debug)]
pub(super) struct MovingSockets(PerFamily<Option<RelaySocket>>);

impl RelaySockets {
    pub(super) fn new(worker: u16, settings: &Settings, shared: &Shared, seed: [u8; 32]) -> Self {
        Self {
            worker,
            addresses: settings.relay_addresses.clone(),
            buffer_bytes: settings.relay_buffer_bytes,
            ports: Arc::clone(&shared.ports),
            quotas: Arc::clone(&shared.quotas),
            sockets: ByAllocation::default(),
            random: StdRng::from_seed(seed),
        }
    }

    /// Opens what an Allocate request asks for, or as much of a dual allocation as can be had.
    pub(super) fn open(
        &mut self,
        request: &OpenRelay,
        readiness: &Readiness,
        now: Instant,
    ) -> Result<Opened, RelayRefusal> {
        let (sockets, missing) = match request.wish {
            RelayWish::Single { family, port } => {
                let quota = self.quotas.reserve(request)?;
                let socket = self.open_one(request, family, port, &quota, readiness, now)?;
                (PerFamily::one(family, socket), None)
            }
            RelayWish::Dual => {
                // One allocation, however many addresses it has.
                let quota = self.quotas.reserve(request)?;
                let mut open =
                    |family| self.open_one(request, family, RelayPort::Any, &quota, readiness, now);
                match (open(AddressFamily::Ipv4), open(AddressFamily::Ipv6)) {
                    (Ok(v4), Ok(v6)) => (PerFamily { v4: Some(v4), v6: Some(v6) }, None),
                    (Ok(v4), Err(refusal)) => {
                        (PerFamily::one(AddressFamily::Ipv4, v4), Some((AddressFamily::Ipv6, refusal)))
                    }
                    (Err(refusal), Ok(v6)) => {
                        (PerFamily::one(AddressFamily::Ipv6, v6), Some((AddressFamily::Ipv4, refusal)))
                    }
                    (Err(refusal), Err(_)) => return Err(refusal),
                }
            }
            // It has been counted since it was reserved.
            RelayWish::Reserved(token) => {
                let port = self.ports.claim(token, now).ok_or(RelayRefusal::NoSuchReservation)?;
                let family = AddressFamily::of(port.socket.local_addr().ip());
                (PerFamily::one(family, watch(port, readiness)?), None)
            }
        };
        let local = PerFamily {
            v4: sockets.v4.as_ref().map(|socket| socket.socket.local_addr()),
            v6: sockets.v6.as_ref().map(|socket| socket.socket.local_addr()),
        };
        let reservation = sockets.iter().find_map(|socket| socket.reservation);
        Ok(Opened { sockets, relay: OpenedRelay { local, missing, reservation } })
    }

    /// Keeps the sockets of an allocation, which names them from now on.
    pub(super) fn insert(&mut self, allocation: AllocationId, opened: Opened, readiness: &Readiness) {
        self.keep(allocation, opened.sockets, readiness);
    }

    fn keep(
        &mut self,
        allocation: AllocationId,
        sockets: PerFamily<Option<RelaySocket>>,
        readiness: &Readiness,
    ) {
        let mut kept = PerFamily::default();
        for (family, socket) in [(AddressFamily::Ipv4, sockets.v4), (AddressFamily::Ipv6, sockets.v6)] {
            let Some(mut socket) = socket else { continue };
            let token = Token::Relay(allocation.index, family);
            if let Err(error) = readiness.rename(&socket.socket, token.pack()) {
                error!(%error, "cannot read from a relay socket");
            }
            socket.allocation = Some(allocation);
            if let Endpoint::Datagrams(_) = socket.socket {
                socket.lease.set_owner(Some(Owner { worker: self.worker, index: allocation.index }));
            }
            *kept.get_mut(family) = Some(socket);
        }
        self.sockets.insert(allocation.index, kept);
    }

    /// Takes the sockets of an allocation out, open as they are, for another worker.
    pub(super) fn take_out(&mut self, allocation: AllocationId, readiness: &Readiness) -> MovingSockets {
        let sockets = self.sockets.remove(allocation.index).map(|sockets| *sockets).unwrap_or_default();
        for socket in sockets.iter() {
            socket.lease.set_owner(None);
            // One that was not watched is where it should be.
            let _ = readiness.remove(&socket.socket);
        }
        MovingSockets(sockets)
    }

    /// Keeps the sockets of an allocation that was on another worker, with what they have received meanwhile.
    pub(super) fn take_in(&mut self, allocation: AllocationId, moving: MovingSockets, readiness: &Readiness) {
        for socket in moving.0.iter() {
            if let Err(error) = readiness.add(&socket.socket, Token::Unnamed.pack()) {
                error!(%error, "cannot read from a relay socket");
            }
        }
        self.keep(allocation, moving.0, readiness);
    }

    /// Closes sockets that found no place, and gives back what was reserved with them.
    pub(super) fn discard(&mut self, moving: MovingSockets) {
        for token in moving.0.iter().filter_map(|socket| socket.reservation) {
            self.ports.cancel(token);
        }
    }

    /// Closes the sockets of an allocation.
    pub(super) fn close(&mut self, allocation: AllocationId) {
        for family in [AddressFamily::Ipv4, AddressFamily::Ipv6] {
            self.close_family(allocation, family);
        }
        self.sockets.remove(allocation.index);
    }

    /// Closes one socket of an allocation, and gives back what was reserved with it.
    pub(super) fn close_family(&mut self, allocation: AllocationId, family: AddressFamily) {
        let Some(sockets) = self.sockets.get_mut(allocation.index) else { return };
        if let Some(token) = sockets.get_mut(family).take().and_then(|socket| socket.reservation) {
            self.ports.cancel(token);
        }
    }

    /// The socket of a family of the allocation with this index, if its peers send datagrams.
    pub(super) fn get(&self, index: u32, family: AddressFamily) -> Option<&UdpSocket> {
        match &self.sockets.get(index)?.get(family).as_ref()?.socket {
            Endpoint::Datagrams(socket) => Some(socket),
            Endpoint::Streams(_) => None,
        }
    }

    /// The same, if its peers connect.
    pub(super) fn listener(&self, index: u32, family: AddressFamily) -> Option<&StreamListener> {
        match &self.sockets.get(index)?.get(family).as_ref()?.socket {
            Endpoint::Streams(listener) => Some(listener),
            Endpoint::Datagrams(_) => None,
        }
    }

    /// The allocation with this index.
    pub(super) fn allocation(&self, index: u32) -> Option<AllocationId> {
        self.sockets.get(index)?.iter().find_map(|socket| socket.allocation)
    }

    /// A session answers for an allocation, which is not counted among those of strangers any more.
    pub(super) fn claimed(&self, index: u32) {
        let sockets = self.sockets.get(index).into_iter().flat_map(PerFamily::iter);
        sockets.for_each(|socket| socket.lease.claimed());
    }

    fn open_one(
        &mut self,
        request: &OpenRelay,
        family: AddressFamily,
        port: RelayPort,
        quota: &Arc<QuotaLease>,
        readiness: &Readiness,
        now: Instant,
    ) -> Result<RelaySocket, RelayRefusal> {
        let address = self.address(family, request.reached()).ok_or(RelayRefusal::FamilyNotSupported)?;
        // A reserved port counts as the allocation that it is to become.
        let next_quota = match port {
            RelayPort::EvenWithNext => Some(self.quotas.reserve(request)?),
            RelayPort::Any | RelayPort::Even => None,
        };
        let pool = self.ports.pool(address, now);
        // Ports that another process has are kept until the end, so that none is tried twice.
        let mut foreign = Vec::new();
        while foreign.len() < MAX_FOREIGN_PORTS {
            let (mut lease, next) =
                pool.take(self.random.next_u32(), port).ok_or(RelayRefusal::NoPortLeft)?;
            lease.count_under(quota);
            let next = next.zip(next_quota.as_ref()).map(|(mut next, quota)| {
                next.count_under(quota);
                next
            });
            let bound = self.bind(address, lease, request.transport).and_then(|port| {
                let next = next.map(|next| self.bind(address, next, request.transport)).transpose()?;
                Ok((port, next))
            });
            let (port, next) = match bound {
                Ok(bound) => bound,
                Err(BindFailure::PortInUse(lease)) => {
                    foreign.push(lease);
                    continue;
                }
                Err(BindFailure::Refused) => return Err(RelayRefusal::NoPortLeft),
            };
            let mut socket = watch(port, readiness)?;
            if let Some(next) = next {
                let mut token = ReservationToken([0; 8]);
                self.random.fill_bytes(&mut token.0);
                self.ports.reserve(token, next, now);
                socket.reservation = Some(token);
            }
            return Ok(socket);
        }
        Err(RelayRefusal::NoPortLeft)
    }

    fn bind(
        &self,
        address: IpAddr,
        lease: PortLease,
        transport: RelayTransport,
    ) -> Result<BoundPort, BindFailure> {
        match Endpoint::bind(SocketAddr::new(address, lease.port()), transport, self.buffer_bytes) {
            Ok(socket) => Ok(BoundPort { socket, lease }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(BindFailure::PortInUse(lease)),
            Err(error) => {
                warn!(%address, port = lease.port(), %error, "cannot open a relay socket");
                Err(BindFailure::Refused)
            }
        }
    }

    /// Where to open a socket: a configured address of the family, or the one that the client reached.
    fn address(&self, family: AddressFamily, reached: IpAddr) -> Option<IpAddr> {
        let is_wanted = |ip: &IpAddr| AddressFamily::of(*ip) == family;
        self.addresses.iter().copied().find(is_wanted).or_else(|| Some(reached).filter(is_wanted))
    }
}

/// Lets a bound port be read, though its allocation has no name yet.
fn watch(port: BoundPort, readiness: &Readiness) -> Result<RelaySocket, RelayRefusal> {
    if let Err(error) = readiness.add(&port.socket, Token::Unnamed.pack()) {
        warn!(%error, "cannot watch a relay socket");
        return Err(RelayRefusal::NoPortLeft);
    }
    let BoundPort { socket, lease } = port;
    Ok(RelaySocket { socket, lease, allocation: None, reservation: None })
}

/// Why a socket could not be bound.
enum BindFailure {
    /// Another process has the port.
    PortInUse(PortLease),
    /// There is no such address, or the system has no socket left.
    Refused,
}

/// How many ports of other processes one allocation may meet; each costs two system calls.
const MAX_FOREIGN_PORTS: usize = 32;
