//! `Readiness`: waits for many sockets at once, and can be woken from another thread (epoll and eventfd).

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};

/// A set of sockets, each with a token of its owner's choice.
#[derive(Debug)]
pub struct Readiness {
    epoll: OwnedFd,
    wake: Arc<OwnedFd>,
}

/// A socket that a wait reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Its token.
    pub token: u64,
    /// Whether it has an error waiting, which must be read or it is reported for ever.
    pub has_error: bool,
}

/// What a socket is reported for; its failure is reported always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interest {
    /// There is something to read.
    pub read: bool,
    /// There is room to write.
    pub write: bool,
}

/// Wakes the thread that waits; may be cloned and sent anywhere.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Readiness {
    /// Makes an empty set.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?);
        epoll::add(&epoll, &*wake, epoll::EventData::new_u64(WAKE_TOKEN), epoll::EventFlags::IN)?;
        Ok(Self { epoll, wake })
    }

    /// What wakes a thread that waits here.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.wake))
    }

    /// Adds a socket that is reported whenever it can be read; it leaves the set by being closed.
    pub fn add(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        assert_ne!(token, WAKE_TOKEN, "the last token belongs to the waker");
        Ok(epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?)
    }

    /// Adds a socket that is reported as its interest says; it leaves the set by being closed or removed.
    pub fn add_for(&self, socket: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        assert_ne!(token, WAKE_TOKEN, "the last token belongs to the waker");
        Ok(epoll::add(&self.epoll, socket, epoll::EventData::new_u64(token), interest.flags())?)
    }

    /// Has a socket of the set reported for something else.
    pub fn change(&self, socket: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        assert_ne!(token, WAKE_TOKEN, "the last token belongs to the waker");
        Ok(epoll::modify(&self.epoll, socket, epoll::EventData::new_u64(token), interest.flags())?)
    }

    /// Takes a socket out of the set.
    pub fn remove(&self, socket: impl AsFd) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, socket)?)
    }

    /// Gives a socket of the set another token.
    pub fn rename(&self, socket: impl AsFd, token: u64) -> io::Result<()> {
        assert_ne!(token, WAKE_TOKEN, "the last token belongs to the waker");
        Ok(epoll::modify(&self.epoll, socket, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?)
    }

    /// Waits until a socket is ready, somebody wakes us, or the time is over; `None` waits for ever.
    ///
    /// Puts the sockets that are ready into `ready`, and returns whether a waker ended the wait.
    pub fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<bool> {
        ready.clear();
        let timeout = timeout.map(timespec);
        let mut events = [MaybeUninit::uninit(); EVENTS_PER_WAIT];
        let events = match epoll::wait(&self.epoll, &mut events[..], timeout.as_ref()) {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => return Ok(false),
            Err(errno) => return Err(errno.into()),
        };
        let mut is_woken = false;
        for event in events {
            match event.data.u64() {
                WAKE_TOKEN => is_woken = true,
                token => {
                    let flags = event.flags;
                    ready.push(Ready { token, has_error: flags.contains(epoll::EventFlags::ERR) });
                }
            }
        }
        if is_woken {
            // It holds a count that one read resets; nothing to read is as good.
            let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        }
        Ok(is_woken)
    }
}

impl Interest {
    fn flags(self) -> epoll::EventFlags {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, self.read);
        flags.set(epoll::EventFlags::OUT, self.write);
        flags
    }
}

impl Waker {
    /// Ends the present or the next wait.
    pub fn wake(&self) {
        // It fails only when the count is full, and then the thread is being woken already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }
}

/// Waits for one socket; false when nothing came in time.
pub fn wait_until_readable(socket: impl AsFd, timeout: Duration) -> io::Result<bool> {
    match poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&timespec(timeout))) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: i64::from(duration.subsec_nanos()) }
}

const WAKE_TOKEN: u64 = u64::MAX;
/// How many sockets one wait reports; the others are reported by the next one.
const EVENTS_PER_WAIT: usize = 256;

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::{Datagram, Sender, UdpOptions, UdpSocket};

    #[test]
    fn reports_the_socket_that_can_be_read() {
        let bind = || UdpSocket::bind("127.0.0.1:0".parse().unwrap(), UdpOptions::default()).unwrap();
        let (quiet, loud) = (bind(), bind());
        let readiness = Readiness::new().unwrap();
        let mut ready = Vec::new();
        readiness.add(&quiet, 1).unwrap();
        readiness.add(&loud, 2).unwrap();
        let datagram = Datagram { to: loud.local_addr(), from: None, bytes: b"x" };
        Sender::new(1).send(quiet.as_fd(), std::iter::once(datagram), |_, failure| panic!("{failure:?}"));
        assert!(!readiness.wait(Some(Duration::from_secs(5)), &mut ready).unwrap());
        assert_eq!(ready, [Ready { token: 2, has_error: false }]);
    }

    #[test]
    fn a_waker_ends_one_wait() {
        let readiness = Readiness::new().unwrap();
        let mut ready = Vec::new();
        let waker = readiness.waker();
        std::thread::spawn(move || waker.wake());
        assert!(readiness.wait(Some(Duration::from_secs(5)), &mut ready).unwrap());
        assert!(!readiness.wait(Some(Duration::ZERO), &mut ready).unwrap());
        assert!(ready.is_empty());
    }
}
