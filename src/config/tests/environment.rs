//! `TURNPIKE_…` variables go over the file.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::Files;
use crate::config::env::variable_name;
use crate::config::keys::{Shape, known_keys, options};
use crate::config::schema::Schema;

#[test]
fn wins_over_the_file() {
    let files = Files::new("[turn]\nrealm = \"file\"\n[turn.lifetimes]\nchannel = \"9m\"");
    let env = [
        ("TURNPIKE_TURN_REALM", "environment"),
        ("TURNPIKE_TURN_LIFETIMES_NONCE", "20m"),
        ("TURNPIKE_TURN_WORKERS", "3"),
        ("TURNPIKE_TURN_LIMITS_CHANNELS", "8"),
        ("TURNPIKE_TURN_PERMISSION_FOLLOWS_CHANNEL", "false"),
        ("TURNPIKE_GATEWAY_TLS_CERTIFICATE", "/tls.crt"),
        ("TURNPIKE_EMBEDDED_THRESHOLD", "0.5"),
        ("HOME", "/root"),
    ];
    let written = files.read(&env).unwrap();
    assert_eq!(written.schema().embedded.threshold, 0.5);
    let turn = &written.schema().turn;
    assert_eq!(turn.realm, "environment");
    assert_eq!(turn.lifetimes.nonce.to_string(), "20m");
    assert_eq!(turn.lifetimes.channel.to_string(), "9m");
    assert_eq!(turn.workers.to_string(), "3");
    assert_eq!(turn.limits.channels, 8);
    assert!(!turn.permission_follows_channel);
    assert!(written.schema().gateway.tls.certificate.is_some());
    assert_eq!(written.variables().count(), 7);
    assert_eq!(written.variables().next(), Some("TURNPIKE_EMBEDDED_THRESHOLD"));
}

#[test]
fn takes_strings_as_they_are() {
    let files = Files::new("");
    for text in ["1234567890123456", "true-but-a-string", "[x] = \"y\" # z", " padded by spaces "] {
        let written = files.read(&[("TURNPIKE_TURN_NONCE_SECRET", text)]).unwrap();
        assert_eq!(written.schema().turn.nonce_secret.as_ref().unwrap().expose(), text);
    }
}

#[test]
fn takes_lists_with_commas_or_brackets() {
    let files = Files::new("[turn.peers]\nallow = [\"10.0.0.7\"]");
    let allow = |text| {
        let written = files.read(&[("TURNPIKE_TURN_PEERS_ALLOW", text)]).unwrap();
        written.schema().turn.peers.allow.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(allow("10.0.0.0/8, fd00::/8"), ["10.0.0.0/8", "fd00::/8"]);
    assert_eq!(allow("[\"10.0.0.0/8\"]"), ["10.0.0.0/8"]);
    assert_eq!(allow("[fd00::/8]:5000"), ["[fd00::/8]:5000"]);
    assert_eq!(allow(""), [""; 0]);
    assert_eq!(allow("[]"), [""; 0]);
}

#[test]
fn takes_repeated_sections_as_lists_of_tables() {
    let files = Files::new("[[gateway.keys]]\nid = \"file\"\nkey = \"0123456789abcdef\"");
    let keys = r#"[{id = "app", key = "fedcba9876543210"}, {id = "web", key_file = "web.key"}]"#;
    let written = files.read(&[("TURNPIKE_GATEWAY_KEYS", keys)]).unwrap();
    let ids: Vec<&str> = written.schema().gateway.keys.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["app", "web"]);
}

#[test]
fn every_option_has_a_variable_of_its_own() {
    let shape = known_keys();
    let options = options(&shape);
    let names: BTreeSet<String> = options.iter().map(|(key, _)| variable_name(key)).collect();
    assert_eq!(names.len(), options.len());
    // A value that fits no type reaches every key and is refused in its name.
    for (key, shape) in &options {
        let name = variable_name(key);
        let taken = Files::new("").read(&[(&name, "\u{7}")]);
        match taken {
            Ok(written) => assert!(*shape == &Shape::Text && written.schema() != &Schema::default(), "{key}"),
            Err(errors) => assert!(errors.starts_with(&format!("{name}: {key}")), "{errors}"),
        }
    }
}

#[test]
fn refuses_unknown_variables() {
    let refused = |name| Files::new("").read(&[(name, "x")]).unwrap_err();
    assert_eq!(
        refused("TURNPIKE_TURN_RELM"),
        "TURNPIKE_TURN_RELM: unknown variable; did you mean `TURNPIKE_TURN_REALM`?"
    );
    assert_eq!(
        refused("TURNPIKE_GATEWAY_KEY"),
        "TURNPIKE_GATEWAY_KEY: unknown variable; did you mean `TURNPIKE_GATEWAY_KEYS`?"
    );
    assert_eq!(refused("TURNPIKE_X"), "TURNPIKE_X: unknown variable");
}

#[test]
fn leaves_alone_what_is_not_a_setting() {
    let env = [
        ("TURNPIKE_CONFIG", "/etc/turnpike/turnpike.toml"),
        ("TURNPIKE_SERVICE_HOST", "10.0.0.1"),
        ("TURNPIKE_PORT_3478_UDP", "udp://10.0.0.1:3478"),
        ("turnpike_turn_relm", "x"),
    ];
    assert_eq!(Files::new("").read(&env).unwrap().schema(), &Schema::default());
}

#[test]
fn errors_name_the_variable() {
    let env = [
        ("TURNPIKE_GATEWAY_KEYS", "[{id = \"app\"}, {key = 5, idd = 1}]"),
        ("TURNPIKE_TURN_LIMITS_CHANNELS", "many"),
        ("TURNPIKE_TURN_LISTEN", "3478,0.0.0.0:3478,x"),
        ("TURNPIKE_TURN_USERS", "[{name"),
    ];
    let errors = Files::new("").read(&env).unwrap_err();
    let expected = [
        "TURNPIKE_GATEWAY_KEYS: unknown key `idd` in gateway.keys[1]; did you mean `id`?",
        "TURNPIKE_GATEWAY_KEYS: gateway.keys[1].key: a secret is a string; put it in quotes",
        "TURNPIKE_TURN_LIMITS_CHANNELS: turn.limits.channels: invalid type: string \"many\", expected a whole number",
        "TURNPIKE_TURN_LISTEN: turn.listen[0]: `3478` is not an address with a port; \
         write one such as 0.0.0.0:3478 or [::]:3478",
        "TURNPIKE_TURN_LISTEN: turn.listen[2]: `x` is not an address with a port; \
         write one such as 0.0.0.0:3478 or [::]:3478",
        "TURNPIKE_TURN_USERS: turn.users: unclosed inline table, expected `}`",
    ];
    assert_eq!(errors.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn refuses_bytes_that_are_no_text() {
    let files = Files::new("");
    let variable = ("TURNPIKE_TURN_REALM".into(), OsString::from_vec(vec![0xff]));
    let errors = crate::config::read(&files.config(), [variable].into_iter()).unwrap_err();
    assert_eq!(errors.to_string(), "TURNPIKE_TURN_REALM: turn.realm: is not UTF-8; write the value as text");
}
