//! `[traces]`: where traces go, and which of them.

use std::time::Duration;

use http::{HeaderName, HeaderValue, header};

use super::{Rules, Unique};
use crate::config::error::Cause;
use crate::config::schema::{TracesHeader, TracesTable};
use crate::config::secrets::Source;
use crate::config::units::HumanDuration;
use crate::secret::Secret;
use crate::telemetry::TraceSettings;

pub(super) fn traces(written: &TracesTable, rules: &mut Rules<'_>) -> Option<TraceSettings> {
    rules.in_range("traces.sample_ratio", &written.sample_ratio, 0.0..=1.0);
    rules.in_range("traces.timeout", &written.timeout, LEAST_TIMEOUT..=MOST_TIMEOUT);
    let mut known = Unique::new();
    let mut headers = Vec::new();
    for (index, field) in written.headers.iter().enumerate() {
        headers.extend(header_field(&format!("traces.headers[{index}]"), field, &mut known, rules));
    }
    let Some(endpoint) = &written.endpoint else {
        if !written.headers.is_empty() || written.ca_file.is_some() {
            rules.refuse("traces", Cause::TracesWithoutEndpoint);
        }
        return None;
    };
    if written.ca_file.is_some() && !endpoint.is_secure() {
        rules.refuse("traces.ca_file", Cause::CollectorInTheClear);
    }
    Some(TraceSettings {
        endpoint: endpoint.uri().clone(),
        headers,
        ca_file: written.ca_file.as_ref().map(|path| rules.path(path)),
        sample_ratio: written.sample_ratio,
        follow_clients: written.follow_clients,
        timeout: written.timeout.0,
    })
}

fn header_field(
    section: &str,
    field: &TracesHeader,
    known: &mut Unique<HeaderName>,
    rules: &mut Rules<'_>,
) -> Option<(HeaderName, Secret)> {
    let key = format!("{section}.name");
    let name = match field.name.parse::<HeaderName>() {
        Ok(name) if !OURS.contains(&name) => name,
        Ok(_) => {
            rules.refuse(&key, Cause::OwnHeader(field.name.clone()));
            return None;
        }
        Err(_) => {
            rules.refuse(&key, Cause::HeaderName(field.name.clone()));
            return None;
        }
    };
    if let Some(first) = known.claim(name.clone(), &key) {
        rules.refuse(&key, Cause::Duplicate { value: field.name.clone(), first });
    }
    let source = Source { key: "value", value: field.value.as_ref(), file: field.value_file.as_ref() };
    let value = rules.required(section, &source)?;
    let is_value =
        |value: &Secret| HeaderValue::from_str(value.expose()).is_ok_and(|value| value.to_str().is_ok());
    if !is_value(&value) {
        rules.refuse(&format!("{section}.{}", source.written_key()), Cause::HeaderCharacters);
        return None;
    }
    Some((name, value))
}

const LEAST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_millis(100));
const MOST_TIMEOUT: HumanDuration = HumanDuration(Duration::from_secs(60));
/// What says how the body is read, and to whom it goes.
const OURS: [HeaderName; 6] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::TRANSFER_ENCODING,
];
