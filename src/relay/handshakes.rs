//! The threads that do the public-key work of TLS, so that a flood of handshakes delays no media.

use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tracing::debug;

use super::command::Command;
use super::connections::ConnectionId;
use crate::sys::{self, Waker};
use crate::tls::{CertificateStore, TlsSession};

/// The threads; dropping it ends them, once no worker can send them anything.
#[derive(Debug)]
pub(super) struct HandshakeThreads {
    handshakes: Option<Handshakes>,
    threads: Vec<JoinHandle<()>>,
}

/// How a worker begins handshakes and has them worked on.
#[derive(Debug, Clone)]
pub(super) struct Handshakes {
    certificate: Arc<CertificateStore>,
    jobs: SyncSender<Job>,
}

/// A connection on its way to a thread and back.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) connection: ConnectionId,
    pub(super) tls: Box<TlsSession>,
    /// What the client has sent.
    pub(super) records: Vec<u8>,
    pub(super) reply_to: Mailbox,
}

/// Where a worker gets its commands.
#[derive(Debug, Clone)]
pub(super) struct Mailbox {
    pub(super) commands: Sender<Command>,
    pub(super) waker: Waker,
}

impl HandshakeThreads {
    /// Starts as many threads as leave the workers room.
    pub(super) fn start(certificate: Arc<CertificateStore>, cores: usize) -> io::Result<Self> {
        let (jobs, received) = sync_channel(MAX_WAITING);
        let received = Arc::new(Mutex::new(received));
        let start = |index| {
            let received = Arc::clone(&received);
            std::thread::Builder::new().name(format!("handshake-{index}")).spawn(move || work(&received))
        };
        let threads = (0..cores.div_ceil(2).min(MAX_THREADS)).map(start).collect::<io::Result<_>>()?;
        Ok(Self { handshakes: Some(Handshakes { certificate, jobs }), threads })
    }

    /// What a worker needs; `None` after the end.
    pub(super) fn handshakes(&self) -> Option<Handshakes> {
        self.handshakes.clone()
    }
}

impl Drop for HandshakeThreads {
    fn drop(&mut self) {
        self.handshakes = None;
        for thread in self.threads.drain(..) {
            // A panic was reported when it happened.
            let _ = thread.join();
        }
    }
}

impl Handshakes {
    /// Begins with a client.
    pub(super) fn begin(&self) -> Result<Box<TlsSession>, rustls::Error> {
        TlsSession::new(self.certificate.config()).map(Box::new)
    }

    /// Has a thread work on a connection, which comes back as [`Command::Handshaken`]; false if too many wait.
    pub(super) fn send(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    if let Err(error) = sys::lower_thread_priority() {
        debug!(%error, "a handshake thread keeps the priority of the workers");
    }
    loop {
        // The lock is held while waiting: whoever has it is the next to get a job.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { connection, mut tls, mut records, reply_to }) = job else {
            return;
        };
        let mut plaintext = Vec::new();
        let received = tls.receive(&mut records, |piece| plaintext.extend_from_slice(piece));
        // A goodbye that came with the rest is followed by the end of the stream, which the worker will see.
        let result = received.map(|_is_over| plaintext);
        // A worker that is gone needs no answer.
        let _ = reply_to.commands.send(Command::Handshaken { connection, tls, result });
        reply_to.waker.wake();
    }
}

/// More handshakes than that would wait for longer than clients do.
const MAX_WAITING: usize = 1024;
/// Enough to let a site's clients come back at once; more would only take cores from the workers.
const MAX_THREADS: usize = 4;
