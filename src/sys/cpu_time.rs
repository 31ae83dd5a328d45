//! The processor time of a process, and of a thread of this one.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

/// What a process has used of the processor so far: all its threads, also those that have ended, and the kernel's work
/// for it.
pub fn process_cpu_time(pid: u32) -> io::Result<Duration> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| io::Error::from_raw_os_error(libc::ESRCH))?;
    let mut clock = 0;
    // SAFETY: the kernel writes one number into `clock`, which lives through the call.
    let errno = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
    if errno != 0 {
        return Err(io::Error::from_raw_os_error(errno));
    }
    time_of(clock)
}

/// Tells what one thread has used of the processor so far, to any thread of its process.
#[derive(Debug, Clone, Copy)]
pub struct ThreadClock(libc::clockid_t);

impl ThreadClock {
    /// That of the thread that calls.
    pub fn of_this_thread() -> io::Result<Self> {
        let mut clock = 0;
        // SAFETY: the thread that calls lives through the call, and so does `clock`, into which one number is written.
        let errno = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &raw mut clock) };
        if errno == 0 { Ok(Self(clock)) } else { Err(io::Error::from_raw_os_error(errno)) }
    }

    /// What the thread has used so far. It is an error once the thread has ended.
    pub fn time(self) -> io::Result<Duration> {
        time_of(self.0)
    }
}

fn time_of(clock: libc::clockid_t) -> io::Result<Duration> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the kernel writes one timespec into `time`, which lives through the call.
    if unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so the timespec is written.
    let time = unsafe { time.assume_init() };
    Ok(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_and_a_process_that_is_none_has_none() {
        let before = process_cpu_time(std::process::id()).unwrap();
        std::thread::spawn(work).join().unwrap();
        assert!(process_cpu_time(std::process::id()).unwrap() > before);
        assert_eq!(process_cpu_time(u32::MAX).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }

    #[test]
    fn a_thread_tells_its_own_time_to_others() {
        let own = ThreadClock::of_this_thread().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            let clock = ThreadClock::of_this_thread().unwrap();
            let before = clock.time().unwrap();
            work();
            tell.send((clock, before)).unwrap();
            let _ = ended.recv();
        });

        let (clock, before) = told.recv().unwrap();
        assert!(clock.time().unwrap() > before);
        assert_ne!(clock.0, own.0);
        drop(end);
        thread.join().unwrap();
    }

    fn work() -> u64 {
        (0..100_000_u64).fold(1, |product: u64, n| product.wrapping_mul(n | 1))
    }
}
