//! What was written arrives in the settings of the rooms.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use super::Files;
use crate::config::Warning;
use crate::{gateway, relay, telemetry, turn};

#[test]
fn an_empty_file_is_the_defaults_of_the_rooms() {
    let settings = Files::new("").load(&[]).unwrap();
    assert_eq!(settings.relay, relay::Settings::default());
    assert_eq!(settings.telemetry, telemetry::Settings::default());
    assert_eq!(settings.admin.listen, SocketAddr::from(([127, 0, 0, 1], 9090)));
    // The rest cannot be compared, but it can be printed; the nonce key is random.
    let turn = turn::Settings { nonce_key: [0; 32], ..settings.turn };
    assert_eq!(format!("{turn:?}"), format!("{:?}", turn::Settings::default()));
    assert_eq!(format!("{:?}", settings.gateway), format!("{:?}", gateway::Settings::default()));
}

#[test]
fn every_option_arrives() {
    let config = r#"
[turn]
listen = ["127.0.0.1:3478", "[::1]:3478"]
realm = "example.org"
relay_addresses = ["127.0.0.1"]
relay_ports = "50000-50999"
external_ip = ["203.0.113.7/10.0.0.5"]
workers = 3
channel_numbers = "rfc5766"
permission_follows_channel = false
nonce_secret = "0123456789abcdef"
listener_buffer = "1MiB"
relay_buffer = 65536
[turn.lifetimes]
allocation = "11m"
max_allocation = "2h"
permission = "6m"
channel = "12m"
nonce = "30m"
[turn.limits]
permissions = 5
channels = 6
[turn.peers]
allow = ["10.0.0.0/8:5000-6000"]
deny = ["8.8.8.8"]
[[turn.users]]
name = "alice"
password = "wonderland"
[[turn.secrets]]
secret = "north"
[gateway]
listen = "127.0.0.1:8443"
backend = "http://inference.internal:8000"
body_limit = "64KiB"
forward_key = true
health_needs_key = true
[gateway.tls]
certificate = "tls.crt"
private_key = "/etc/tls.key"
[gateway.timeouts]
handshake = "1s"
request_headers = "2s"
request_body = "3s"
backend_connect = "4s"
backend_answer = "6s"
backend_idle = "7s"
drain = "8s"
[[gateway.keys]]
id = "app"
key_file = "app.key"
[admin]
listen = "127.0.0.1:9091"
[log]
format = "json"
level = "info,turnpike::relay=debug"
"#;
    let files = Files::new(config).with("app.key", "0123456789abcdef\r\n");
    let settings = files.load(&[]).unwrap();
    let seconds = Duration::from_secs;

    let turn = &settings.turn;
    assert_eq!(turn.realm, "example.org");
    assert_eq!(turn.nonce_lifetime, seconds(1800));
    assert_eq!(turn.allocation_lifetime, seconds(660));
    assert_eq!(turn.max_allocation_lifetime, seconds(7200));
    assert_eq!(turn.permission_lifetime, seconds(360));
    assert_eq!(turn.channel_lifetime, seconds(720));
    assert_eq!(turn.channel_numbers, turn::ChannelNumbers::Rfc5766);
    assert_eq!((turn.max_permissions, turn.max_channels), (5, 6));
    assert!(!turn.permission_follows_channel);
    assert!(!turn.credentials.is_empty());
    let defaults = turn::Settings::default();
    assert_ne!(format!("{:?}", turn.peer_policy), format!("{:?}", defaults.peer_policy));
    assert_ne!(format!("{:?}", turn.external_addresses), format!("{:?}", defaults.external_addresses));

    let relay = relay::Settings {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 3478)), "[::1]:3478".parse().unwrap()],
        relay_addresses: vec![IpAddr::from([127, 0, 0, 1])],
        relay_ports: 50000..=50999,
        workers: NonZeroUsize::new(3),
        listener_buffer_bytes: 1 << 20,
        relay_buffer_bytes: 1 << 16,
    };
    assert_eq!(settings.relay, relay);

    let gateway = &settings.gateway;
    assert_eq!(gateway.listen, SocketAddr::from(([127, 0, 0, 1], 8443)));
    assert_eq!(gateway.backend.to_string(), "http://inference.internal:8000");
    assert_eq!(gateway.body_limit_bytes, 65536);
    assert!(gateway.forward_key && gateway.health_needs_key);
    let tls = gateway.tls.as_ref().unwrap();
    assert_eq!(tls.certificate, files.folder.path().join("tls.crt"));
    assert_eq!(tls.private_key, std::path::Path::new("/etc/tls.key"));
    let timeouts = gateway::Timeouts {
        handshake: seconds(1),
        request_headers: seconds(2),
        request_body: seconds(3),
        backend_connect: seconds(4),
        backend_answer: seconds(6),
        backend_idle: seconds(7),
        drain: seconds(8),
    };
    assert_eq!(gateway.timeouts, timeouts);
    assert_eq!(gateway.keys[0].id, "app");
    assert_eq!(gateway.keys[0].key.expose(), "0123456789abcdef");

    assert_eq!(settings.admin.listen, SocketAddr::from(([127, 0, 0, 1], 9091)));
    assert_eq!(settings.telemetry.log_format, telemetry::LogFormat::Json);
    assert_eq!(settings.telemetry.log_filter.as_str(), "info,turnpike::relay=debug");
    assert_eq!(settings.warnings, []);
}

#[test]
fn listens_on_both_families() {
    let config = "[turn]\nlisten = [\"0.0.0.0:3478\", \"[::]:3478\", \"127.0.0.1:0\", \"127.0.0.1:0\"]";
    assert_eq!(Files::new(config).load(&[]).unwrap().relay.listen.len(), 4);
}

#[test]
fn replicas_with_one_secret_share_the_nonce_key() {
    let load = |config: &str| Files::new(config).load(&[]).unwrap().turn.nonce_key;
    let shared = "[turn]\nnonce_secret = \"0123456789abcdef\"";
    assert_eq!(load(shared), load(shared));
    assert_ne!(load(shared), load("[turn]\nnonce_secret = \"0123456789abcdeg\""));
    assert_ne!(load(""), load(""));
    assert_ne!(load(""), [0; 32]);
}

#[test]
fn warns_of_what_is_probably_not_meant() {
    let config = r#"
[turn]
listen = ["0.0.0.0:50000"]
[turn.lifetimes]
permission = "10s"
[turn.peers]
allow = ["0.0.0.0/0"]
"#;
    let warnings = Files::new(config).load(&[]).unwrap().warnings;
    let lines: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    let expected = [
        "nobody can allocate a relay: there are no users and no secrets; add [[turn.users]] or [[turn.secrets]]",
        "every offer is refused with 401: there are no keys; add [[gateway.keys]]",
        "turn.lifetimes.permission is 10s: clients count on 5m and will lose their media; use this in tests only",
        "turn.peers.allow has 0.0.0.0/0: users can reach every private address from here; name single networks instead",
        "turn.listen has port 50000, which is one of turn.relay_ports too; keep them apart",
    ];
    assert_eq!(lines, expected);
}
