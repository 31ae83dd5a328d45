//! The TURN server as a pure state machine (RFC 8656, RFC 8489): no sockets, clock, threads or randomness of its own.
//!
//! # How to drive it
//!
//! 1. Give it one input: [`Server::handle_client`], [`Server::handle_peer`], [`Server::handle_icmp`],
//!    [`Server::client_gone`], [`Server::dialed`], [`Server::peer_connected`], [`Server::connection_closed`],
//!    [`Server::close`], [`Server::claim`], [`Server::name_peers`], [`Server::release`], [`Server::set_peer_policy`] or
//!    [`Server::handle_timeout`], most of them with the present time.
//! 2. Call [`Server::poll_output`] until it returns `None`, and carry out what it says. Outputs point into the
//!    datagram that was just handled and into [`Server::scratch`], so drain them before the next input. The one
//!    exception is [`Output::OpenRelay`]: answer it with [`Server::relay_opened`], then go on draining. So may
//!    [`Output::Ask`] be, with [`Server::decided`]; but its answer may also come later, as an input.
//! 3. Sleep until an input comes or [`Server::poll_timeout`] is reached.
//!
//! ChannelData never comes here: [`Output::OpenRoute`] and [`Output::CloseRoute`] tell the driver which channel leads
//! to which peer, so that it relays without asking.
//!
//! # Where to look
//!
//! A request enters in `server`, is authenticated in `auth`, and is carried out in the file of its method. What it
//! changes is an `Allocation` in the `Table`; why it is refused is a `Reject`.

mod access_token;
mod account;
mod allocate;
mod allocation;
mod alternates;
mod anonymous;
mod auth;
mod auth_failure;
mod binding;
mod channel;
mod channel_bind;
mod claim;
mod connect;
mod connection_bind;
mod create_permission;
pub mod credential;
mod directory;
mod external;
mod five_tuple;
mod grant;
mod grant_seal;
mod hook;
mod icmp;
mod mobility;
mod mobility_ticket;
mod nat_discovery;
mod nonce;
mod opaque_string;
mod output;
mod peer_connection;
pub mod peer_policy;
mod peer_rule;
mod per_family;
mod permission;
mod reach;
mod recently_ended;
mod refresh;
mod reject;
mod relay_data;
mod relay_wish;
mod security_features;
mod server;
mod settings;
mod source;
mod stranger_limit;
mod strangers;
mod table;
#[cfg(test)]
mod tests;
mod understood;

pub use alternates::{Redirect, is_answer_to, probe};
pub use anonymous::AnonymousListeners;
pub use auth_failure::AuthFailure;
pub use external::ExternalAddresses;
pub use five_tuple::{AllocationId, FiveTuple, Now, Transport};
pub use grant::{Grant, GrantId};
pub use grant_seal::GrantSeal;
pub use hook::{HookAnswer, HookUser, Undecided};
pub use icmp::Icmp;
pub use mobility::{MoveRefusal, MovedAllocation, TakeOver};
pub use nat_discovery::NatDiscovery;
pub use nonce::NonceKeys;
pub use output::{DropReason, EndReason, OpenRelay, OpenedRelay, Output, Refusal, RelayRefusal};
pub use peer_connection::ConnectionId;
pub use per_family::PerFamily;
pub use relay_wish::{RelayPort, RelayTransport, RelayWish, ReservationToken};
pub use server::Server;
pub use settings::{ChannelNumbers, Settings};
pub use source::SourcePrefix;
pub use stranger_limit::StrangerLimit;

pub use crate::wire::PasswordAlgorithm;
