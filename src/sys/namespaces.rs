//! Network namespaces, as `ip netns` names them.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Does something in another network namespace, on the calling thread, which then comes back; what was opened there
/// stays there. Takes root.
pub fn in_network_namespace<T>(name: &str, act: impl FnOnce() -> T) -> io::Result<T> {
    let there = File::open(Path::new("/run/netns").join(name))?;
    let here = File::open("/proc/thread-self/ns/net")?;
    enter(&there)?;
    let result = act();
    // A thread that cannot come back would go on in the wrong place without noticing.
    enter(&here).map_err(|error| io::Error::other(format!("cannot come back: {error}")))?;
    Ok(result)
}

fn enter(namespace: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_none_is_refused() {
        let result = in_network_namespace("there-is-no-such-namespace", || ());
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
