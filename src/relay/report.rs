//! What the relay tells operators: counts for every packet, log lines for the life of an allocation.

use std::net::SocketAddr;
use std::time::Instant;

use tracing::info;

use super::fast_path::{FastPath, Flow};
use super::outbox::Cargo;
use crate::telemetry::{
    AllocationRefusal, AuthFailure, ClientTransport, DropReason, EndReason, RedactedAddr, RedactedUser,
    RelayStats, RelayedFamily, TurnMethod,
};
use crate::turn::{self, AllocationId, FiveTuple, Grant, PerFamily, Refusal, Transport};
use crate::wire::{AddressFamily, Method};

/// Counts a request by its answer.
pub(super) fn answered(stats: &RelayStats, method: Method, error: Option<Refusal>) {
    stats.request(match method {
        Method::Binding => TurnMethod::Binding,
        Method::Allocate => TurnMethod::Allocate,
        Method::Refresh => TurnMethod::Refresh,
        Method::CreatePermission => TurnMethod::CreatePermission,
        Method::ChannelBind => TurnMethod::ChannelBind,
        Method::Connect => TurnMethod::Connect,
        Method::ConnectionBind => TurnMethod::ConnectionBind,
        Method::Send | Method::Data | Method::ConnectionAttempt | Method::Unknown(_) => TurnMethod::Other,
    });
    match error {
        Some(Refusal { code, auth_failure }) => {
            stats.error_response(code.number());
            if let Some(failure) = auth_failure {
                stats.auth_failed(auth_failure_of(failure));
            }
            if method == Method::Binding {
                stats.binding_error();
            }
        }
        None => stats.success_response(),
    }
}

fn auth_failure_of(failure: turn::AuthFailure) -> AuthFailure {
    match failure {
        turn::AuthFailure::NoCredentials => AuthFailure::NoCredentials,
        turn::AuthFailure::UnknownUser => AuthFailure::UnknownUser,
        turn::AuthFailure::WrongPassword => AuthFailure::WrongPassword,
        turn::AuthFailure::InvalidToken => AuthFailure::InvalidToken,
        turn::AuthFailure::Expired => AuthFailure::Expired,
        turn::AuthFailure::WrongRealm => AuthFailure::WrongRealm,
        turn::AuthFailure::GrantEnded => AuthFailure::GrantEnded,
        turn::AuthFailure::OldNonce => AuthFailure::OldNonce,
        turn::AuthFailure::ForeignNonce => AuthFailure::ForeignNonce,
        turn::AuthFailure::OtherUser => AuthFailure::OtherUser,
    }
}

/// Counts an Allocate request that got no relay socket.
pub(super) fn refused(stats: &RelayStats, refusal: turn::RelayRefusal) {
    stats.allocation_refused(match refusal {
        turn::RelayRefusal::FamilyNotSupported => AllocationRefusal::Family,
        turn::RelayRefusal::NoPortLeft => AllocationRefusal::NoPort,
        turn::RelayRefusal::NoSuchReservation => AllocationRefusal::NoReservation,
        turn::RelayRefusal::UserQuota => AllocationRefusal::UserQuota,
        turn::RelayRefusal::SourceQuota => AllocationRefusal::SourceQuota,
        turn::RelayRefusal::Capacity => AllocationRefusal::Capacity,
        turn::RelayRefusal::AnonymousSourceQuota => AllocationRefusal::AnonymousSourceQuota,
        turn::RelayRefusal::AnonymousCapacity => AllocationRefusal::AnonymousCapacity,
        turn::RelayRefusal::GrantEnded => AllocationRefusal::GrantEnded,
    });
}

/// Counts and logs the beginning of an allocation.
pub(super) fn began(
    stats: &RelayStats,
    allocation: AllocationId,
    five_tuple: FiveTuple,
    relayed: PerFamily<Option<SocketAddr>>,
    username: &[u8],
    grant: Option<&Grant>,
) {
    stats.allocation_created();
    stats.allocation_came(client_transport(five_tuple.transport), family_of(relayed));
    // A sealed name tells nobody anything; what it says does.
    let username = grant.is_none().then(|| String::from_utf8_lossy(username));
    let user_id = grant.and_then(|grant| grant.user.as_deref());
    info!(
        allocation = %name(allocation),
        client = %RedactedAddr(five_tuple.client),
        transport = five_tuple.transport.label(),
        relayed = relayed.v4.map(display),
        relayed_v6 = relayed.v6.map(display),
        username = username.as_deref().map(|username| display(RedactedUser(username))),
        grant = grant.map(|grant| display(grant.id)),
        client_id = grant.map(|grant| &*grant.client),
        key = grant.map(|grant| &*grant.key),
        user_id = user_id.map(|user_id| display(RedactedUser(user_id))),
        "allocation began"
    );
}

