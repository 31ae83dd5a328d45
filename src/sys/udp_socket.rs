//! `UdpSocket`: a socket as the relay wants it, which never blocks and lets the network fragment.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::net::RecvFlags;
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
use socket2::{Domain, Protocol, Socket, Type};

use super::icmp::{self, IcmpError};

/// An open, bound UDP socket.
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket,
    local: SocketAddr,
    has_segments: bool,
}

/// Whether sockets of this process share an address, over which the kernel then spreads clients (`SO_REUSEPORT`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sharing {
    /// The address is for this socket alone.
    #[default]
    Alone,
    /// The first of those that share: it gets an address that nobody has, not even somebody else who would share it.
    Begins,
    /// Another one at the address of the first.
    Joins,
}

/// How a socket is to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UdpOptions {
    /// Whether other sockets of ours share the address.
    pub sharing: Sharing,
    /// Whether received datagrams tell which local address they were sent to.
    pub wants_destination: bool,
    /// Whether ICMP errors about what was sent are kept for [`read_icmp`](UdpSocket::read_icmp).
    pub wants_icmp: bool,
    /// Whether datagrams of one sender that come together may be received as one buffer.
    pub wants_segments: bool,
    /// Send and receive buffer to ask for, in bytes; zero leaves the system's default. The kernel may give less.
    pub buffer_bytes: usize,
}

impl UdpSocket {
    /// Opens a socket and binds it.
    pub fn bind(address: SocketAddr, options: UdpOptions) -> io::Result<Self> {
        let socket =
            Socket::new(Domain::for_address(address), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // One socket for each family, so that no IPv4 client appears as an IPv6 one.
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_port(options.sharing == Sharing::Joins)?;
        if options.buffer_bytes > 0 {
            set_buffers(&socket, options.buffer_bytes)?;
        }
        set_may_fragment(&socket, address.ip(), true)?;
        if options.wants_destination {
            ask_for_destination(&socket, address.ip())?;
        }
        if options.wants_icmp {
            icmp::ask_for_errors(&socket, address.ip())?;
        }
        // An older kernel does not know the option: then each datagram comes by itself.
        let has_segments = options.wants_segments && switch_on(&socket, libc::SOL_UDP, libc::UDP_GRO).is_ok();
        socket.bind(&address.into())?;
        socket.set_reuse_port(options.sharing != Sharing::Alone)?;
        let local = socket.local_addr()?.as_socket().unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)));
        Ok(Self { socket, local, has_segments })
    }

    /// The address that it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Whether datagrams that come together are received as one buffer.
    pub fn has_segments(&self) -> bool {
        self.has_segments
    }

    /// Whether the network may cut what is sent from now on into fragments.
    ///
    /// RFC 8656 §14: without a client's wish DF is clear, and so is path MTU discovery, which would set it.
    pub fn set_may_fragment(&self, may_fragment: bool) -> io::Result<()> {
        set_may_fragment(&self.socket, self.local.ip(), may_fragment)
    }

    /// The oldest ICMP error about something that was sent; `None` when there is none, or none that is ICMP's.
    pub fn read_icmp(&self) -> io::Result<Option<IcmpError>> {
        icmp::read_error(&self.socket)
    }

    /// The receive buffer that the kernel gave, in bytes; Linux counts its own overhead in and so says the double.
    pub fn receive_buffer_bytes(&self) -> io::Result<usize> {
        self.socket.recv_buffer_size()
    }

    /// Takes the next datagram, if one has come.
    pub fn receive_one(&self, datagram: &mut Vec<u8>) -> io::Result<bool> {
        datagram.clear();
        datagram.resize(LONGEST_DATAGRAM, 0);
        let received = rustix::net::recv(&self.socket, &mut datagram[..], RecvFlags::DONTWAIT);
        datagram.truncate(received.map_or(0, |(_, len)| len));
        match received {
            Ok(_) => Ok(true),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// How many datagrams the kernel has thrown away since the receive buffer was full.
    pub fn dropped(&self) -> io::Result<u32> {
        let mut counts = [0_u32; MEMINFO_VARS];
        let mut len = size_of_val(&counts) as libc::socklen_t;
        // SAFETY: the descriptor is open, and the kernel writes at most `len` bytes into the array, which lives through
        // the call.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                counts.as_mut_ptr().cast(),
                &raw mut len,
            )
        };
        if result == 0 { Ok(counts[MEMINFO_DROPS]) } else { Err(io::Error::last_os_error()) }
    }

    #[cfg(test)]
    pub(super) fn wait_until_readable(&self) {
        let is_readable = super::wait_until_readable(&self.socket, std::time::Duration::from_secs(5));
        assert!(is_readable.unwrap(), "nothing came");
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Asks for buffers of this size. Who may administrate the network gets them; others get what the system allows to all.
fn set_buffers(socket: &Socket, bytes: usize) -> io::Result<()> {
    let size = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    if set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, size).is_err() {
        socket.set_recv_buffer_size(bytes)?;
    }
    if set(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, size).is_err() {
        socket.set_send_buffer_size(bytes)?;
    }
    Ok(())
}

