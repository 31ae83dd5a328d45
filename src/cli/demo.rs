//! `turnpike demo`: everything at once on this machine, with keys and a certificate that are made up for it.
//!
//! It is `turnpike serve` with a configuration of its own, which `--print-config` shows.

use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use clap::Args;
use tempfile::TempDir;

use super::key::random_key;
use crate::secret::Secret;
use crate::{app, config, tls};

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The address of this machine that clients reach. Any but the loopback one has the page served over HTTPS, as browsers
    /// give cameras to secure pages only.
    #[arg(long, value_name = "ADDRESS", default_value_t = Ipv4Addr::LOCALHOST.into())]
    address: IpAddr,
    /// The port of the relay, UDP and TCP.
    #[arg(long, value_name = "PORT", default_value_t = 3478)]
    turn_port: u16,
    /// The port of the relay, TLS.
    #[arg(long, value_name = "PORT", default_value_t = 5349)]
    turns_port: u16,
    /// The port of the page and the gateway.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    http_port: u16,
    /// The port of metrics and the admin API, on 127.0.0.1.
    #[arg(long, value_name = "PORT", default_value_t = 9090)]
    admin_port: u16,
    /// What is logged on standard error.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: String,
    /// Shows the configuration that it serves with, and serves nothing.
    #[arg(long)]
    print_config: bool,
}

/// What is made up for one run.
struct MadeUp {
    api_key: Secret,
    /// Of the user `demo`, for clients that ask the gateway for no credentials.
    password: Secret,
    /// Behind the credentials that the gateway hands out.
    secret: Secret,
}

pub(super) fn run(demo: &Demo) -> anyhow::Result<()> {
    let made_up = MadeUp::new().context("cannot make up keys")?;
    let text = demo.config(&made_up)?;
    if demo.print_config {
        #[expect(clippy::print_stdout, reason = "what the flag is for")]
        {
            print!("{text}");
        }
        return Ok(());
    }
    let folder =
        demo.prepare(&text).context("cannot keep the demo's files in the folder for temporary ones")?;
    let file = folder.path().join(CONFIG);
    let welcome = demo.welcome(&made_up, folder.path())?;
    let load = move || config::read(&file, std::iter::empty())?.resolve();
    app::serve(load, move || {
        #[expect(clippy::print_stdout, reason = "what the newcomer reads")]
        {
            print!("{welcome}");
        }
    })
    .with_context(|| demo.hint())
}

impl MadeUp {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { api_key: random_key()?, password: random_key()?, secret: random_key()? })
    }
}

