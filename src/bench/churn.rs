//! Makes and ends allocations, again and again, and counts how many a second.

use std::time::{Duration, Instant};

use super::control::{Control, Write, allocate, end};
use super::error::BenchError;
use super::load::{Load, Transport};
use super::process::Usage;
use super::report::AllocationReport;
use super::stream::Tls;
use crate::sys;
use crate::wire::Method;

/// Has as many clients as a load has allocations allocate and end, all of them at once, again and again for as long as the
/// load says; each time with sockets or connections of their own.
pub fn churn(load: &Load) -> Result<AllocationReport, BenchError> {
    load.check()?;
    sys::raise_open_files_limit().map_err(BenchError::OpenFiles)?;
    let tls = match load.access.transport {
        Transport::Tls => Some(Tls::new(load.access.server, &load.access.trust)?),
        Transport::Udp | Transport::Tcp => None,
    };
    let cpu = || -> Result<Option<Duration>, BenchError> {
        let usage = |pid| Usage::of(pid).map_err(|source| BenchError::Process { pid, source });
        Ok(load.pid.map(usage).transpose()?.map(|usage| usage.cpu))
    };
    run_for(load.warm_up, load, tls.as_ref())?;
    let (began, cpu_before) = (Instant::now(), cpu()?);
    let allocations = run_for(load.duration, load, tls.as_ref())?;
    let (lasted, cpu_after) = (began.elapsed(), cpu()?);
    let spent = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    Ok(AllocationReport {
        allocations,
        per_second: allocations as f64 / lasted.as_secs_f64(),
        server_cpu_us_each: spent.map(|spent| spent.as_secs_f64() * 1e6 / allocations.max(1) as f64),
    })
}

/// Goes round at least once.
fn run_for(duration: Duration, load: &Load, tls: Option<&Tls>) -> Result<u64, BenchError> {
    let began = Instant::now();
    let mut allocations = 0;
    loop {
        // Servers may keep a 5-tuple for a while after its allocation has ended.
        let mut clients = (0..load.allocations)
            .map(|number| Control::open(&load.access, tls, number))
            .collect::<Result<Vec<_>, _>>()?;
        ask_all(&mut clients, Method::Allocate, &allocate)?;
        ask_all(&mut clients, Method::Refresh, &end)?;
        allocations += clients.len() as u64;
        if began.elapsed() >= duration {
            return Ok(allocations);
        }
    }
}

/// Lets every client ask before the first answer is read, so that the server has batches to work on.
///
/// Those are left out afterwards whose 5-tuple is taken, by an allocation that the server has ended and not forgotten.
fn ask_all(clients: &mut Vec<Control>, method: Method, write: Write<'_>) -> Result<(), BenchError> {
    let mut asking = std::mem::take(clients);
    while !asking.is_empty() {
        for client in &mut asking {
            client.send(method, write)?;
        }
        let mut challenged = Vec::new();
        for mut client in asking {
            match client.receive(method) {
                Ok(true) => clients.push(client),
                Ok(false) => challenged.push(client),
                Err(BenchError::Refused { code: 437, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        asking = challenged;
    }
    Ok(())
}
