//! `[[gateway.passthrough]]` in the settings, and its rules.

use super::Files;
use super::errors::refused;
use crate::gateway::PassthroughSettings;

#[test]
fn paths_to_pass_on_arrive() {
    let config = r#"
[[gateway.passthrough]]
prefix = "/skin/"
[[gateway.passthrough]]
prefix = "/live/"
public = true
websocket = true
body_limit = "2KiB"
"#;
    let rule = |prefix: &str, is_open, body_limit_bytes| PassthroughSettings {
        prefix: prefix.into(),
        is_public: is_open,
        allows_web_sockets: is_open,
        body_limit_bytes,
    };
    let expected = [rule("/skin/", false, 1 << 20), rule("/live/", true, 2048)];
    assert_eq!(Files::new(config).load(&[]).unwrap().gateway.passthrough, expected);
}

#[test]
fn rules_of_paths_to_pass_on() {
    let config = r#"
[[gateway.passthrough]]
prefix = "/skin"
[[gateway.passthrough]]
prefix = "/live/"
body_limit = "2GiB"
[[gateway.passthrough]]
prefix = "/live/"
"#;
    let expected = [
        "turnpike.toml:3:10: gateway.passthrough[0].prefix: `/skin` is no prefix of paths; begin and end it with a \
         slash, such as /skin/, without dots that climb",
        "turnpike.toml:6:14: gateway.passthrough[1].body_limit: `2GiB` is out of range; write 1KiB to 1GiB",
        "turnpike.toml:8:10: gateway.passthrough[2].prefix: `/live/` is there twice, first as \
         gateway.passthrough[1].prefix; remove one",
    ];
    assert_eq!(refused(config), expected);
}
