//! Whether the kernel's clock is kept right.

use std::io;
use std::mem::MaybeUninit;

/// Whether something, such as an NTP client, keeps the clock right (adjtimex(2)).
pub fn is_clock_synchronised() -> io::Result<bool> {
    // SAFETY: timex is a plain C struct, of which all zeros are a value: no modes, so nothing is changed.
    let mut query: libc::timex = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the pointer is to a timex of our own, which the call fills.
    let state = unsafe { libc::adjtimex(&raw mut query) };
    if state == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(state != libc::TIME_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells() {
        assert!(is_clock_synchronised().is_ok());
    }
}
