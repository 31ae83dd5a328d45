//! What the server wants its driver to do.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::auth::User;
use super::auth_failure::AuthFailure;
use super::five_tuple::{AllocationId, FiveTuple};
use super::grant::Grant;
use super::hook::Undecided;
use super::mobility::TakeOver;
use super::peer_connection::ConnectionId;
use super::per_family::PerFamily;
use super::relay_wish::{RelayTransport, RelayWish, ReservationToken};
use super::server::Reply;
use super::source::SourcePrefix;
use crate::wire::{AddressFamily, ChannelNumber, ErrorCode, Method};

/// What a request failed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// What the client is told.
    pub code: ErrorCode,
    /// What operators may learn beyond that.
    pub auth_failure: Option<AuthFailure>,
}

/// One thing to do; the order of several matters.
#[derive(Debug)]
pub enum Output {
    /// Send a response to the client that asked.
    Reply {
        /// The way back.
        to: FiveTuple,
        /// The response, in [`Server::scratch`](super::Server::scratch).
        message: Range<usize>,
        /// What was asked.
        method: Method,
        /// What it failed with, if it failed.
        error: Option<Refusal>,
    },
    /// Send the payload that a peer just sent to the client, as a Data indication.
    Indicate {
        /// The allocation that received it.
        allocation: AllocationId,
        /// The way to its client.
        to: FiveTuple,
        /// What goes in front of the payload, in scratch. The payload is followed by zeros up to a multiple of four.
        head: Range<usize>,
    },
    /// Send a message that no request asked for to the client.
    Notify {
        /// The way to the client.
        to: FiveTuple,
        /// The message, in scratch.
        message: Range<usize>,
    },
    /// Send a part of the datagram that a client just sent to a peer.
    ToPeer {
        /// The allocation that sends it.
        allocation: AllocationId,
        /// The receiver.
        peer: SocketAddr,
        /// Where the payload lies in the client's datagram.
        payload: Range<usize>,
        /// Whether the network may cut it into fragments (RFC 8656 §14).
        may_fragment: bool,
    },
    /// Open a relay socket, then call [`Server::relay_opened`](super::Server::relay_opened).
    OpenRelay(OpenRelay),
    /// Find out who this is, now or later, and tell [`Server::decided`](super::Server::decided). No other output comes with
    /// it, and a retransmission brings it again.
    Ask(Undecided),
    /// An allocation begins; its relay socket is the one just opened.
    Begin {
        /// The new allocation.
        allocation: AllocationId,
        /// Its client.
        five_tuple: FiveTuple,
        /// The addresses that peers reach it at.
        relayed: PerFamily<Option<SocketAddr>>,
        /// Who allocated it.
        username: Arc<[u8]>,
        /// What the gateway granted for that, if the name came from there.
        grant: Option<Arc<Grant>>,
    },
    /// Have the server of another worker give an allocation away, and pass what it says to
    /// [`Server::take_in`](super::Server::take_in).
    TakeOver(Box<TakeOver>),
    /// The client of an allocation is reached on another path from now on: the one that the input came on.
    Moved {
        /// The allocation.
        allocation: AllocationId,
        /// The path.
        to: FiveTuple,
    },
    /// The client has left the path that its allocation had before it moved, or the path is closed.
    Left {
        /// The allocation.
        allocation: AllocationId,
        /// The path.
        path: FiveTuple,
    },
    /// An allocation ended, and all its routes with it: close its relay socket now.
    End {
        /// The allocation; its index may be used again by the next `Begin`.
        allocation: AllocationId,
        /// Why it ended.
        reason: EndReason,
    },
    /// One of the two addresses of an allocation ended, and its routes: close that relay socket now.
    EndFamily {
        /// The allocation, which lives on with its other address.
        allocation: AllocationId,
        /// The family of the address that ended.
        family: AddressFamily,
    },
    /// From now on the channel leads to the peer, in both directions.
    OpenRoute {
        /// The allocation that the channel belongs to.
        allocation: AllocationId,
        /// The channel.
        channel: ChannelNumber,
        /// Its peer.
        peer: SocketAddr,
    },
    /// The channel leads nowhere any more.
    CloseRoute {
        /// The allocation that the channel belonged to.
        allocation: AllocationId,
        /// The channel.
        channel: ChannelNumber,
    },
    /// Connect to a peer from the relayed address, then call [`Server::dialed`](super::Server::dialed).
    Dial {
        /// The allocation that connects.
        allocation: AllocationId,
        /// What names the connection from now on.
        connection: ConnectionId,
        /// Where to.
        peer: SocketAddr,
    },
    /// The client's connection whose request was just answered carries the bytes of this peer's connection from now on.
    BindConnection {
        /// The peer's connection.
        connection: ConnectionId,
    },
    /// Close a connection to a peer, and with it that of the client that it was bound to.
    CloseConnection {
        /// Which one; its name may be used again.
        connection: ConnectionId,
    },
    /// The datagram just handled was dropped without an answer.
    Drop(DropReason),
}

