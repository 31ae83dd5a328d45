//! Those whom nobody here knows: clients without credentials, and users of the auth hook.

use super::Files;
use super::errors::refused;
use crate::config::Warning;

#[test]
fn rules_of_anonymous_listeners() {
    let config = r#"
[turn]
listen = ["0.0.0.0:3478"]
[turn.anonymous]
listen = ["10.0.0.5:3478", "10.0.0.5:3479", "10.0.0.5:3479"]
listen_tcp = ["127.0.0.1:3478", "127.0.0.1:9090"]
allocations = 0
allocations_per_source = 1000001
"#;
    let expected = [
        "turnpike.toml: admin.listen: `127.0.0.1:9090` is taken by turn.anonymous.listen_tcp; choose another port",
        "turnpike.toml:4:1: turn.anonymous.backends: is empty; name at least one",
        "turnpike.toml:5:11: turn.anonymous.listen[0]: `10.0.0.5:3478` is taken by turn.listen; choose another port",
        "turnpike.toml:5:45: turn.anonymous.listen[2]: `10.0.0.5:3479` is taken by turn.anonymous.listen[1]; \
         choose another port",
        "turnpike.toml:6:15: turn.anonymous.listen_tcp[0]: `127.0.0.1:3478` is taken by turn.listen_tcp; \
         choose another port",
        "turnpike.toml:7:15: turn.anonymous.allocations: `0` is out of range; write 1 to 1000000",
        "turnpike.toml:8:26: turn.anonymous.allocations_per_source: `1000001` is out of range; write 1 to 1000000",
    ];
    assert_eq!(refused(config), expected);
    assert_eq!(
        refused("[turn.anonymous]\nlisten = [\"127.0.0.1:3479\"]\nbackends = [\"10.0.0.7\", \"::/0\"]"),
        ["turnpike.toml:3:25: turn.anonymous.backends[1]: `::/0` would let everybody relay to everywhere; \
          name the backends, or networks that hold only them"]
    );
}

#[test]
fn rules_of_peers_that_answers_name() {
    let config = r#"
[turn.anonymous]
mode = "claim"
backends = ["10.0.0.7"]
claim_patience = "11m"
"#;
    let expected = [
        "turnpike.toml:4:12: turn.anonymous.backends: has no effect with mode = \"claim\", where the answers name the \
         peers; move it to turn.peers.besides_answer",
        "turnpike.toml:5:18: turn.anonymous.claim_patience: `11m` is out of range; write 1s to 10m",
    ];
    assert_eq!(refused(config), expected);
    assert_eq!(
        refused("[turn.peers]\nbesides_answer = [\"10.0.0.7\", \"::/0\"]"),
        [
            "turnpike.toml:2:18: turn.peers.besides_answer: has no effect without turn.peers.policy = \"answer\" or \
             turn.anonymous.mode = \"claim\"; leave it out",
            "turnpike.toml:2:31: turn.peers.besides_answer[1]: `::/0` would let everybody relay to everywhere; \
             name the backends, or networks that hold only them"
        ]
    );
}

#[test]
fn warns_where_strangers_need_no_credentials() {
    let config = r#"
[turn.anonymous]
listen = ["10.0.0.5:3479", "8.8.4.4:3479", "[::1]:50000"]
listen_tcp = ["0.0.0.0:3479"]
backends = ["8.8.8.8", "10.0.0.7", "10.0.0.8", "backend:5000", "10.1.0.0/16:5000-6000"]
[turn.peers]
allow = ["10.0.0.7:5000", "10.1.0.0/16"]
[[gateway.keys]]
id = "app"
key = "0123456789abcdef"
"#;
    let settings = Files::new(config).load(&[]).unwrap();
    let lines: Vec<String> = settings.warnings.iter().map(Warning::to_string).collect();
    let expected = [
        "turn.anonymous.listen has 8.8.4.4:3479: whoever reaches it relays to turn.anonymous.backends without \
         credentials; choose a private address, or have a firewall let in only those who may",
        "turn.anonymous.listen_tcp has 0.0.0.0:3479: whoever reaches it relays to turn.anonymous.backends without \
         credentials; choose a private address, or have a firewall let in only those who may",
        "turn.anonymous.backends has 10.0.0.8, which turn.peers refuses, so that nobody reaches it; \
         add it to turn.peers.allow",
        "turn.anonymous.listen has port 50000, which is one of turn.relay_ports too; keep them apart",
    ];
    assert_eq!(lines, expected);
    let policy = settings.turn.peer_policy;
    assert!(policy.backend("10.1.2.3:5500".parse().unwrap()).is_some());
    assert!(policy.backend("10.1.2.3:80".parse().unwrap()).is_none());
    assert_eq!(policy.names().collect::<Vec<_>>(), ["backend"]);
}

#[test]
fn rules_of_the_auth_hook() {
    let config = r#"
[turn.auth_hook]
token = "with spaces in it"
timeout = "11s"
cache = "0s"
negative_cache = "2h"
max_connections = 0
max_questions = 10001
max_questions_per_source = 0
"#;
    let expected = [
        "turnpike.toml:2:1: turn.auth_hook: has no url; \
         write where the service is asked, such as https://auth.example.org/turn",
        "turnpike.toml:3:9: turn.auth_hook.token: has characters that a header cannot carry; \
         write printable ASCII without spaces",
        "turnpike.toml:4:11: turn.auth_hook.timeout: `11s` is out of range; write 100ms to 10s",
        "turnpike.toml:5:9: turn.auth_hook.cache: `0s` is out of range; write 1s to 1h",
        "turnpike.toml:6:18: turn.auth_hook.negative_cache: `2h` is out of range; write 1s to 1h",
        "turnpike.toml:7:19: turn.auth_hook.max_connections: `0` is out of range; write 1 to 1000",
        "turnpike.toml:8:17: turn.auth_hook.max_questions: `10001` is out of range; write 1 to 10000",
        "turnpike.toml:9:28: turn.auth_hook.max_questions_per_source: `0` is out of range; write 1 to 10000",
    ];
    assert_eq!(refused(config), expected);
    assert_eq!(
        refused("[turn.auth_hook]\nurl = \"auth:8100\""),
        ["turnpike.toml:2:7: turn.auth_hook.url: `auth:8100` is not the URL of a service; \
          write it as https://host/path, without a user or password"]
    );
}

#[test]
fn warns_of_a_hook_that_is_asked_in_the_clear() {
    let warnings = |url: &str| {
        let config = format!(
            "[turn.auth_hook]\nurl = {url:?}\n[[gateway.keys]]\nid = \"app\"\nkey = \"0123456789abcdef\""
        );
        Files::new(&config).load(&[]).unwrap().warnings.iter().map(Warning::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings("http://auth:8100/"),
        ["turn.auth_hook.url is http://auth:8100/: its answers, which hold keys of users, \
          cross the network unprotected; use https"]
    );
    assert_eq!(warnings("https://auth:8100/"), [""; 0], "nor is it said that nobody may allocate");
    assert_eq!(warnings("http://127.0.0.1:8100/"), [""; 0]);
}
