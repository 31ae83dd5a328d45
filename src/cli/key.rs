//! `turnpike key new`: makes up a key for a client, shows it once, and says what belongs into the configuration.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};

use crate::config::Cause;
use crate::config::moment::Moment;
use crate::config::schema::{Key, KeyScope};
use crate::config::units::HumanDuration;
use crate::secret::Secret;

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Makes up a key. It is shown this once; the configuration has its SHA-256 only.
    New(New),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// The name of the key in logs and metrics.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Whose key it is, if the client has several.
    #[arg(long, value_name = "CLIENT")]
    client: Option<String>,
    /// After what time the key expires, such as 90d.
    #[arg(long, value_name = "TIME")]
    expires_in: Option<HumanDuration>,
    /// What the key opens, with commas between: offer, ice_servers, whip, turn, admin. Without it everything but admin.
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    scopes: Vec<KeyScope>,
}

pub(super) fn run(command: &KeyCommand) -> anyhow::Result<()> {
    let KeyCommand::New(new) = command;
    let key = random_key().context("cannot make up a key")?;
    #[expect(clippy::disallowed_methods, reason = "the command line has a clock: when does the key expire?")]
    let now = SystemTime::now();
    let lines = lines(new, &key, now)?;
    #[expect(clippy::print_stdout, reason = "what the command is for")]
    {
        println!("The key, which nobody can show again. Give it to the client:\n\n{}\n", key.expose());
        print!("The lines for the configuration, which do not hold the key:\n\n{lines}");
    }
    Ok(())
}

/// 256 random bits behind a beginning by which people and scanners for lost secrets know what it is.
pub(super) fn random_key() -> anyhow::Result<Secret> {
    let mut bytes = [0; 32];
    SysRng.try_fill_bytes(&mut bytes)?;
    Ok(Secret::new(format!("tpk_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
}

/// The section of a key.
fn lines(new: &New, key: &Secret, now: SystemTime) -> anyhow::Result<String> {
    let New { name, client, expires_in, scopes } = new;
    for name in client.iter().chain([name]) {
        ensure!(Key::is_name(name), Cause::KeyId(name.clone()));
    }
    let mut lines = format!("[[gateway.keys]]\nid = \"{name}\"\n");
    if let Some(client) = client {
        writeln!(lines, "client = \"{client}\"")?;
    }
    write!(lines, "sha256 = \"")?;
    for byte in Sha256::digest(key.expose()) {
        write!(lines, "{byte:02x}")?;
    }
    writeln!(lines, "\"")?;
    if let Some(HumanDuration(time)) = expires_in {
        ensure!(*time <= MOST_LIFE, "a key may live 36500d at most; without an expiry it does not end");
        let since = (now + *time).duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
        let whole = UNIX_EPOCH + Duration::from_secs(since.as_secs());
        writeln!(lines, "expires_at = {}", Moment(whole))?;
    }
    if !scopes.is_empty() {
        let scopes: Vec<String> = scopes.iter().map(KeyScope::to_string).collect();
        writeln!(lines, "scopes = {scopes:?}")?;
    }
    Ok(lines)
}

/// A hundred years; the calendar of timestamps ends some thousands later.
const MOST_LIFE: Duration = Duration::from_secs(36_500 * 86_400);

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        new: New,
    }

    fn parse(arguments: &[&str]) -> Result<New, clap::Error> {
        let arguments = ["new"].iter().chain(arguments);
        Arguments::try_parse_from(arguments).map(|arguments| arguments.new)
    }

    #[test]
    fn makes_each_key_anew_and_recognisable() {
        let (one, other) = (random_key().unwrap(), random_key().unwrap());

        assert_ne!(one, other);
        assert_eq!(one.expose().len(), "tpk_".len() + 43, "32 bytes in base64");
        assert!(one.expose().starts_with("tpk_"));
    }

    #[test]
    fn says_what_belongs_into_the_configuration() {
        let now = UNIX_EPOCH + Duration::from_millis(1_800_000_000_999);
        let key = Secret::new("tpk_test");

        let least = lines(&parse(&["--name", "app"]).unwrap(), &key, now).unwrap();
        let all =
            ["--name", "app-2", "--client", "app", "--expires-in", "90d", "--scopes", "offer,ice_servers"];
        let most = lines(&parse(&all).unwrap(), &key, now).unwrap();

        let sha256 = "e4bb063934d7ad843590e506e3ffe09d20e2924c9a755568de6f5c9e3ee13da6";
        assert_eq!(least, format!("[[gateway.keys]]\nid = \"app\"\nsha256 = \"{sha256}\"\n"));
        assert_eq!(
            most,
            format!(
                "[[gateway.keys]]\nid = \"app-2\"\nclient = \"app\"\nsha256 = \"{sha256}\"\n\
                 expires_at = 2027-04-15T08:00:00Z\nscopes = [\"offer\", \"ice_servers\"]\n"
            )
        );
    }

    #[test]
    fn what_it_says_can_be_served_with() {
        let new =
            parse(&["--name", "app", "--client", "team", "--expires-in", "1h", "--scopes", "admin"]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), lines(&new, &Secret::new("tpk_test"), UNIX_EPOCH).unwrap()).unwrap();

        let settings = config::load(file.path(), std::iter::empty()).unwrap();

        let key = &settings.gateway.keys[0];
        assert_eq!((key.id.as_str(), key.client.as_str()), ("app", "team"));
        assert_eq!(key.expires_at, Some(UNIX_EPOCH + Duration::from_secs(3600)));
    }

    #[test]
    fn refuses_what_the_configuration_would() {
        assert!(parse(&["--name", "app", "--scopes", "everything"]).is_err());
        assert!(parse(&["--name", "app", "--expires-in", "soon"]).is_err());
        let forever = parse(&["--name", "app", "--expires-in", "36501d"]).unwrap();
        assert!(lines(&forever, &Secret::new("x"), UNIX_EPOCH).is_err());
        let error = lines(&parse(&["--name", "my app"]).unwrap(), &Secret::new("x"), UNIX_EPOCH).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`my app` is no id; write 1 to 64 letters, digits, dots, dashes and underscores"
        );
    }
}
