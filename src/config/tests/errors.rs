//! Every error is one line that names the place, the key and the mend.

use std::path::Path;

use super::Files;

/// The lines that a file is refused with.
pub(super) fn refused(config: &str) -> Vec<String> {
    let errors = Files::new(config).load(&[]).unwrap_err();
    errors.lines().map(str::to_owned).collect()
}

#[test]
fn unreadable_file() {
    let errors = crate::config::load(Path::new("/nowhere/turnpike.toml"), std::iter::empty()).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "/nowhere/turnpike.toml: cannot be read: No such file or directory (os error 2); \
         name the file with --config or TURNPIKE_CONFIG, or name /dev/null to use the environment alone"
    );
}

#[test]
fn no_toml() {
    assert_eq!(refused("[turn]\nrealm = \"x"), ["turnpike.toml:2:11: invalid basic string, expected `\"`"]);
    assert_eq!(refused("[log]\n[log]"), ["turnpike.toml:2:2: duplicate key"]);
}

#[test]
fn unknown_keys() {
    let lines = refused(
        "relm = 1\n[turn]\nrelm = 1\nchannels = 2\nxyz = 3\n[turm]\n[[turn.users]]\nnam = 1\nname = \"a\"",
    );
    let expected = [
        "turnpike.toml:1:1: unknown key `relm`",
        "turnpike.toml:3:1: unknown key `relm` in [turn]; did you mean `realm`?",
        "turnpike.toml:4:1: unknown key `channels` in [turn]; `channels` belongs in [turn.limits]",
        "turnpike.toml:5:1: unknown key `xyz` in [turn]",
        "turnpike.toml:6:2: unknown key `turm`; did you mean `turn`?",
        "turnpike.toml:8:1: unknown key `nam` in turn.users[0]; did you mean `name`?",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn wrong_types() {
    let config = r#"
log = "debug"
[turn]
realm = 5
listen = "0.0.0.0:3478"
relay_ports = 5000
permission_follows_channel = "yes"
channel_numbers = "rfc1"
limits = [{ channels = 1 }]
[turn.lifetimes]
nonce = 10
[turn.peers]
allow = ["10.0.0.0/8", "h!st", "10.0.0.7", "10.1.0.0/8"]
[turn.users]
name = "alice"
"#;
    let expected = [
        "turnpike.toml:2:7: log: is a section; write […] and its keys below",
        "turnpike.toml:4:9: turn.realm: invalid type: integer `5`, expected a string",
        "turnpike.toml:5:10: turn.listen: is a list; put square brackets around it, [\"…\"]",
        "turnpike.toml:6:15: turn.relay_ports: `5000` is not a range of ports; \
         write the first and the last, such as 49152-65535",
        "turnpike.toml:7:30: turn.permission_follows_channel: invalid type: string \"yes\", expected a boolean",
        "turnpike.toml:8:19: turn.channel_numbers: unknown variant `rfc1`, expected `rfc8656` or `rfc5766`",
        "turnpike.toml:9:10: turn.limits: is a section that exists once; write its header in single brackets, […]",
        "turnpike.toml:11:9: turn.lifetimes.nonce: `10` is not a length of time; \
         write numbers with units, such as 500ms, 5s, 10m or 1h30m",
        "turnpike.toml:13:24: turn.peers.allow[1]: `h!st` is not a peer rule; \
         write one such as 10.0.0.7, 10.0.0.0/8, 10.0.0.7:5000-6000, [fd00::/8]:5000 or a host name",
        "turnpike.toml:13:44: turn.peers.allow[3]: `10.1.0.0/8` has bits beyond its prefix; \
         write 10.0.0.0/8 for the network, or the address without a prefix",
        "turnpike.toml:14:1: turn.users: is a repeated section; \
         write [[…]] and its keys below, or a list of tables such as [{key = value}]",
    ];
    assert_eq!(refused(config), expected);
}

#[test]
fn missing_keys() {
    assert_eq!(
        refused("[[turn.users]]\npassword = \"x\"\n[[turn.users]]\npassword = \"y\""),
        [
            "turnpike.toml:1:1: turn.users[0]: missing field `name`",
            "turnpike.toml:3:1: turn.users[1]: missing field `name`",
        ]
    );
}

#[test]
fn wrong_types_do_not_show_secrets() {
    let configs = [
        "[turn]\nnonce_secret = 1234567890",
        "[turn]\nnonce_secret = 123456789012345678901234567890",
        "[turn]\nnonce_secret = 1234567890.5",
        "[turn]\nnonce_secret = [\"1234567890\"]",
        "[turn]\nsecrets = \"1234567890\"",
        "[turn]\nsecrets = [\"1234567890\"]",
        "[gateway]\nkeys = { app = \"1234567890\" }",
        "[[turn.users]]\nname = \"a\"\npassword = 1234567890",
    ];
    for config in configs {
        let lines = refused(config);
        assert!(lines.iter().all(|line| !line.contains("1234567890")), "{lines:?}");
    }
}

#[test]
fn control_characters_stay_in_one_line() {
    let lines = refused("[turn]\nrealm = \"a\\nb\\u001b[31m\"");
    assert_eq!(
        lines,
        ["turnpike.toml:2:9: turn.realm: `a\\nb\\u{1b}[31m` is no realm; \
          write 1 to 127 characters without quotes, backslashes and control characters"]
    );
}

#[test]
fn rules_of_turn() {
    let config = r#"
[turn]
listen = ["0.0.0.0:3478", "10.0.0.5:3478"]
realm = ""
relay_addresses = ["10.0.0.5", "0.0.0.0"]
relay_ports = "80-65535"
external_ip = ["203.0.113.7/10.0.0.5", "203.0.113.8/10.0.0.5", "203.0.113.9", "::1", "::2", "224.0.0.1/10.0.0.6"]
workers = 1000
nonce_secret = "short"
listener_buffer = 1
[turn.lifetimes]
allocation = "0s"
max_allocation = "2d"
permission = "1500ms"
channel = "2h"
[turn.limits]
permissions = 0
bindings_per_second = 100001
bandwidth = "2000Gbit"
"#;
    let expected = [
        "turnpike.toml:3:27: turn.listen[1]: `10.0.0.5:3478` is taken by turn.listen[0]; choose another port",
        "turnpike.toml:4:9: turn.realm: `` is no realm; \
         write 1 to 127 characters without quotes, backslashes and control characters",
        "turnpike.toml:5:32: turn.relay_addresses[1]: `0.0.0.0` is not the address of a host; \
         write one that is assigned to an interface",
        "turnpike.toml:5:32: turn.relay_addresses[1]: `0.0.0.0` is the second address of its family; \
         keep one IPv4 and one IPv6 address",
        "turnpike.toml:6:15: turn.relay_ports: `80-65535` is out of range; write 1024 to 65535",
        "turnpike.toml:7:40: turn.external_ip[1]: `10.0.0.5` is there twice, first as turn.external_ip[0]; remove one",
        "turnpike.toml:7:86: turn.external_ip[4]: `::2` is the second address of its family; \
         keep one IPv4 and one IPv6 address",
        "turnpike.toml:7:93: turn.external_ip[5]: `224.0.0.1` is not the address of a host; \
         write one that is assigned to an interface",
        "turnpike.toml:8:11: turn.workers: `1000` is out of range; write 1 to 256",
        "turnpike.toml:9:16: turn.nonce_secret: is shorter than 16 characters; \
         make a longer one, for example with `openssl rand -hex 32`",
        "turnpike.toml:10:19: turn.listener_buffer: `1B` is out of range; write 4KiB to 512MiB",
        "turnpike.toml:12:14: turn.lifetimes.allocation: `0s` is out of range; write 1s to 1d",
        "turnpike.toml:13:18: turn.lifetimes.max_allocation: `2d` is out of range; write 1s to 1d",
        "turnpike.toml:14:14: turn.lifetimes.permission: `1s500ms` is not in whole seconds; round it",
        "turnpike.toml:15:11: turn.lifetimes.channel: `2h` is out of range; write 1s to 1h",
        "turnpike.toml:17:15: turn.limits.permissions: `0` is out of range; write 1 to 4096",
        "turnpike.toml:18:23: turn.limits.bindings_per_second: `100001` is out of range; write 0 to 100000",
        "turnpike.toml:19:13: turn.limits.bandwidth: `2000Gbit` is out of range; write 0 to 1000Gbit",
    ];
    assert_eq!(refused(config), expected);
    assert_eq!(
        refused("[turn]\nlisten = []"),
        ["turnpike.toml:2:10: turn.listen: is empty; name at least one"]
    );
}

#[test]
fn the_longest_lifetime_is_no_shorter_than_the_default() {
    assert_eq!(
        refused("[turn.lifetimes]\nmax_allocation = \"5m\""),
        ["turnpike.toml:2:18: turn.lifetimes.max_allocation: `5m` is out of range; write 10m to 1d"]
    );
}

#[test]
fn realms_that_break_the_attribute() {
    for realm in ["a\\\"b", "a\\\\b", "a\\tb", &"x".repeat(128)] {
        let lines = refused(&format!("[turn]\nrealm = \"{realm}\""));
        assert!(lines[0].contains("is no realm"), "{lines:?}");
    }
    assert!(Files::new(&format!("[turn]\nrealm = \"{}\"", "ß".repeat(127))).load(&[]).is_ok());
}

#[test]
fn rules_of_users_and_secrets() {
    let config = r#"
[turn]
users = [
  { name = "alice", password = "a" },
  { name = "alice", password = "b" },
  { name = "", password = "c" },
  { name = "bob" },
  { name = "carol", password = "" },
  { name = "dave", password = "d", password_file = "dave" },
]
secrets = [{ secret = "north" }, { secret = "north" }, {}]
"#;
    let expected = [
        "turnpike.toml:5:12: turn.users[1].name: `alice` is there twice, first as turn.users[0].name; remove one",
        "turnpike.toml:6:12: turn.users[2].name: `` is no user name; write 1 to 508 bytes without control characters",
        "turnpike.toml:7:3: turn.users[3]: has no password and no key; \
         give password, md5_key or sha256_key, or one of them in a file",
        "turnpike.toml:8:32: turn.users[4].password: is empty; write the secret, or remove the key",
        "turnpike.toml:9:3: turn.users[5]: password and password_file are both given; keep one",
        "turnpike.toml:11:34: turn.secrets[1]: is the same as turn.secrets[0]; remove one",
        "turnpike.toml:11:56: turn.secrets[2]: has neither secret nor secret_file; give one",
    ];
    assert_eq!(refused(config), expected);
}

#[test]
fn rules_of_keys() {
    let config = r#"
[turn]
password_algorithms = ["md5", "sha256", "md5"]
token_server_name = ""
previous_nonce_secret = "short"
users = [
  { name = "alice", password = "a", md5_key = "8493fbc53ba582fb4c044c456bdc40eb" },
  { name = "bob", md5_key = "8493", sha256_key = "8493fbc53ba582fb4c044c456bdc40eb" },
  { name = "carol", md5_key = "8493fbc53ba582fb4c044c456bdc40eg" },
]
token_keys = [
  { kid = "one", key = "AAECAwQFBgcICQoLDA0ODw==" },
  { kid = "one", key = "AAECAwQFBgcICQoLDA0ODw==" },
  { kid = "", key = "AAECAwQFBgcICQoLDA0O" },
  { kid = "two", key = "no base64" },
  { kid = "three" },
]
"#;
    let expected = [
        "turnpike.toml:3:41: turn.password_algorithms[2]: `md5` is there twice, \
         first as turn.password_algorithms[0]; remove one",
        "turnpike.toml:4:21: turn.token_server_name: `` is no server name; \
         write 1 to 255 bytes without control characters",
        "turnpike.toml:5:25: turn.previous_nonce_secret: is shorter than 16 characters; \
         make a longer one, for example with `openssl rand -hex 32`",
        "turnpike.toml:7:3: turn.users[0]: has both a password and a key; keep the password, or the keys",
        "turnpike.toml:8:29: turn.users[1].md5_key: is no key; write 32 hexadecimal digits",
        "turnpike.toml:8:50: turn.users[1].sha256_key: is no key; write 64 hexadecimal digits",
        "turnpike.toml:9:31: turn.users[2].md5_key: is no key; write 32 hexadecimal digits",
        "turnpike.toml:13:11: turn.token_keys[1].kid: `one` is there twice, \
         first as turn.token_keys[0].kid; remove one",
        "turnpike.toml:14:11: turn.token_keys[2].kid: `` is no user name; \
         write 1 to 508 bytes without control characters",
        "turnpike.toml:14:21: turn.token_keys[2].key: is no key; \
         write 16 or 32 bytes in base64, for example from `openssl rand -base64 32`",
        "turnpike.toml:15:24: turn.token_keys[3].key: is no key; \
         write 16 or 32 bytes in base64, for example from `openssl rand -base64 32`",
        "turnpike.toml:16:3: turn.token_keys[4]: has neither key nor key_file; give one",
    ];
    assert_eq!(refused(config), expected);
    assert_eq!(
        refused("[turn]\npassword_algorithms = []"),
        ["turnpike.toml:2:23: turn.password_algorithms: is empty; name at least one"]
    );
}

#[test]
fn listeners_that_overlap() {
    let config = r#"
[turn]
listen_tcp = ["0.0.0.0:443"]
[gateway]
listen = "127.0.0.1:443"
[admin]
listen = "0.0.0.0:443"
"#;
    let expected = [
        "turnpike.toml:5:10: gateway.listen: `127.0.0.1:443` overlaps with turn.listen_tcp; \
         write the very same address to share it, or choose another port",
        "turnpike.toml:7:10: admin.listen: `0.0.0.0:443` is taken by turn.listen_tcp; choose another port",
        "turnpike.toml:7:10: admin.listen: `0.0.0.0:443` is taken by gateway.listen; choose another port",
    ];
    assert_eq!(refused(config), expected);
}

#[test]
fn rules_of_the_gateway() {
    let config = r#"
[gateway]
listen = "0.0.0.0:9090"
backend = "127.0.0.1:8000"
body_limit = "10B"
[gateway.tls]
certificate = "tls.crt"
[gateway.timeouts]
handshake = "1ms"
[[gateway.keys]]
id = "a b"
key = "0123456789abcdef"
[[gateway.keys]]
id = "app"
key = "short"
[[gateway.keys]]
id = "app"
key = "0123456789abcdef with spaces"
[[gateway.keys]]
id = "web"
key = "0123456789abcdef"
"#;
    let backend = "turnpike.toml:4:11: gateway.backend: `127.0.0.1:8000`: \
        no absolute URL; write it as http://host:port";
    assert_eq!(refused(config), [backend]);
    let config = config.replace("\"127.0.0.1:8000\"", "\"http://127.0.0.1:8000\"");
    let expected = [
        "turnpike.toml: admin.listen: `127.0.0.1:9090` is taken by gateway.listen; choose another port",
        "turnpike.toml:5:14: gateway.body_limit: `10B` is out of range; write 1KiB to 16MiB",
        "turnpike.toml:6:1: gateway.tls.private_key: is missing; \
         give certificate and private_key together, or neither",
        "turnpike.toml:9:13: gateway.timeouts.handshake: `1ms` is out of range; write 100ms to 5m",
        "turnpike.toml:11:6: gateway.keys[0].id: `a b` is no id; \
         write 1 to 64 letters, digits, dots, dashes and underscores",
        "turnpike.toml:15:7: gateway.keys[1].key: is shorter than 16 characters; \
         make a longer one, for example with `openssl rand -hex 32`",
        "turnpike.toml:17:6: gateway.keys[2].id: `app` is there twice, first as gateway.keys[1].id; remove one",
        "turnpike.toml:18:7: gateway.keys[2].key: has characters that a header cannot carry; \
         write printable ASCII without spaces",
        "turnpike.toml:21:7: gateway.keys[3].key: is the same as gateway.keys[0].key; remove one",
    ];
    assert_eq!(refused(&config), expected);
    assert_eq!(
        refused("[gateway.tls]\nprivate_key = \"tls.key\"")[0],
        "turnpike.toml:1:1: gateway.tls.certificate: is missing; give certificate and private_key together, or neither"
    );
}

#[test]
fn files_of_secrets() {
    let config = r#"
[turn]
nonce_secret_file = "missing"
[[turn.users]]
name = "alice"
password_file = "empty"
[[gateway.keys]]
id = "app"
key_file = "short"
"#;
    let files = Files::new(config).with("empty", "\r\n\n").with("short", "short\n");
    let expected = [
        "turnpike.toml:3:21: turn.nonce_secret_file: missing cannot be read: No such file or directory (os error 2); \
         check the path and that this user may read it",
        "turnpike.toml:6:17: turn.users[0].password_file: empty is empty; write the secret into it",
        "turnpike.toml:9:12: gateway.keys[0].key_file: is shorter than 16 characters; \
         make a longer one, for example with `openssl rand -hex 32`",
    ];
    assert_eq!(files.load(&[]).unwrap_err().lines().collect::<Vec<_>>(), expected);
    assert_eq!(
        refused("[turn]\nnonce_secret = \"0123456789abcdef\"\nnonce_secret_file = \"x\""),
        ["turnpike.toml:1:1: turn: nonce_secret and nonce_secret_file are both given; keep one"]
    );
}

#[test]
fn levels_of_the_log() {
    for level in ["verbose", "", "info,loud", "info,turnpike=loud"] {
        assert_eq!(
            refused(&format!("[log]\nlevel = \"{level}\"")),
            [format!(
                "turnpike.toml:2:9: log.level: `{level}` is no level; \
                 write error, warn, info, debug, trace or off, then perhaps target=level after commas"
            )]
        );
    }
}

#[test]
fn bounds_of_the_access_log() {
    let log = |line: &str| refused(&format!("[log]\n{line}"));
    for share in ["-0.1", "1.01", "nan", "inf"] {
        let value = if share == "nan" { "NaN" } else { share };
        assert_eq!(
            log(&format!("access_sample = {share}")),
            [format!("turnpike.toml:2:17: log.access_sample: `{value}` is out of range; write 0 to 1")]
        );
    }
    assert_eq!(
        log("access_per_second = 0\naccess_slow = \"6m\""),
        [
            "turnpike.toml:2:21: log.access_per_second: `0` is out of range; write 1 to 100000",
            "turnpike.toml:3:15: log.access_slow: `6m` is out of range; write 1ms to 5m",
        ]
    );
}
