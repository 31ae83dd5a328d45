//! Bytes to types and back: STUN messages, their attributes, and ChannelData (RFC 8489 §5, RFC 8656 §12.4).
//!
//! In come the bytes of one datagram, or of one frame that [`stream::cut`] found in a stream; out go borrowed views
//! ([`Message`], [`ChannelData`]). In the other direction a [`MessageWriter`] appends to the caller's buffer. Nothing
//! here copies a payload, keeps state or looks at a clock.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---+---------------------------+-------------------------------+
//! |0 0|  method and class         |  length of the attributes     |
//! +---+---------------------------+-------------------------------+
//! |                  magic cookie 0x2112A442                      |
//! +---------------------------------------------------------------+
//! |                  transaction id (96 bits)                     |
//! +---------------------------------------------------------------+
//! |  attribute type | length | value, padded to 4 bytes | ...     |
//! ```

pub mod address;
pub mod attribute;
pub mod channel_data;
pub mod classify;
pub mod error_code;
pub mod integrity;
pub mod message;
pub mod method;
pub mod proxy_header;
pub mod stream;
pub mod writer;

#[cfg(test)]
mod tests;

pub use address::AddressFamily;
pub use channel_data::{ChannelData, ChannelNumber};
pub use classify::{Protocol, classify};
pub use error_code::ErrorCode;
pub use integrity::{Integrity, Key, LongTermKey, PasswordAlgorithm};
pub use message::{Message, ParseError, TransactionId};
pub use method::{Class, Method};
pub use proxy_header::ProxyHeader;
pub use writer::MessageWriter;
