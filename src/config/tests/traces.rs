//! `[traces]`: where traces go, and which of them.

use std::time::Duration;

use super::Files;
use super::errors::refused;
use crate::config::Warning;
use crate::telemetry::TraceSettings;

/// A file with a table of traces.
fn with(table: &str) -> String {
    format!("[traces]\n{table}\n")
}

#[test]
fn nothing_is_traced_unless_an_endpoint_is_named() {
    assert_eq!(Files::new("").load(&[]).unwrap().traces, None);
    assert_eq!(Files::new(&with("sample_ratio = 0.5")).load(&[]).unwrap().traces, None);
}

#[test]
fn an_endpoint_is_enough() {
    let files = Files::new(&with("endpoint = \"http://collector:4318/v1/traces\""));
    let settings = files.load(&[]).unwrap().traces.unwrap();
    assert_eq!(settings, TraceSettings::to("http://collector:4318/v1/traces".parse().unwrap()));
}

#[test]
fn reads_every_option() {
    let text = with(
        "endpoint = \"https://collector/v1/traces\"\nsample_ratio = 0.25\nfollow_clients = true\nca_file = \"ca.crt\"\n\
         timeout = \"3s\"\n[[traces.headers]]\nname = \"Authorization\"\nvalue_file = \"token\"\n\
         [[traces.headers]]\nname = \"x-tenant\"\nvalue = \"skin\"",
    );
    let settings = Files::new(&text).with("token", "Bearer hush\n").load(&[]).unwrap().traces.unwrap();
    assert_eq!((settings.sample_ratio, settings.follow_clients), (0.25, true));
    assert!(settings.ca_file.unwrap().ends_with("ca.crt"));
    assert_eq!(settings.timeout, Duration::from_secs(3));
    let headers: Vec<_> =
        settings.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("authorization", "Bearer hush"), ("x-tenant", "skin")]);
    assert!(!format!("{:?}", settings.headers).contains("hush"));
}

#[test]
fn variables_say_the_same() {
    let variables = [
        ("TURNPIKE_TRACES_ENDPOINT", "http://collector/v1/traces"),
        ("TURNPIKE_TRACES_SAMPLE_RATIO", "0.5"),
        ("TURNPIKE_TRACES_HEADERS", "[{ name = \"x-tenant\", value = \"skin\" }]"),
    ];
    let settings = Files::new("").load(&variables).unwrap().traces.unwrap();
    assert_eq!(settings.endpoint, "http://collector/v1/traces");
    assert_eq!((settings.headers.len(), settings.sample_ratio), (1, 0.5));
}

#[test]
fn says_what_is_wrong_and_what_mends_it() {
    assert_eq!(
        refused(&with("endpoint = \"collector:4318\"\nsample_ratio = 1.5\ntimeout = \"2m\"")),
        ["turnpike.toml:2:12: traces.endpoint: `collector:4318` is not the URL of a service; \
             write it as https://host/path, without a user or password"]
    );
    assert_eq!(
        refused(&with("sample_ratio = 1.5\ntimeout = \"2m\"\nca_file = \"ca.crt\"")),
        [
            "turnpike.toml:1:1: traces: says how traces are sent and not where; give endpoint too, or leave the section out",
            "turnpike.toml:2:16: traces.sample_ratio: `1.5` is out of range; write 0 to 1",
            "turnpike.toml:3:11: traces.timeout: `2m` is out of range; write 100ms to 1m",
        ]
    );
    let with_headers = with(
        "endpoint = \"http://collector/\"\nca_file = \"ca.crt\"\n\
         headers = [{ name = \"no name\", value = \"a\" }, { name = \"content-type\", value = \"a\" }, \
         { name = \"x-one\" }, { name = \"X-One\", value = \"a\\nb\" }]",
    );
    let errors = refused(&with_headers);
    for expected in [
        "traces.ca_file: has no effect with an http endpoint; write https there, or remove ca_file",
        "traces.headers[0].name: `no name` is no name of a header field; write one such as authorization",
        "traces.headers[1].name: `content-type` is a header field that turnpike sets itself; remove it",
        "traces.headers[2]: has neither value nor value_file; give one",
        "traces.headers[3].name: `X-One` is there twice, first as traces.headers[2].name; remove one",
        "traces.headers[3].value: has characters that a header cannot carry; write printable ASCII",
    ] {
        assert_eq!(
            errors.iter().filter(|error| error.ends_with(expected)).count(),
            1,
            "{expected}: {errors:#?}"
        );
    }
}

#[test]
fn warns_of_tokens_that_cross_the_network_in_the_clear() {
    let header = "[[traces.headers]]\nname = \"authorization\"\nvalue = \"Bearer hush\"";
    let warnings = |url: &str| {
        let text = with(&format!("endpoint = \"{url}\"\n{header}"));
        Files::new(&text).load(&[]).unwrap().warnings
    };
    let is_of_traces = |warning: &Warning| matches!(warning, Warning::TracesInTheClear(_));
    assert!(warnings("http://collector:4318/v1/traces").iter().any(is_of_traces));
    for url in ["https://collector:4318/v1/traces", "http://127.0.0.1:4318/v1/traces"] {
        assert!(!warnings(url).iter().any(is_of_traces), "{url}");
    }
}

#[test]
fn warns_of_an_endpoint_without_a_path() {
    let warnings =
        |url: &str| Files::new(&with(&format!("endpoint = \"{url}\""))).load(&[]).unwrap().warnings;
    let is_of_path = |warning: &Warning| matches!(warning, Warning::TracesWithoutPath(_));
    assert!(warnings("http://127.0.0.1:4318").iter().any(is_of_path));
    assert!(!warnings("http://127.0.0.1:4318/v1/traces").iter().any(is_of_path));
}
