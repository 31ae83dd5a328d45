//! What was written arrives in the settings of the rooms.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use super::Files;
use crate::config::Warning;
use crate::secret::Secret;
use crate::tls::CertificateFiles;
use crate::{gateway, relay, telemetry, turn};

#[test]
fn an_empty_file_is_the_defaults_of_the_rooms() {
    let settings = Files::new("").load(&[]).unwrap();
    assert!(settings.auth_hook.is_none() && settings.records.is_none());
    assert_eq!(settings.relay, relay::Settings::default());
    assert_eq!(settings.telemetry, telemetry::Settings::default());
    assert_eq!(settings.admin.listen, SocketAddr::from(([127, 0, 0, 1], 9090)));
    // The rest cannot be compared, but it can be printed; the nonce key is random.
    let nonce_keys = turn::Settings::default().nonce_keys;
    let turn = turn::Settings { nonce_keys, ..settings.turn };
    assert_eq!(format!("{turn:?}"), format!("{:?}", turn::Settings::default()));
    assert_eq!(format!("{:?}", settings.gateway), format!("{:?}", gateway::Settings::default()));
}

#[test]
fn every_option_arrives() {
    let config = r#"
[turn]
listen = ["127.0.0.1:3478", "[::1]:3478"]
listen_tcp = ["127.0.0.1:443"]
realm = "example.org"
relay_addresses = ["127.0.0.1"]
relay_ports = "50000-50999"
external_ip = ["203.0.113.7/10.0.0.5"]
workers = 3
channel_numbers = "rfc5766"
permission_follows_channel = false
mobility = true
alternate_servers = ["203.0.113.8:3478"]
redirect = "always"
alternate_domain = "relay.example.org"
password_algorithms = ["md5", "sha256"]
hide_usernames = true
credentials_end_sessions = true
token_server_name = "relay.example.org"
proxy_protocol_from = ["10.0.0.0/8", "fd00::7"]
nonce_secret = "0123456789abcdef"
previous_nonce_secret = "fedcba9876543210"
listener_buffer = "1MiB"
relay_buffer = 65536
[turn.lifetimes]
allocation = "11m"
max_allocation = "2h"
permission = "6m"
channel = "12m"
nonce = "30m"
connection = "20s"
media_silence = "4s"
[turn.limits]
permissions = 5
channels = 6
allocations = 7
allocations_per_user = 8
allocations_per_source = 9
bandwidth = "1Gbit"
bandwidth_per_user = "20Mbit"
bandwidth_per_allocation = "500kbit"
unauthenticated_per_second = 10
bindings_per_second = 11
connections = 7
[turn.auth_hook]
url = "http://127.0.0.1:8100/turn"
token_file = "hook.token"
ca_file = "ca.crt"
timeout = "3s"
cache = "2m"
negative_cache = "5s"
max_connections = 14
max_questions = 15
max_questions_per_source = 16
[turn.anonymous]
listen = ["10.0.0.5:3479"]
listen_tcp = ["10.0.0.5:3480"]
mode = "claim"
claim_patience = "20s"
allocations = 12
allocations_per_source = 13
[turn.tls]
certificate = "turn.crt"
private_key = "turn.key"
[turn.nat_discovery]
addresses = ["127.0.0.1", "127.0.0.2"]
ports = [3478, 3480]
[turn.peers]
allow = ["10.0.0.0/8:5000-6000"]
deny = ["8.8.8.8"]
policy = "answer"
besides_answer = ["10.0.0.0/16"]
[[turn.users]]
name = "alice"
password = "wonderland"
[[turn.users]]
name = "bob"
md5_key = "0x8493FBC53BA582FB4C044C456BDC40EB"
sha256_key_file = "bob.key"
[[turn.secrets]]
secret = "north"
[[turn.token_keys]]
kid = "first"
key = "AAECAwQFBgcICQoLDA0ODw=="
[gateway]
listen = "127.0.0.1:8443"
backend = "http://inference.internal:8000"
body_limit = "64KiB"
forward_key = true
health_needs_key = true
trusted_proxies = ["10.0.0.0/8"]
trusted_fields = "forwarded"
proxy_protocol_from = ["10.1.0.0/16"]
[gateway.tls]
certificate = "tls.crt"
private_key = "/etc/tls.key"
[gateway.timeouts]
handshake = "1s"
request_headers = "2s"
request_body = "3s"
client_idle = "11s"
client_stall = "12s"
backend_connect = "4s"
backend_headers = "5s"
backend_answer = "6s"
backend_idle = "7s"
drain = "8s"
[gateway.cors]
origins = ["https://app.example.org", "https://*.example.net"]
private_network = true
[gateway.offers]
check_sdp = false
max_media_sections = 10
max_candidates = 11
[gateway.whip]
enabled = false
[gateway.limits]
connections = 300
connections_per_source = 30
[gateway.ice_servers]
urls = ["turn:relay.example.org:3478?transport=udp", "stun:relay.example.org"]
ttl = "10m"
max_ttl = "2h"
username_form = "coturn"
[gateway.sessions]
total = 2000
direct_after = "9s"
[[gateway.keys]]
id = "app"
key_file = "app.key"
[admin]
listen = "127.0.0.1:9091"
token_file = "admin.token"
[log]
format = "json"
level = "info,turnpike::relay=debug"
access_sample = 1
access_slow = "750ms"
access_per_second = 10
"#;
    let files = Files::new(config)
        .with("app.key", "0123456789abcdef\r\n")
        .with("admin.token", "fedcba9876543210\n")
        .with("bob.key", &"0a".repeat(32))
        .with("hook.token", "hook-token\n");
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
    assert_eq!((turn.unauthenticated_per_second, turn.bindings_per_second), (10, 11));
    assert!(!turn.permission_follows_channel);
    assert_eq!(turn.password_algorithms, [turn::PasswordAlgorithm::Md5, turn::PasswordAlgorithm::Sha256]);
    let discovery = turn.nat_discovery.unwrap();
    assert_eq!(discovery.ports, [3478, 3480]);
    assert_eq!(discovery.addresses, ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse::<IpAddr>().unwrap()));
    assert_eq!(settings.alternates, ["203.0.113.8:3478".parse::<SocketAddr>().unwrap()]);
    assert_eq!(turn.redirect, turn::Redirect::Always);
    assert_eq!(turn.alternate_domain.as_deref(), Some("relay.example.org"));
    assert!(turn.mobility && turn.hide_usernames && turn.credentials_end_sessions);
    assert_eq!(turn.token_server_name.as_deref(), Some("relay.example.org"));
    assert!(turn.nonce_keys.previous.is_some());
    let credentials = format!("{:?}", turn.credentials);
    for part in [
        "\"alice\": Password(***)",
        "\"bob\": Derived { md5: Some(LongTermKey(***))",
        "[***]",
        "TokenKey(***)",
    ] {
        assert!(credentials.contains(part), "{part} in {credentials}");
    }
    assert!(turn.anonymous_await_claims && turn.sessions_name_peers);
    assert_eq!(turn.claim_patience, seconds(20));
    let defaults = turn::Settings::default();
    assert_ne!(format!("{:?}", turn.peer_policy), format!("{:?}", defaults.peer_policy));
    assert_ne!(format!("{:?}", turn.external_addresses), format!("{:?}", defaults.external_addresses));

    let relay = relay::Settings {
        listen: turn.nat_discovery.unwrap().listeners().to_vec(),
        listen_tcp: vec![SocketAddr::from(([127, 0, 0, 1], 443))],
        http: None,
        anonymous: relay::AnonymousSettings {
            listen: vec!["10.0.0.5:3479".parse().unwrap()],
            listen_tcp: vec!["10.0.0.5:3480".parse().unwrap()],
        },
        tls: Some(CertificateFiles {
            certificate: files.folder.path().join("turn.crt"),
            private_key: files.folder.path().join("turn.key"),
        }),
        proxies: vec!["10.0.0.0/8".parse().unwrap(), "fd00::7/128".parse().unwrap()],
        max_connections: 7,
        connection_lifetime: seconds(20),
        media_silence: seconds(4),
        relay_addresses: vec![IpAddr::from([127, 0, 0, 1])],
        relay_ports: 50000..=50999,
        workers: NonZeroUsize::new(3),
        listener_buffer_bytes: 1 << 20,
        relay_buffer_bytes: 1 << 16,
        quotas: relay::QuotaSettings {
            total: 7,
            per_user: 8,
            per_source: 9,
            anonymous: 12,
            anonymous_per_source: 13,
        },
        bandwidth: relay::BandwidthSettings {
            per_allocation: 500_000,
            per_user: 20_000_000,
            total: 1_000_000_000,
        },
    };
    assert_eq!(settings.relay, relay);

    let hook = settings.auth_hook.unwrap();
    assert_eq!(hook.url.to_string(), "http://127.0.0.1:8100/turn");
    assert_eq!(hook.token.unwrap().expose(), "hook-token");
    assert_eq!(hook.ca_file, Some(files.folder.path().join("ca.crt")));
    assert_eq!((hook.timeout, hook.max_connections), (seconds(3), 14));
    let bounds = relay::HookSettings {
        cache: seconds(120),
        negative_cache: seconds(5),
        max_questions: 15,
        max_questions_per_source: 16,
    };
    assert_eq!(hook.relay, bounds);

    let gateway = &settings.gateway;
    assert_eq!(gateway.listen, Some(SocketAddr::from(([127, 0, 0, 1], 8443))));
    let [backend] = &gateway.backends.backends[..] else { panic!("{:?}", gateway.backends.backends) };
    assert_eq!(backend.name, "default");
    assert_eq!(backend.url.to_string(), "http://inference.internal:8000");
    assert_eq!(backend.key, gateway::KeyToBackend::Forwarded);
    assert_eq!(gateway.body_limit_bytes, 65536);
    assert!(gateway.health_needs_key);
    let tls = gateway.tls.as_ref().unwrap();
    assert_eq!(tls.certificate, files.folder.path().join("tls.crt"));
    assert_eq!(tls.private_key, std::path::Path::new("/etc/tls.key"));
    let timeouts = gateway::Timeouts {
        handshake: seconds(1),
        request_headers: seconds(2),
        request_body: seconds(3),
        client_idle: seconds(11),
        client_stall: seconds(12),
        drain: seconds(8),
    };
    assert_eq!(gateway.timeouts, timeouts);
    let offers = gateway::OfferSettings { check_sdp: false, max_media_sections: 10, max_candidates: 11 };
    assert_eq!(gateway.offers, offers);
    assert!(!gateway.whip.enabled);
    let ice_servers = gateway::IceServerSettings {
        urls: ["turn:relay.example.org:3478?transport=udp", "stun:relay.example.org"]
            .map(|url| url.parse().unwrap())
            .into(),
        ttl: seconds(600),
        max_ttl: seconds(7200),
        username_form: gateway::UsernameForm::Coturn,
        secret: Some(Secret::new("north")),
    };
    assert_eq!(gateway.ice_servers, ice_servers);
    let front = gateway::FrontSettings {
        connections: 300,
        connections_per_source: 30,
        proxy_protocol_from: vec!["10.1.0.0/16".parse().unwrap()],
    };
    assert_eq!(gateway.front, front);
    let proxies = gateway::ProxySettings {
        trusted: vec!["10.0.0.0/8".parse().unwrap()],
        fields: gateway::ProxyFields::Forwarded,
    };
    assert_eq!(gateway.proxies, proxies);
    let origins = ["https://app.example.org", "https://*.example.net"].map(|origin| origin.parse().unwrap());
    assert_eq!(
        gateway.cors,
        gateway::CorsSettings { origins: origins.to_vec(), allows_private_network: true }
    );
    assert_eq!(gateway.sessions, gateway::SessionSettings { most: 2000, direct_after: seconds(9) });
    assert_eq!(gateway.keys, [gateway::ApiKey::new("app", "0123456789abcdef")]);
    let timeouts = gateway::BackendTimeouts {
        connect: seconds(4),
        headers: seconds(5),
        answer: seconds(6),
        idle: seconds(7),
    };
    assert_eq!(gateway.backends.timeouts, timeouts);

    assert_eq!(settings.admin.listen, SocketAddr::from(([127, 0, 0, 1], 9091)));
    assert_eq!(settings.admin.token.as_ref().unwrap().expose(), "fedcba9876543210");
    assert_eq!(settings.telemetry.log_format, telemetry::LogFormat::Json);
    assert_eq!(settings.telemetry.log_filter.as_str(), "info,turnpike::relay=debug");
    let access_log =
        gateway::AccessLogSettings { sample: 1.0, slow: Duration::from_millis(750), per_second: 10 };
    assert_eq!(gateway.access_log, access_log);
    assert_eq!(settings.warnings, [Warning::NamesHidden]);
}

