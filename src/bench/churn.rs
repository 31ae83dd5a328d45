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

/// Has every client of a load allocate and end, all of them at once, for as long as the load says.
pub fn churn(load: &Load) -> Result<AllocationReport, BenchError> {
    load.check()?;
    sys::raise_open_files_limit().map_err(BenchError::OpenFiles)?;
    let tls = match load.access.transport {
        Transport::Tls => Some(Tls::new(load.access.server, &load.access.trust)?),
        Transport::Udp | Transport::Tcp => None,
    };
    let mut clients = (0..load.allocations)
        .map(|number| Control::open(&load.access, tls.as_ref(), number))
        .collect::<Result<Vec<_>, _>>()?;
    let cpu = || -> Result<Option<Duration>, BenchError> {
        let usage = |pid| Usage::of(pid).map_err(|source| BenchError::Process { pid, source });
        Ok(load.pid.map(usage).transpose()?.map(|usage| usage.cpu))
    };
    run_for(load.warm_up, &mut clients)?;
    let (began, cpu_before) = (Instant::now(), cpu()?);
    let allocations = run_for(load.duration, &mut clients)?;
    let (lasted, cpu_after) = (began.elapsed(), cpu()?);
    let spent = cpu_after.zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    Ok(AllocationReport {
        allocations,
        per_second: allocations as f64 / lasted.as_secs_f64(),
        server_cpu_us_each: spent.map(|spent| spent.as_secs_f64() * 1e6 / allocations.max(1) as f64),
    })
}

/// Goes round at least once.
fn run_for(duration: Duration, clients: &mut [Control]) -> Result<u64, BenchError> {
    let began = Instant::now();
    let mut allocations = 0;
    loop {
        clients.iter_mut().for_each(Control::forget);
        ask_all(clients, Method::Allocate, &allocate)?;
        ask_all(clients, Method::Refresh, &end)?;
        allocations += clients.len() as u64;
        if began.elapsed() >= duration {
            return Ok(allocations);
        }
    }
}

/// Lets every client ask before the first answer is read, so that the server has batches to work on.
fn ask_all(clients: &mut [Control], method: Method, write: Write<'_>) -> Result<(), BenchError> {
    let mut asking: Vec<&mut Control> = clients.iter_mut().collect();
    while !asking.is_empty() {
        for client in &mut asking {
            client.send(method, write)?;
        }
        let mut challenged = Vec::new();
        for client in asking {
            if !client.receive(method)? {
                challenged.push(client);
            }
        }
        asking = challenged;
    }
    Ok(())
}
