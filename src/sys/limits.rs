//! What the system allows the process.

use std::io;

use rustix::process::{Resource, getrlimit, nice, setrlimit};

/// Raises the number of files that may be open to the hard limit; returns what it is then.
///
/// Each allocation has a socket of its own, and the usual soft limit is 1,024.
pub fn raise_open_files_limit() -> io::Result<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(limit.current.unwrap_or(u64::MAX))
}

/// Has the calling thread give way to the others of the process when cores are scarce.
pub fn lower_thread_priority() -> io::Result<()> {
    // On Linux it is the thread's own, whatever POSIX says of the process.
    Ok(nice(LOW_PRIORITY).map(drop)?)
}

/// A tenth of the share of a thread that does not give way.
const LOW_PRIORITY: i32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_reaches_the_hard_one() {
        let raised = raise_open_files_limit().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX), raised);
    }
}
