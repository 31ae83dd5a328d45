//! The kernel: batches of datagrams, socket options, readiness, limits; the only room with `unsafe` code.
//!
//! What is unsafe here is `recvmmsg`, `sendmmsg`, `recvmsg`, their control messages and socket options. It is sound because
//! every pointer that the kernel gets is taken, used and forgotten within one call, from slices and arrays that are
//! borrowed for longer than that; no pointer is kept in a struct between calls.

#![expect(unsafe_code, reason = "this is the room for it")]

mod address;
mod clock;
mod control;
mod cpu_time;
mod datagrams;
mod icmp;
mod interfaces;
mod limits;
mod namespaces;
mod readiness;
mod stream_dial;
mod stream_listener;
mod udp_socket;

pub use clock::is_clock_synchronised;
pub use cpu_time::{ThreadClock, process_cpu_time};
pub use datagrams::{Burst, Datagram, Received, Receiver, SendFailure, Sender};
pub use icmp::IcmpError;
pub use interfaces::interface_addresses;
pub use limits::{lower_thread_priority, raise_open_files_limit};
pub use namespaces::in_network_namespace;
pub use readiness::{Interest, Readiness, Ready, Waker, wait_until_readable};
pub use stream_dial::{dial_result, dial_stream};
pub use stream_listener::StreamListener;
pub use udp_socket::{Sharing, UdpOptions, UdpSocket};