#[test]
fn listens_on_both_families() {
    let config = "[turn]\nlisten = [\"0.0.0.0:3478\", \"[::]:3478\", \"127.0.0.1:0\", \"127.0.0.1:0\"]";
    assert_eq!(Files::new(config).load(&[]).unwrap().relay.listen.len(), 4);
}

#[test]
fn streams_come_in_where_datagrams_do_unless_written_otherwise() {
    let listen_tcp = |config: &str| {
        let settings = Files::new(config).load(&[]).unwrap();
        settings.relay.listen_tcp.iter().map(SocketAddr::to_string).collect::<Vec<_>>()
    };
    let listen = "[turn]\nlisten = [\"127.0.0.1:3478\", \"127.0.0.1:3479\", \"[::1]:3478\"]\n";
    let tls = "[turn.tls]\ncertificate = \"a\"\nprivate_key = \"b\"\n";
    assert_eq!(listen_tcp(listen), ["127.0.0.1:3478", "127.0.0.1:3479", "[::1]:3478"]);
    assert_eq!(
        listen_tcp(&format!("{listen}{tls}")),
        ["127.0.0.1:3478", "127.0.0.1:3479", "[::1]:3478", "127.0.0.1:5349", "[::1]:5349"]
    );
    assert_eq!(listen_tcp(&format!("{listen}listen_tcp = [\"0.0.0.0:443\"]\n{tls}")), ["0.0.0.0:443"]);
    assert!(listen_tcp(&format!("{listen}listen_tcp = []\n{tls}")).is_empty());
}

#[test]
fn replicas_with_one_secret_share_the_nonce_keys() {
    let load = |config: &str| Files::new(config).load(&[]).unwrap().turn.nonce_keys;
    let shared = "[turn]\nnonce_secret = \"0123456789abcdef\"";
    assert_eq!(load(shared), load(shared));
    assert_ne!(load(shared), load("[turn]\nnonce_secret = \"0123456789abcdeg\""));
    assert_ne!(load(""), load(""));
    assert_ne!(load("").issuing, [0; 32]);
    assert_eq!(load(shared).previous, None);
    let next = "[turn]\nnonce_secret = \"fedcba9876543210\"\nprevious_nonce_secret = \"0123456789abcdef\"";
    assert_eq!(load(next).previous, Some(load(shared).issuing));
}
