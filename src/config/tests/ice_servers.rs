//! Credentials for clients: where they are told that the relay is, and what is wrong with that.

use super::Files;
use super::errors::refused;
use crate::config::Warning;

const SECRET: &str = "[[turn.secrets]]\nsecret = \"north\"\n";
const KEY: &str = "[[gateway.keys]]\nid = \"app\"\nkey = \"0123456789abcdef\"\n";

#[test]
fn clients_are_told_the_listeners_as_they_see_them() {
    for (turn, expected) in [
        (
            "listen = [\"192.0.2.1:3478\"]",
            &["turn:192.0.2.1:3478?transport=udp", "turn:192.0.2.1:3478?transport=tcp"][..],
        ),
        ("listen = [\"[2001:db8::1]:3479\"]\nlisten_tcp = []", &["turn:[2001:db8::1]:3479?transport=udp"]),
        (
            "external_ip = [\"203.0.113.7\"]",
            &["turn:203.0.113.7:3478?transport=udp", "turn:203.0.113.7:3478?transport=tcp"],
        ),
        (
            "listen = [\"10.0.0.5:3478\", \"10.0.0.6:3478\", \"10.0.0.7:0\"]\nlisten_tcp = [\"0.0.0.0:5349\"]\n\
             external_ip = [\"203.0.113.7/10.0.0.5\"]",
            &["turn:10.0.0.6:3478?transport=udp", "turn:203.0.113.7:3478?transport=udp"],
        ),
        ("listen = [\"0.0.0.0:3478\", \"[::]:3478\"]", &[]),
    ] {
        let settings = Files::new(&format!("[turn]\n{turn}")).load(&[]).unwrap();
        let urls: Vec<String> = settings.gateway.ice_servers.urls.iter().map(ToString::to_string).collect();
        assert_eq!(urls, expected, "{turn}");
    }
}

#[test]
fn warns_where_nobody_can_be_told() {
    let warnings = |config: String| Files::new(&config).load(&[]).unwrap().warnings;
    assert_eq!(warnings(format!("{SECRET}{KEY}")), [Warning::NoIceServers]);
    let quiet = [
        format!("{SECRET}{KEY}scopes = [\"offer\"]"),
        format!("[turn]\nexternal_ip = [\"203.0.113.7\"]\n{SECRET}{KEY}"),
        format!("{SECRET}{KEY}[gateway.ice_servers]\nurls = []"),
        format!("[[turn.users]]\nname = \"alice\"\npassword = \"wonderland\"\n{KEY}"),
    ];
    for config in quiet {
        assert_eq!(warnings(config.clone()), [], "{config}");
    }
}

#[test]
fn of_several_secrets_the_first_makes_credentials() {
    let config = format!("{SECRET}{}", SECRET.replace("north", "south"));
    let secret = Files::new(&config).load(&[]).unwrap().gateway.ice_servers.secret.unwrap();
    assert_eq!(secret.expose(), "north");
}

#[test]
fn refuses_what_no_browser_reads_and_what_never_ends() {
    let config = "[gateway.ice_servers]\nurls = [\"http://relay\"]";
    let expected = "turnpike.toml:2:9: gateway.ice_servers.urls[0]: `http://relay` begins with none of turn:, turns:, stun: and \
                    stuns:; write it as turn:relay.example.org:3478";
    assert_eq!(refused(config), [expected]);
    assert_eq!(
        refused("[gateway.ice_servers]\nttl = \"31d\""),
        ["turnpike.toml:2:7: gateway.ice_servers.ttl: `31d` is out of range; write 1s to 30d"]
    );
    assert_eq!(
        refused("[gateway.ice_servers]\nttl = \"2d\""),
        ["turnpike.toml:1:1: gateway.ice_servers.max_ttl: `1d` is out of range; write 2d to 30d"]
    );
}
