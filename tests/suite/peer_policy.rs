//! The peer policy as operators and clients meet it: names, changes while running, `turnpike policy test`.

use std::process::Command;

use turnpike::relay::{Partners, Relay};
use turnpike::telemetry::Metrics;
use turnpike::turn::peer_policy::PeerPolicy;

use crate::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_name_lets_its_addresses_be_reached() {
    let app = start(&CONFIG.replace("\"127.0.0.0/8\"", "\"localhost\", \"no-such-host.invalid\"")).await;
    let mut client = Client::new(app.turn_addrs()[0]);
    let relayed = client.allocated();
    let peer = socket();
    assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    client.send_on_channel(0x4000, b"by name");
    assert_eq!(receive(&peer), (b"by name".to_vec(), relayed));
    assert_eq!(client.permit("127.0.0.2:1".parse().unwrap()), 403);
    assert_eq!(client.bind(0x4001, app.admin_addr()), 403, "our own listener has that address too");
    app.stop().await;
}

#[test]
fn a_new_policy_reaches_every_worker() {
    let settings = settings(&CONFIG.replace("workers = 2", "workers = 4"));
    let relay =
        Relay::start(&settings.relay, &settings.turn, &Metrics::new(), Partners::default(), || ()).unwrap();
    let mut policy = relay.policy_handle();
    let peer = socket();
    let mut clients: Vec<Client> = (0..12).map(|_| Client::new(relay.local_addrs()[0])).collect();
    for client in &mut clients {
        client.allocated();
        assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 0);
    }

    assert!(!policy.set(settings.turn.peer_policy.clone()).unwrap(), "nothing new");
    assert!(policy.set(PeerPolicy::default()).unwrap());
    for client in &mut clients {
        // The command and the request race, but the next answer comes after both.
        client.request(turnpike::wire::Method::Binding, |writer| writer);
        client.send_on_channel(0x4000, b"too late");
        assert_eq!(client.bind(0x4000, peer.local_addr().unwrap()), 403);
    }
    peer.set_nonblocking(true).unwrap();
    assert!(peer.recv_from(&mut [0; 64]).is_err(), "nothing comes through any more");
    relay.stop();
}

#[test]
fn policy_test_says_why_and_its_exit_code_what() {
    let config = CONFIG.replace("\"127.0.0.0/8\"", "\"10.0.0.0/8:5000\", \"localhost:9000\"");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), config).unwrap();
    let test = |peer: &str, config: &str| {
        let arguments = ["policy", "test", peer, "--config", config];
        let output = Command::new(env!("CARGO_BIN_EXE_turnpike")).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let config = file.path().to_str().unwrap();
    for (peer, code, expected) in [
        ("10.0.0.7:5000", 0, "10.0.0.7:5000 is allowed: turn.peers.allow has 10.0.0.0/8:5000\n"),
        ("127.0.0.1:9000", 0, "127.0.0.1:9000 is allowed: turn.peers.allow has localhost:9000\n"),
        ("8.8.8.8", 0, "8.8.8.8 is allowed: it is a public address, and nothing denies it\n"),
        (
            "[::ffff:10.0.0.7]:5001",
            1,
            "[::ffff:10.0.0.7]:5001 (judged as 10.0.0.7) is refused: \
             it is no public unicast address, and turn.peers.allow does not have it\n",
        ),
        ("nonsense", 2, ""),
    ] {
        assert_eq!(test(peer, config), (Some(code), expected.to_owned()), "{peer}");
    }
    assert_eq!(test("8.8.8.8", "/nowhere.toml"), (Some(2), String::new()));

    let anonymous = "[turn.anonymous]\nlisten = [\"127.0.0.1:3999\"]\nbackends = [\"10.0.0.7\"]\n";
    let config = std::fs::read_to_string(file.path()).unwrap() + anonymous;
    std::fs::write(file.path(), config).unwrap();
    for (peer, expected) in [
        ("10.0.0.7:5000", "; without credentials too: turn.anonymous.backends has 10.0.0.7\n"),
        ("10.0.0.8:5000", "; not without credentials: turn.anonymous.backends does not have it\n"),
        ("127.0.0.1:3999", " is refused: turnpike itself listens there\n"),
    ] {
        let (_, text) = test(peer, file.path().to_str().unwrap());
        assert!(text.ends_with(expected), "{text}");
    }
}
