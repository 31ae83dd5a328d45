//! What the operator types: the commands, their flags, and their exit codes.
//!
//! In: arguments and environment. Out: 0 if all went well, 1 if not, 2 if the arguments make no sense; `policy test`
//! exits with 2 if the configuration makes none either, as 1 says that a peer is refused.

mod bench;
mod check;
mod demo;
mod doctor;
mod key;
mod policy;
mod probe;
mod serve;
mod values;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config;
use key::KeyCommand;
use policy::PolicyCommand;

/// A TURN relay and a signaling gateway in one binary, in front of a WebRTC inference backend.
#[derive(Debug, Parser)]
#[command(name = "turnpike", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the relay and the gateway, and serves until it is told to stop.
    Serve(ConfigFile),
    /// Starts everything at once on this machine: relay, gateway, an inference backend, and a page that shows boxes on a video.
    Demo(demo::Demo),
    /// Checks a configuration, explains what it means, and fails if it has an error.
    Check(ConfigFile),
    /// Looks at a configuration and this machine, relays packets through a copy of it, and says what will not go well.
    Doctor(doctor::Doctor),
    /// Puts a load on a TURN server, this one or another, and measures what it relays and what that costs it.
    Bench(Box<bench::Bench>),
    /// Asks a TURN server, this one or another, for what its clients need: an allocation, a permission, a channel, and packets
    /// through the relay.
    Probe(probe::Probe),
    /// Makes keys of clients.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Asks the peer policy of a configuration.
    #[command(subcommand)]
    Policy(PolicyCommand),
}

#[derive(Debug, Clone, Args)]
struct ConfigFile {
    /// The configuration; `TURNPIKE_<SECTION>_<KEY>` variables go over it.
    #[arg(long, value_name = "FILE", env = config::FILE_VARIABLE, default_value = "/etc/turnpike/turnpike.toml")]
    config: PathBuf,
}

impl ConfigFile {
    fn read(&self) -> Result<config::Written, config::ConfigErrors> {
        config::read(&self.config, std::env::vars_os())
    }
}

/// Runs the command of the process's arguments.
pub fn run() -> ExitCode {
    let failure = match Arguments::parse().command {
        Command::Serve(file) => serve::run(&file),
        Command::Demo(demo) => demo::run(&demo),
        Command::Check(file) => check::run(&file),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::Bench(bench) => bench::run(&bench),
        Command::Probe(probe) => probe::run(&probe),
        Command::Key(command) => key::run(&command),
        Command::Policy(command) => return policy::run(&command),
    };
    match failure {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// The errors of a configuration are several, one a line.
fn print_error(error: &anyhow::Error) {
    for line in format!("{error:#}").lines() {
        eprintln!("error: {line}");
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn takes_the_file_of_the_system_unless_told() {
        let parse = |arguments: &[&str]| Arguments::try_parse_from(arguments).unwrap().command;
        assert!(matches!(
            parse(&["turnpike", "check", "--config", "a.toml"]),
            Command::Check(file) if file.config.as_os_str() == "a.toml"
        ));
        assert!(matches!(parse(&["turnpike", "serve"]), Command::Serve(_)));
    }

    #[test]
    fn wrong_arguments_exit_with_2() {
        for arguments in [&["turnpike", "serv"][..], &["turnpike", "check", "--conf", "x"], &["turnpike"]] {
            assert_eq!(Arguments::try_parse_from(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
        }
    }
}
