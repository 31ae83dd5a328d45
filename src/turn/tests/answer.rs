//! `Answer`: a response as a test looks at it.

use std::net::SocketAddr;

use crate::wire::attribute::{self, AttributeType};
use crate::wire::{Class, Message};

/// A response, with its bytes for a closer look.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
}

impl Answer {
    pub(super) fn message(&self) -> Message<'_> {
        Message::parse(&self.bytes).unwrap()
    }

    /// The error code, or 0 for a success.
    pub(super) fn code(&self) -> u16 {
        match self.message().find(attribute::ERROR_CODE) {
            Some(value) => u16::from(value[2]) * 100 + u16::from(value[3]),
            None => {
                assert_eq!(self.message().class(), Class::Success);
                0
            }
        }
    }

    pub(super) fn address(&self, kind: AttributeType) -> SocketAddr {
        self.message().find_address(kind).unwrap().unwrap()
    }

    pub(super) fn lifetime(&self) -> u32 {
        self.message().find_u32(attribute::LIFETIME).unwrap().unwrap()
    }
}