/// Counts and logs that an allocation followed its client.
pub(super) fn moved(stats: &RelayStats, allocation: AllocationId, from: &Flow, to: FiveTuple) {
    stats.allocation_moved();
    left(stats, from);
    stats.allocation_came(client_transport(to.transport), from.family);
    info!(
        allocation = %name(allocation),
        client = %RedactedAddr(to.client),
        transport = to.transport.label(),
        "allocation moved"
    );
}

/// Counts and logs the end of an allocation.
pub(super) fn ended(
    stats: &RelayStats,
    allocation: AllocationId,
    reason: turn::EndReason,
    now: Instant,
    flow: &Flow,
) {
    let reason = match reason {
        turn::EndReason::Expired => EndReason::Expired,
        turn::EndReason::Deleted => EndReason::Deleted,
        turn::EndReason::Disconnected => EndReason::Disconnected,
        turn::EndReason::SessionEnded => EndReason::SessionEnded,
        turn::EndReason::Unclaimed => EndReason::Unclaimed,
        turn::EndReason::Shutdown => EndReason::Shutdown,
    };
    stats.allocation_ended(reason);
    left(stats, flow);
    info!(
        allocation = %name(allocation),
        reason = reason.label(),
        session = flow.session.as_ref().map(|session| &*session.0),
        duration_ms = (now - flow.began).as_millis() as u64,
        packets_to_peer = flow.traffic.to_peer.packets,
        bytes_to_peer = flow.traffic.to_peer.bytes,
        packets_to_client = flow.traffic.to_client.packets,
        bytes_to_client = flow.traffic.to_client.bytes,
        "allocation ended"
    );
}

/// Counts an allocation that another worker gets.
pub(super) fn given(stats: &RelayStats, flow: &Flow) {
    left(stats, flow);
}

/// Counts an allocation that was another worker's.
pub(super) fn taken(stats: &RelayStats, flow: &Flow) {
    stats.allocation_came(client_transport(flow.client.transport), flow.family);
}

/// Counts that one of an allocation's relayed addresses is gone.
pub(super) fn family_ended(stats: &RelayStats, flow: &mut Flow, family: AddressFamily) {
    left(stats, flow);
    flow.family = match family {
        AddressFamily::Ipv4 => RelayedFamily::Ipv6,
        AddressFamily::Ipv6 => RelayedFamily::Ipv4,
    };
    stats.allocation_came(client_transport(flow.client.transport), flow.family);
}

fn left(stats: &RelayStats, flow: &Flow) {
    stats.allocation_left(client_transport(flow.client.transport), flow.family);
}

/// Counts what was sent, or why it was not.
pub(super) fn departed(
    stats: &RelayStats,
    fast_path: &mut FastPath,
    cargo: Cargo,
    result: Result<(), DropReason>,
) {
    match (cargo, result) {
        (Cargo::Data { flow, transport, direction, payload_bytes }, Ok(())) => {
            if let Some(flow) = flow {
                fast_path.count(flow, direction, payload_bytes);
            }
            stats.relayed(client_transport(transport), direction, 1, payload_bytes);
        }
        (Cargo::Answer, Ok(())) => {}
        (_, Err(reason)) => stats.dropped(reason, 1),
    }
}

/// Counts a datagram that `turn` dropped.
pub(super) fn dropped(stats: &RelayStats, reason: turn::DropReason) {
    stats.dropped(
        match reason {
            turn::DropReason::Malformed => DropReason::Malformed,
            turn::DropReason::NoAllocation => DropReason::NoAllocation,
            turn::DropReason::NoPermission => DropReason::NoPermission,
            turn::DropReason::PeerForbidden => DropReason::PeerForbidden,
            turn::DropReason::TooLong => DropReason::TooLong,
            turn::DropReason::RateLimited => DropReason::RateLimited,
            turn::DropReason::TooManyConnections => DropReason::TooManyConnections,
            turn::DropReason::OwnAddress => DropReason::OwnAddress,
        },
        1,
    );
}

/// What carries TURN, as metrics have it.
pub(super) fn client_transport(transport: Transport) -> ClientTransport {
    match transport {
        Transport::Udp => ClientTransport::Udp,
        Transport::Tcp => ClientTransport::Tcp,
        Transport::Tls => ClientTransport::Tls,
    }
}

/// The families of relayed addresses, of which there is one at least.
pub(super) fn family_of(relayed: PerFamily<Option<SocketAddr>>) -> RelayedFamily {
    match (relayed.v4, relayed.v6) {
        (Some(_), Some(_)) => RelayedFamily::Both,
        (None, Some(_)) => RelayedFamily::Ipv6,
        (Some(_) | None, None) => RelayedFamily::Ipv4,
    }
}

/// How logs name an allocation: unique within a worker's life.
fn name(allocation: AllocationId) -> impl std::fmt::Display {
    format!("{}-{}", allocation.index, allocation.generation)
}