fn set_may_fragment(socket: &Socket, family: IpAddr, may_fragment: bool) -> io::Result<()> {
    // PROBE sets DF and does not hold the sender to a path MTU that it learnt: the network decides, and tells by ICMP.
    match (family, may_fragment) {
        (IpAddr::V4(_), true) => sockopt::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::DONT)?,
        (IpAddr::V4(_), false) => sockopt::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)?,
        (IpAddr::V6(_), true) => sockopt::set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::DONT)?,
        (IpAddr::V6(_), false) => sockopt::set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE)?,
    }
    Ok(())
}

/// Makes the kernel note the destination of each datagram (`IP_PKTINFO`, RFC 3542 §6.2).
fn ask_for_destination(socket: &Socket, family: IpAddr) -> io::Result<()> {
    let (level, option) = match family {
        IpAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        IpAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    switch_on(socket, level, option)
}

/// Sets a socket option that is a switch.
pub(super) fn switch_on(socket: &Socket, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    set(socket, level, option, 1)
}

/// Sets a socket option that is a number.
fn set(socket: &Socket, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open, and the option's value is an int that lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The longest payload of UDP, and a byte to spare.
const LONGEST_DATAGRAM: usize = 65_536;
/// How many numbers `SO_MEMINFO` has, and which of them counts what was thrown away (`SK_MEMINFO_DROPS`).
const MEMINFO_VARS: usize = 9;
const MEMINFO_DROPS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_the_kernel_throws_away() {
        let options = UdpOptions { buffer_bytes: 4096, ..UdpOptions::default() };
        let socket = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), options).unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], socket.local_addr()).unwrap();
        }
        let mut datagram = Vec::new();
        let read = std::iter::from_fn(|| socket.receive_one(&mut datagram).unwrap().then_some(())).count();
        assert!((1..100).contains(&read), "{read}");
        assert_eq!(socket.dropped().unwrap() as usize, 100 - read);
    }

    #[test]
    fn sockets_share_the_address_of_the_first() {
        let shared = |sharing| UdpOptions { sharing, ..UdpOptions::default() };
        let first = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), shared(Sharing::Begins)).unwrap();
        let _second = UdpSocket::bind(first.local_addr(), shared(Sharing::Joins)).unwrap();
        for sharing in [Sharing::Alone, Sharing::Begins] {
            let error = UdpSocket::bind(first.local_addr(), shared(sharing)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
    }

    // RFC 8656 §14
    #[test]
    fn sets_the_dont_fragment_bit_only_when_told_to() {
        let v4 = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), UdpOptions::default()).unwrap();
        assert_eq!(sockopt::ip_mtu_discover(&v4.socket).unwrap(), Ipv4PathMtuDiscovery::DONT);
        v4.set_may_fragment(false).unwrap();
        assert_eq!(sockopt::ip_mtu_discover(&v4.socket).unwrap(), Ipv4PathMtuDiscovery::PROBE);
        let v6 = UdpSocket::bind("[::1]:0".parse().unwrap(), UdpOptions::default()).unwrap();
        assert_eq!(sockopt::ipv6_mtu_discover(&v6.socket).unwrap(), Ipv6PathMtuDiscovery::DONT);
    }
}
