//! A load on a TURN server, ours or any other's, and what it measures: `turnpike bench`.
//!
//! In comes a [`Load`]: how many allocations relay how much, from where to where. Out comes a [`Report`]: what
//! arrived, how late, and what the server spent on it.
//!
//! ```text
//!  Pace ─ which flow is due ─▶ Flow ─ frame of stamped packets ─▶ server under test
//!                                                                      │
//!  Report ◀─ Tally ◀─ stamp: which flow, which packet, sent when ◀─────┘
//! ```
//!
//! Clients and peers live in one process, so that one clock tells how long a packet took. Each thread has flows of its
//! own, sockets for them and a loop (`relaying`); packets go out by the frame (`UDP_SEGMENT`, `sendmmsg`) and come in
//! by the batch (`UDP_GRO`, `recvmmsg`), so that the load costs less than what the server does with it.

#![expect(clippy::disallowed_methods, reason = "what is measured is time")]

mod churn;
mod control;
mod error;
mod flow;
mod incoming;
mod link;
mod load;
mod pace;
mod process;
mod relaying;
mod report;
mod search;
mod stamp;
mod stream;
mod tally;

pub use churn::churn;
pub use error::BenchError;
pub use load::{Access, Credential, Direction, Load, LoadError, Transport, Trust};
pub use relaying::relay;
pub use report::{AllocationReport, RateReport, Report};
pub use search::find_rate;
