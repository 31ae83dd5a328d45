//! The binary as an operator runs it: exit codes, one clear line for each error, a clean stop.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::Signal;
use tempfile::NamedTempFile;

use crate::support::*;

#[test]
fn check_explains_a_sound_file_and_exits_with_0() {
    let file = file(CONFIG);
    let output = turnpike(&["check", "--config", file.path().to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("example.org") && text.contains("alice") && text.contains("is fine"), "{text}");
    assert!(!text.contains("wonderland") && !text.contains("0123456789abcdef"), "no secrets: {text}");
}

#[test]
fn check_names_key_value_and_mend_and_exits_with_1() {
    for (from, to, expected) in [
        ("realm =", "relm =", "unknown key `relm` in [turn]; did you mean `realm`?"),
        ("workers = 2", "workers = \"many\"", "turn.workers"),
        ("password = \"wonderland\"", "password = \"\"", "turn.users[0].password"),
        ("[admin]", "[gateway.tls]\ncertificate = \"a.pem\"\nprivate_key = \"b.pem\"\n[admin]", "a.pem"),
    ] {
        let file = file(&CONFIG.replace(from, to));
        let output = turnpike(&["check", "--config", file.path().to_str().unwrap()]);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("error: ") && text.contains(expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_one_clear_line() {
    let app = start(CONFIG).await;
    let turn = app.turn_addrs()[0].to_string();
    let gateway = app.gateway_addr().to_string();
    for (place, address) in [("listen = [\"127.0.0.1:0\"]", &turn), ("listen = \"127.0.0.1:0\"", &gateway)] {
        let taken = place.replace("127.0.0.1:0", address);
        let file = file(&CONFIG.replacen(place, &taken, 1));
        let output = tokio::task::spawn_blocking(move || {
            turnpike(&["serve", "--config", file.path().to_str().unwrap()])
        })
        .await
        .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!((output.status.code(), errors.len()), (Some(1), 1), "{text}");
        assert!(errors[0].contains(address) && errors[0].contains("in use"), "{text}");
    }
    app.stop().await;
}

#[test]
fn the_environment_goes_over_the_file_and_its_errors_name_the_variable() {
    let file = file(CONFIG);
    let run = |name: &str, value: &str| {
        command(&["check", "--config", file.path().to_str().unwrap()]).env(name, value).output().unwrap()
    };
    let output = run("TURNPIKE_TURN_REALM", "from-the-environment");
    assert!(String::from_utf8_lossy(&output.stdout).contains("from-the-environment"));
    let output = run("TURNPIKE_TURN_RELM", "x");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("TURNPIKE_TURN_RELM") && text.contains("TURNPIKE_TURN_REALM"), "{text}");
}

#[test]
fn serves_until_it_is_told_to_stop() {
    let file = file(&format!("{CONFIG}[log]\nformat = \"json\"\n"));
    let mut server = Running::start(&file);
    assert!(get(server.admin, "/readyz").starts_with("HTTP/1.1 200"));
    assert!(get(server.admin, "/livez").starts_with("HTTP/1.1 200"));
    let metrics = get(server.admin, "/metrics");
    assert!(metrics.contains("turnpike_relay_workers 2"), "{metrics}");

    // It asks for new certificates, of which there are none here.
    server.signal(Signal::HUP);
    server.wait_for_log("SIGHUP");
    let mut client = Client::new(server.turn);
    client.allocated();
    let (status, log) = server.terminate();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("allocation ended") && log.contains("\"reason\":\"shutdown\""), "{log}");
}

#[test]
fn a_new_key_opens_the_gateway_after_a_reload() {
    let output = turnpike(&["key", "new", "--name", "app-next", "--client", "app", "--expires-in", "90d"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let key = text.lines().find(|line| line.starts_with("tpk_")).unwrap();
    let lines = &text[text.find("[[gateway.keys]]").unwrap()..];
    assert!(!lines.contains(key), "{text}");

    let toml = CONFIG.replace("[gateway]\n", "[gateway]\nhealth_needs_key = true\n");
    let toml = format!("{toml}[log]\nformat = \"json\"\n");
    let file = file(&toml);
    let mut server = Running::start(&file);
    let health = |key: &str| {
        let headers = format!("Authorization: Bearer {key}\r\n");
        get_with(server.gateway, "/skin/webrtc/health", &headers)
    };
    assert!(health(key).starts_with("HTTP/1.1 401"));
    assert!(health("0123456789abcdef").starts_with("HTTP/1.1 502"), "there is no backend");

    std::fs::write(file.path(), format!("{toml}{lines}")).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_log("configuration read anew");
    assert!(
        get_with(server.gateway, "/skin/webrtc/health", &format!("X-API-Key: {key}\r\n"))
            .starts_with("HTTP/1.1 502")
    );
    let metrics = get(server.admin, "/metrics");
    assert!(
        metrics.contains("turnpike_gateway_key_expiry_timestamp_seconds{key=\"app-next\"} "),
        "{metrics}"
    );
}

#[test]
fn a_key_that_no_configuration_takes_is_not_made() {
    let output = turnpike(&["key", "new", "--name", "my app"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{text}");
    assert!(text.contains("`my app` is no id"), "{text}");
}

fn turnpike(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnpike"));
    command.args(arguments);
    command
}

fn file(toml: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    file
}

/// A server in a process of its own, which ends with the test.
struct Running {
    process: Child,
    log: BufReader<std::process::ChildStderr>,
    turn: SocketAddr,
    gateway: SocketAddr,
    admin: SocketAddr,
}

impl Running {
    fn start(file: &NamedTempFile) -> Self {
        let mut process = command(&["serve", "--config", file.path().to_str().unwrap()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut seen = String::new();
        let serves = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended:\n{seen}");
            if line.contains("turnpike serves") {
                break serde_json::from_str::<serde_json::Value>(&line).unwrap();
            }
            seen += &line;
        };
        let address = |field: &str| {
            serves[field].as_str().unwrap().trim_matches(['[', ']']).parse::<SocketAddr>().unwrap()
        };
        let (turn, gateway, admin) = (address("turn"), address("gateway"), address("admin"));
        Self { process, log, turn, gateway, admin }
    }

    fn signal(&self, signal: Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.process), signal).unwrap();
    }

    /// Reads its log up to a line with this text.
    fn wait_for_log(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "it ended");
        }
    }

    /// Asks it to stop; returns its exit code and what it still logged.
    fn terminate(&mut self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.process.wait().unwrap().code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The answer to a GET, as it came.
fn get(address: SocketAddr, path: &str) -> String {
    get_with(address, path, "")
}

/// The same, with further headers.
fn get_with(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n{headers}Connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
