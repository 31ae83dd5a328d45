//! Reads the arguments, runs the command, turns the result into an exit code.

fn main() -> std::process::ExitCode {
    turnpike::cli::run()
}
