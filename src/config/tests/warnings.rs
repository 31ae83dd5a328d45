//! What is allowed and probably not meant.

use super::Files;
use crate::config::Warning;

#[test]
fn warns_of_users_whom_clients_cannot_be() {
    let config = r#"
[turn]
hide_usernames = true
[[turn.users]]
name = "alice"
md5_key = "8493fbc53ba582fb4c044c456bdc40eb"
[[turn.token_keys]]
kid = "first"
key = "AAECAwQFBgcICQoLDA0ODw=="
[[gateway.keys]]
id = "app"
key = "0123456789abcdef"
"#;
    let lines = |config: &str| -> Vec<String> {
        Files::new(config).load(&[]).unwrap().warnings.iter().map(Warning::to_string).collect()
    };
    let expected = [
        "turn.users[0] has no sha256_key: clients that use sha256 cannot log in as this user; \
         give the key, or strike sha256 from turn.password_algorithms",
        "turn.hide_usernames goes with turn.users only: clients that hide their name cannot use \
         turn.secrets, turn.token_keys or turn.auth_hook; set it to false",
    ];
    assert_eq!(lines(config), expected);
    let mended = config.replace("hide_usernames = true", "password_algorithms = [\"md5\"]");
    assert_eq!(lines(&mended), [""; 0]);
}

#[test]
fn warns_of_what_is_probably_not_meant() {
    let config = r#"
[turn]
listen = ["0.0.0.0:50000"]
listen_tcp = ["0.0.0.0:5349"]
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
        "turn.listen_tcp has port 5349, where clients expect TLS, but there is no certificate; add [turn.tls]",
        "turn.listen has port 50000, which is one of turn.relay_ports too; keep them apart",
    ];
    assert_eq!(lines, expected);
}
