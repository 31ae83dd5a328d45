//! The signals that the process obeys.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// Tells each time that SIGHUP asks the process to read its certificates anew, and which would end it otherwise.
pub(super) fn reload_requested() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
