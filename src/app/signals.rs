//! The signals that stop the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Completes with the name of the first signal that asks the process to stop.
pub(super) fn stop_requested() -> io::Result<impl Future<Output = &'static str>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
