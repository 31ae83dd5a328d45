//! W3C Trace Context: keeps what a client says of its trace, or begins one.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::telemetry::{RemoteParent, SpanContext, SpanId, TraceId};

pub(in crate::gateway) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Takes the trace from a request's headers, or begins one and writes it there, from where the backend gets it. Also says
/// in which span of whose the request was sent.
pub(in crate::gateway) fn settle(headers: &mut HeaderMap) -> (TraceId, Option<RemoteParent>) {
    if let Some((trace, parent)) = read(headers) {
        if !is_sound_state(headers) {
            headers.remove(TRACESTATE);
        }
        return (trace, Some(parent));
    }
    // §3.2.2.3 and §3.3: without a parent that can be read there is no state either.
    headers.remove(TRACESTATE);
    let trace = TraceId::random();
    // Whether a trace is recorded is for those to decide who record; where we do, this is written anew.
    write(headers, SpanContext { trace, span: SpanId::random(), is_sampled: false });
    (trace, None)
}

/// Names the span that a request is sent in.
pub(in crate::gateway) fn write(headers: &mut HeaderMap, context: SpanContext) {
    let value = HeaderValue::from_str(&context.to_string()).expect("hexadecimal digits and dashes");
    headers.insert(TRACEPARENT, value);
}

/// §3.2: `version-trace_id-parent_id-flags`. A later version may have more behind it, and is read like the first.
fn read(headers: &HeaderMap) -> Option<(TraceId, RemoteParent)> {
    let mut lines = headers.get_all(TRACEPARENT).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else { return None };
    let (first, rest) = line.to_str().ok()?.split_at_checked(TRACEPARENT_CHARACTERS)?;
    let mut parts = first.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let byte = |digits: &str| {
        let is_byte =
            digits.len() == 2 && !digits.bytes().any(|digit| digit == b'+' || digit.is_ascii_uppercase());
        u8::from_str_radix(digits, 16).ok().filter(|_| is_byte)
    };
    let (version, flags) = (byte(version)?, byte(flags)?);
    let may_have_more = version != 0 && rest.starts_with('-');
    let is_sound = version != 0xff && parts.next().is_none() && (rest.is_empty() || may_have_more);
    let parent = RemoteParent { span: SpanId::parse(span)?, is_sampled: flags & SAMPLED != 0 };
    is_sound.then_some((TraceId::parse(trace)?, parent))
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

/// §3.2.2.5.1: whoever sent the request may have recorded it.
const SAMPLED: u8 = 1;
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

            let (trace, from) = settle(&mut headers);

            assert_eq!(trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
            assert_eq!(
                from,
                Some(RemoteParent { span: SpanId::parse("00f067aa0ba902b7").unwrap(), is_sampled: true })
            );
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

            let (trace, from) = settle(&mut headers);

            let made = headers.get_all(TRACEPARENT).iter().collect::<Vec<_>>();
            assert_eq!(made.len(), 1, "{parents:?}");
            assert_eq!(from, None, "{parents:?}");
            assert_eq!(read(&headers).unwrap().0, trace, "{parents:?}");
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

            settle(&mut headers);

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