impl Demo {
    /// A configuration as somebody would write it.
    fn config(&self, made_up: &MadeUp) -> Result<String, fmt::Error> {
        let at = |port| SocketAddr::new(self.address, port);
        let (turn, turns, http) = (at(self.turn_port), at(self.turns_port), at(self.http_port));
        let admin = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), self.admin_port);
        let mut text = String::new();
        write!(
            text,
            r#"# What `turnpike demo` serves with. Keys and passwords are made up anew each time.

[turn]
listen = ["{turn}"]
listen_tcp = ["{turn}", "{turns}"]
realm = "turnpike.demo"

[turn.tls]
certificate = "{CERTIFICATE}"
private_key = "{PRIVATE_KEY}"

# The relay reaches whom the answer to an offer names, and within this rule: the backend of this process.
[turn.peers]
policy = "answer"
allow = ["127.0.0.1"]

# For clients that bring credentials of their own.
[[turn.users]]
name = "demo"
password = "{password}"

# Behind the credentials that the gateway hands out.
[[turn.secrets]]
secret = "{secret}"

[gateway]
listen = "{http}"
backend = "embedded"

[gateway.ice_servers]
urls = ["turn:{turn}?transport=udp", "turn:{turn}?transport=tcp", "turns:{turns}?transport=tcp"]

[[gateway.keys]]
id = "demo"
key = "{api_key}"

# The page.
[[gateway.passthrough]]
prefix = "/demo/"
public = true

[admin]
listen = "{admin}"

[log]
level = "{log}"
"#,
            password = made_up.password.expose(),
            secret = made_up.secret.expose(),
            api_key = made_up.api_key.expose(),
            log = self.log,
        )?;
        if self.is_seen_by_others() {
            write!(
                text,
                "\n[gateway.tls]\ncertificate = \"{CERTIFICATE}\"\nprivate_key = \"{PRIVATE_KEY}\"\n"
            )?;
        }
        Ok(text)
    }

    /// Puts the configuration and a certificate where nobody else can read them.
    fn prepare(&self, text: &str) -> anyhow::Result<TempDir> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the command line has a clock: from when on is a certificate valid?"
        )]
        let made = tls::self_signed(self.address, SystemTime::now())?;
        let folder = tempfile::Builder::new().prefix("turnpike-demo-").tempdir()?;
        let write = |name: &str, text: &str| -> io::Result<()> { fs::write(folder.path().join(name), text) };
        write(CONFIG, text)?;
        write(CERTIFICATE, &made.certificate)?;
        write(PRIVATE_KEY, made.private_key.expose())?;
        Ok(folder)
    }

    /// Where to look, and what to try.
    fn welcome(&self, made_up: &MadeUp, folder: &Path) -> Result<String, fmt::Error> {
        let gateway = format!(
            "{}://{}",
            if self.is_seen_by_others() { "https" } else { "http" },
            SocketAddr::new(self.address, self.http_port)
        );
        let (key, password) = (made_up.api_key.expose(), made_up.password.expose());
        let admin = format!("http://127.0.0.1:{}", self.admin_port);
        let certificate = folder.join(CERTIFICATE);
        let (trust, insecure) = if self.is_seen_by_others() {
            (format!(" --cacert {}", certificate.display()), " (accept its certificate)")
        } else {
            Default::default()
        };
        let mut text = String::new();
        write!(
            text,
            r#"
turnpike demo: a TURN relay, a gateway and an inference backend. A demonstration, not a medical device.

  Page       {gateway}/demo/#key={key}{insecure}
  API key    {key}
  Relay      turn:{address}:{turn_port} over UDP and TCP, turns:{address}:{turns_port} over TLS
             TLS is for clients that trust {certificate}
  Live page  {admin}/
  Metrics    {admin}/metrics
  Sessions   {admin}/admin/v1/sessions

Try next:

  curl{trust} {gateway}/skin/webrtc/health -H 'api-key: {key}'
  curl{trust} {gateway}/skin/webrtc/ice-servers -H 'api-key: {key}'

  The Python client, from clients/python:

  TURN_SERVER_URL={address} TURN_SERVER_PORT={turn_port} TURN_SERVER_PROTOCOL=turn \
  TURN_USERNAME=demo TURN_CREDENTIAL={password} \
  SERVER_URL={gateway}/skin/webrtc/offer API_KEY={key} \
  python turnpike_client.py --synthetic --relay-only

  The configuration behind this, to begin your own with: turnpike demo --print-config

Ctrl+C ends it.
"#,
            address = self.address,
            turn_port = self.turn_port,
            turns_port = self.turns_port,
            certificate = certificate.display(),
        )?;
        Ok(text)
    }

    fn hint(&self) -> String {
        format!(
            "the demo ended; where one of its ports ({}, {}, {}, {}) is taken, `turnpike demo --help` tells how to choose others",
            self.turn_port, self.turns_port, self.http_port, self.admin_port
        )
    }

    fn is_seen_by_others(&self) -> bool {
        !self.address.is_loopback()
    }
}

const CONFIG: &str = "turnpike.toml";
const CERTIFICATE: &str = "demo.crt";
const PRIVATE_KEY: &str = "demo.key";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        demo: Demo,
    }

    fn demo(arguments: &[&str]) -> Demo {
        Command::parse_from([&["demo"], arguments].concat()).demo
    }

    #[test]
    fn serves_with_a_configuration_that_is_right() {
        for arguments in [&[][..], &["--address", "192.0.2.1"], &["--address", "::1", "--http-port", "80"]] {
            let demo = demo(arguments);
            let text = demo.config(&MadeUp::new().unwrap()).unwrap();
            let folder = demo.prepare(&text).unwrap();
            let written = config::read(&folder.path().join(CONFIG), std::iter::empty()).unwrap();
            let settings = written.resolve().unwrap();
            assert_eq!(settings.warnings, [], "{arguments:?}");
            assert!(settings.embedded.is_some());
            assert_eq!(settings.gateway.tls.is_some(), arguments.contains(&"192.0.2.1"));
        }
    }

    #[test]
    fn tells_where_to_look() {
        let demo = demo(&["--address", "192.0.2.1", "--http-port", "8443"]);
        let made_up = MadeUp::new().unwrap();
        let welcome = demo.welcome(&made_up, Path::new("/tmp/x")).unwrap();
        let page = format!("https://192.0.2.1:8443/demo/#key={}", made_up.api_key.expose());
        assert!(welcome.contains(&page), "{welcome}");
        assert!(
            welcome.contains("--cacert /tmp/x/demo.crt https://192.0.2.1:8443/skin/webrtc/health"),
            "{welcome}"
        );
    }
}
