//! `[[gateway.backends]]` and the sections around it.

use std::path::Path;
use std::time::Duration;

use super::Files;
use super::errors::refused;
use crate::gateway::{EjectionSettings, HealthCheckSettings, IdempotencySettings, KeyToBackend, Settings};
use crate::secret::Secret;
use crate::tls::{CertificateFiles, ClientFiles};

#[test]
fn every_option_of_the_backends_arrives() {
    let files = Files::new(
        r#"
[gateway]
sticky_users = true
forward_key = true
[gateway.health_check]
enabled = true
path = "/health"
status = 204
body = "ok"
interval = "1s"
timeout = "2s"
unhealthy_after = 4
healthy_after = 5
[gateway.ejection]
failures = 6
time = "7s"
max_time = "8s"
[gateway.idempotency]
keep = "9s"
memory = "1MiB"
[[gateway.backends]]
name = "gpu-1"
url = "https://gpu-1:8443/models"
weight = 3
key_file = "gpu.key"
ca_file = "ca.crt"
server_name = "inference.internal"
certificate = "/etc/client.crt"
private_key = "client.key"
[[gateway.backends]]
name = "gpu-2"
url = "http://gpu-2:8000"
[[gateway.backends]]
name = "gpu-3"
url = "http://gpu-3:8000"
forward_key = false
"#,
    )
    .with("gpu.key", "key-of-the-gateway\n");
    let backends = files.load(&[]).unwrap().gateway.backends;

    assert!(backends.sticky_users);
    let health_check = HealthCheckSettings {
        path: "/health".to_owned(),
        status: 204,
        body: Some("ok".to_owned()),
        interval: seconds(1),
        timeout: seconds(2),
        unhealthy_after: 4,
        healthy_after: 5,
    };
    assert_eq!(backends.health_check, Some(health_check));
    let ejection = EjectionSettings { failures: 6, time: seconds(7), max_time: seconds(8) };
    assert_eq!(backends.ejection, ejection);
    let idempotency = IdempotencySettings { keep: seconds(9), memory_bytes: 1 << 20 };
    assert_eq!(backends.idempotency, idempotency);

    let [first, second, third] = &backends.backends[..] else { panic!("{:?}", backends.backends) };
    assert_eq!((first.name.as_str(), first.weight), ("gpu-1", 3));
    assert_eq!(first.url.to_string(), "https://gpu-1:8443/models");
    assert_eq!(first.key, KeyToBackend::Own(Secret::new("key-of-the-gateway")));
    assert_eq!(first.server_name.as_deref(), Some("inference.internal"));
    let folder = files.folder.path();
    let identity = CertificateFiles {
        certificate: Path::new("/etc/client.crt").to_owned(),
        private_key: folder.join("client.key"),
    };
    assert_eq!(first.tls, ClientFiles { ca_file: Some(folder.join("ca.crt")), identity: Some(identity) });
    assert_eq!((second.name.as_str(), second.weight), ("gpu-2", 1));
    assert_eq!((&second.key, &third.key), (&KeyToBackend::Forwarded, &KeyToBackend::Stripped));
    assert_eq!((&second.tls, &second.server_name), (&ClientFiles::default(), &None));
}

#[test]
fn health_is_not_checked_unless_wanted() {
    let settings = Files::new("[gateway.health_check]\ninterval = \"1s\"").load(&[]).unwrap();
    assert_eq!(settings.gateway.backends, Settings::default().backends);
}

#[test]
fn rules_of_the_backends() {
    let config = r#"
[gateway]
backend = "http://127.0.0.1:8000"
[gateway.health_check]
path = "health"
status = 100
interval = "1ms"
timeout = "1h"
unhealthy_after = 0
healthy_after = 101
[gateway.ejection]
failures = 1001
time = "1ms"
max_time = "2h"
[gateway.idempotency]
keep = "0s"
memory = "2GiB"
[[gateway.backends]]
name = "a b"
url = "http://gpu:8000"
weight = 0
ca_file = "ca.crt"
[[gateway.backends]]
name = "gpu"
url = "https://gpu"
forward_key = true
key = "key of the gateway"
server_name = "a b"
[[gateway.backends]]
name = "gpu"
url = "https://gpu"
certificate = "client.crt"
"#;
    let expected = [
        "turnpike.toml:3:11: gateway.backend: is given together with [[gateway.backends]]; keep one of the two",
        "turnpike.toml:5:8: gateway.health_check.path: `health` is no path; write one such as /health, without spaces, ? and #",
        "turnpike.toml:6:10: gateway.health_check.status: `100` is out of range; write 200 to 599",
        "turnpike.toml:7:12: gateway.health_check.interval: `1ms` is out of range; write 500ms to 5m",
        "turnpike.toml:8:11: gateway.health_check.timeout: `1h` is out of range; write 100ms to 1m",
        "turnpike.toml:9:19: gateway.health_check.unhealthy_after: `0` is out of range; write 1 to 100",
        "turnpike.toml:10:17: gateway.health_check.healthy_after: `101` is out of range; write 1 to 100",
        "turnpike.toml:12:12: gateway.ejection.failures: `1001` is out of range; write 0 to 1000",
        "turnpike.toml:13:8: gateway.ejection.time: `1ms` is out of range; write 1s to 1h",
        "turnpike.toml:14:12: gateway.ejection.max_time: `2h` is out of range; write 1s to 1h",
        "turnpike.toml:16:8: gateway.idempotency.keep: `0s` is out of range; write 1s to 1h",
        "turnpike.toml:17:10: gateway.idempotency.memory: `2GiB` is out of range; write 0B to 1GiB",
        "turnpike.toml:18:1: gateway.backends[0]: has TLS options, but an http URL; write https, or remove them",
        "turnpike.toml:19:8: gateway.backends[0].name: `a b` is no id; \
         write 1 to 64 letters, digits, dots, dashes and underscores",
        "turnpike.toml:21:10: gateway.backends[0].weight: `0` is out of range; write 1 to 1000",
        "turnpike.toml:23:1: gateway.backends[1]: has both forward_key and a key of its own; keep one",
        "turnpike.toml:27:7: gateway.backends[1].key: has characters that a header cannot carry; \
         write printable ASCII without spaces",
        "turnpike.toml:28:15: gateway.backends[1].server_name: `a b` is no host name; \
         write the one that the backend's certificate has",
        "turnpike.toml:29:1: gateway.backends[2].private_key: is missing; \
         give certificate and private_key together, or neither",
        "turnpike.toml:30:8: gateway.backends[2].name: `gpu` is there twice, first as gateway.backends[1].name; remove one",
    ];
    assert_eq!(refused(config), expected);
}

#[test]
fn there_is_a_bound_to_backends() {
    let table = |index| format!("[[gateway.backends]]\nname = \"gpu-{index}\"\nurl = \"http://gpu\"\n");
    let most: String = (0..64).map(table).collect();
    assert!(Files::new(&most).load(&[]).is_ok());
    let more = most + &table(64);
    assert_eq!(refused(&more), ["turnpike.toml:1:1: gateway.backends: are 65; keep at most 64"]);
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
