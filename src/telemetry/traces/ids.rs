//! The ids of W3C Trace Context: of a trace, of a span in it, and both as the next one is told.

use std::fmt;

use rand::Rng;

/// The id of a trace; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(u128);

/// The id of a span within its trace; never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(u64);

/// The span of somebody else that a request was sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteParent {
    /// Its id.
    pub span: SpanId,
    /// Whether its owner says that the trace is recorded.
    pub is_sampled: bool,
}

/// Where a span stands; as text, the `traceparent` of what is sent within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether the trace is recorded.
    pub is_sampled: bool,
}

impl TraceId {
    /// A new one.
    pub fn random() -> Self {
        // All zero means none. The lower half stays as random as it is, since it decides about sampling.
        Self(rand::rng().next_u64() as u128 | u128::from(rand::rng().next_u64() | 1) << 64)
    }

    /// The id that 32 lower-case hexadecimal digits name (§3.2.2.3).
    pub fn parse(digits: &str) -> Option<Self> {
        let is_id = digits.len() == 32 && is_lower_hex(digits);
        u128::from_str_radix(digits, 16).ok().filter(|&id| is_id && id != 0).map(Self)
    }

    pub(super) fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    pub(super) fn lower_half(self) -> u64 {
        self.0 as u64
    }
}

impl SpanId {
    /// A new one.
    pub fn random() -> Self {
        Self(rand::rng().next_u64().max(1))
    }

    /// The id that 16 lower-case hexadecimal digits name (§3.2.2.4).
    pub fn parse(digits: &str) -> Option<Self> {
        let is_id = digits.len() == 16 && is_lower_hex(digits);
        u64::from_str_radix(digits, 16).ok().filter(|&id| is_id && id != 0).map(Self)
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

fn is_lower_hex(digits: &str) -> bool {
    digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// §3.2: `version-trace_id-parent_id-flags`.
impl fmt::Display for SpanContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trace, span, is_sampled } = self;
        write!(f, "00-{trace}-{span}-{:02x}", u8::from(*is_sampled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let (trace, span) = (TraceId::random(), SpanId::random());
        assert_eq!(TraceId::parse(&trace.to_string()), Some(trace));
        assert_eq!(SpanId::parse(&span.to_string()), Some(span));
        let context = SpanContext { trace, span, is_sampled: true };
        assert_eq!(context.to_string(), format!("00-{trace}-{span}-01"));
    }

    #[test]
    fn refuses_what_is_no_id() {
        for digits in ["", "0", "4BF92F3577B34DA6A3CE929D0E0E4736", "+bf92f3577b34da6a3ce929d0e0e4736"] {
            assert_eq!(TraceId::parse(digits), None, "{digits}");
        }
        assert_eq!(TraceId::parse(&"0".repeat(32)), None);
        for digits in ["0000000000000000", "00f067aa0ba902b", "00F067AA0BA902B7", "+0f067aa0ba902b7"] {
            assert_eq!(SpanId::parse(digits), None, "{digits}");
        }
    }
}
