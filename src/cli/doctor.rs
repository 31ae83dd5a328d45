//! `turnpike doctor`: what will not go well with a configuration on this machine, and what mends it.

use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::Args;

use super::ConfigFile;
use crate::doctor::{self, Finding, Verdict};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    file: ConfigFile,
    /// Print the findings as JSON, a list.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(doctor: &Doctor) -> anyhow::Result<()> {
    let settings = doctor.file.read()?.resolve()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line has a clock: are certificates valid now?"
    )]
    let now = SystemTime::now();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let findings = runtime.block_on(doctor::examine(&settings, now));
    runtime.shutdown_background();
    doctor.print(&findings)?;
    let wrong = findings.iter().filter(|finding| finding.verdict == Verdict::Wrong).count();
    if wrong > 0 {
        bail!("{wrong} of {} findings are wrong", findings.len());
    }
    Ok(())
}

impl Doctor {
    #[expect(clippy::print_stdout, reason = "what the command is for")]
    fn print(&self, findings: &[Finding]) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string(findings)?);
        } else {
            findings.iter().for_each(|finding| println!("{finding}"));
        }
        Ok(())
    }
}