/// A request to open a relay socket, or two; it carries all that is needed to finish the allocation.
#[derive(Debug)]
pub struct OpenRelay {
    /// The client that allocates.
    pub five_tuple: FiveTuple,
    /// What it asks for.
    pub wish: RelayWish,
    /// How peers are to reach it.
    pub transport: RelayTransport,
    pub(super) user: User,
    pub(super) lifetime: Duration,
    pub(super) wants_mobility: bool,
    pub(super) reply: Reply,
}

impl OpenRelay {
    /// Who allocates, by the part of the user name that stays the same when its credential is renewed, or by the client and
    /// user of a grant; of clients without credentials, all that come from one source.
    pub fn account(&self) -> Cow<'_, [u8]> {
        if self.is_anonymous() {
            // The zero keeps it apart from names.
            return Cow::Owned(format!("\0{}", self.source()).into_bytes());
        }
        self.user.account()
    }

    /// What the gateway granted for that, if the user name came from there.
    pub fn grant(&self) -> Option<&Grant> {
        self.user.grant.as_deref()
    }

    /// Whether the client shows no credentials.
    pub fn is_anonymous(&self) -> bool {
        self.user.is_anonymous()
    }

    /// Where the client is.
    pub fn source(&self) -> SourcePrefix {
        SourcePrefix::of(self.five_tuple.client.ip())
    }

    /// The local address that the client reached, where the relay has no address of its own.
    pub fn reached(&self) -> IpAddr {
        self.five_tuple.server.ip()
    }
}

/// The relay sockets that the driver opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenedRelay {
    /// The addresses that they are bound to.
    pub local: PerFamily<Option<SocketAddr>>,
    /// The one of two addresses that could not be had, and why.
    pub missing: Option<(AddressFamily, RelayRefusal)>,
    /// What names the port that was reserved.
    pub reservation: Option<ReservationToken>,
}

/// Why no relay socket could be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelayRefusal {
    /// There is no relay address of that family.
    FamilyNotSupported,
    /// Every relay port is taken, or the system has no socket left.
    NoPortLeft,
    /// The token names no reserved port, or none any more.
    NoSuchReservation,
    /// The user has as many allocations as it may.
    UserQuota,
    /// The source has as many allocations as it may.
    SourceQuota,
    /// There are as many allocations as there may be.
    Capacity,
    /// The source has as many allocations as it may without credentials.
    AnonymousSourceQuota,
    /// There are as many allocations without credentials as there may be.
    AnonymousCapacity,
    /// The session that the user name was granted for has ended.
    GrantEnded,
}

/// Why an allocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Its client did not refresh it in time.
    Expired,
    /// Its client ended it with a lifetime of zero.
    Deleted,
    /// Its client's connection closed.
    Disconnected,
    /// The session that it belonged to ended.
    SessionEnded,
    /// No session claimed it in time.
    Unclaimed,
    /// The server stops.
    Shutdown,
}

/// Why a datagram went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// It is no message that a client may send.
    Malformed,
    /// It needs an allocation that does not exist.
    NoAllocation,
    /// The allocation has no permission for the peer.
    NoPermission,
    /// The peer may not be reached, permission or not.
    PeerForbidden,
    /// With the header of an indication it would be longer than a datagram can be.
    TooLong,
    /// Its source, which has not shown who it is, was answered too often of late.
    RateLimited,
    /// The allocation has as many connections to peers as it may.
    TooManyConnections,
    /// It says that it comes from one of our own listeners.
    OwnAddress,
}
