//! W3C Trace Context: keeps what a client says of its trace, or begins one.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng;

pub(in crate::gateway) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The id of the trace that a request is part of; an extension of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct TraceId(Arc<str>);

impl TraceId {
    /// Takes the trace from the headers, or begins one and writes it there, from where the backend gets it.
    pub(in crate::gateway) fn settle(headers: &mut HeaderMap) -> Self {
        if let Some(id) = trace_id(headers) {
            let id = Self(id.into());
            if !is_sound_state(headers) {
                headers.remove(TRACESTATE);
            }
            return id;
        }
        // §3.2.2.3 and §3.3: without a parent that can be read there is no state either.
        headers.remove(TRACESTATE);
        let (id, parent) = (random_hex(16), random_hex(8));
        let value = format!("00-{id}-{parent}-{NOT_SAMPLED}");
        headers.insert(TRACEPARENT, HeaderValue::from_str(&value).expect("hexadecimal digits and dashes"));
        Self(id.into())
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// §3.2: `version-trace_id-parent_id-flags`. A later version may have more behind it, and is read like the first.
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(TRACEPARENT).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let text = line.to_str().ok()?;
    let (first, rest) = text.split_at_checked(TRACEPARENT_CHARACTERS)?;
    let mut parts = first.split('-');
    let (version, id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_whole = is_hex(version, 2) && is_hex(id, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    let is_null = id.bytes().all(|digit| digit == b'0') || parent.bytes().all(|digit| digit == b'0');
    let may_have_more = version != "00" && rest.starts_with('-');
    let is_sound = is_whole && !is_null && version != "ff" && parts.next().is_none();
    (is_sound && (rest.is_empty() || may_have_more)).then_some(id)
}

/// §3.3.1.1: 32 members, and §3.3.1.5: 512 characters are what everybody passes on.
fn is_sound_state(headers: &HeaderMap) -> bool {
    let lines: Vec<&str> =
        headers.get_all(TRACESTATE).iter().map(|line| line.to_str().unwrap_or("\0")).collect();
    let characters: usize = lines.iter().map(|line| line.len() + 1).sum();
    let members = lines.iter().flat_map(|line| line.split(',')).filter(|member| !member.trim().is_empty());
    let mut count = 0;
    let are_pairs = members.into_iter().all(|member| {
        count += 1;
        member.contains('=') && !member.contains('\0')
    });
    are_pairs && count <= MOST_MEMBERS && characters <= MOST_STATE_CHARACTERS
}

fn random_hex(bytes: usize) -> String {
    let mut random = [0_u8; 16];
    let random = &mut random[..bytes];
    rand::rng().fill_bytes(random);
    // §3.2.2.3: all zero means invalid.
    random[0] |= 1;
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    random.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Whether a trace is recorded is for those to decide who record: we pass on what they said, and claim nothing ourselves.
const NOT_SAMPLED: &str = "00";
const TRACEPARENT_CHARACTERS: usize = 55;
const MOST_MEMBERS: usize = 32;
const MOST_STATE_CHARACTERS: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_trace_and_its_state() {
        for parent in [PARENT, "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"] {
            let mut headers = map(&[("traceparent", parent), ("tracestate", "rojo=1, congo=2")]);
            let before = headers.clone();

            assert_eq!(TraceId::settle(&mut headers).to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(headers, before);
        }
    }

    #[test]
    fn begins_a_trace_where_there_is_none_to_read() {
        let long = format!("{PARENT}-more");
        let shouted = PARENT.to_uppercase();
        let cases: [&[&str]; 9] = [
            &[],
            &[""],
            &[PARENT, PARENT],
            &[&long],
            &[&shouted],
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01"],
        ];
        for parents in cases {
            let mut headers = map(&[("tracestate", "rojo=1")]);
            for parent in parents {
                headers.append(TRACEPARENT, HeaderValue::from_str(parent).unwrap());
            }

            let id = TraceId::settle(&mut headers);

            let made = headers.get_all(TRACEPARENT).iter().collect::<Vec<_>>();
            assert_eq!(made.len(), 1, "{parents:?}");
            assert_eq!(trace_id(&headers), Some(&*id.0), "{parents:?}");
            assert!(made[0].to_str().unwrap().ends_with("-00"), "{parents:?}");
            assert!(!headers.contains_key(TRACESTATE), "{parents:?}");
        }
    }

    #[test]
    fn drops_a_state_that_nobody_would_pass_on() {
        let many = "a=1,".repeat(33);
        let long = format!("a={}", "x".repeat(600));
        for state in [many.as_str(), &long, "no pair"] {
            let mut headers = map(&[("traceparent", PARENT)]);
            headers.insert(TRACESTATE, HeaderValue::from_str(state).unwrap());

            TraceId::settle(&mut headers);

            assert!(headers.contains_key(TRACEPARENT) && !headers.contains_key(TRACESTATE), "{state}");
        }
    }

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
}
