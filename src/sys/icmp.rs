//! ICMP errors about datagrams that a socket sent, from the kernel's error queue (`IP_RECVERR`).

use std::io;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::Socket;

use super::address;
use super::udp_socket::switch_on;

/// What a router or a peer answered to a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IcmpError {
    /// Where the datagram was sent to.
    pub peer: SocketAddr,
    /// The type of the message, of ICMP or ICMPv6 as the peer's family is.
    pub kind: u8,
    /// The code of the message.
    pub code: u8,
    /// The MTU that it tells, if that is what it is about; else zero.
    pub mtu: u32,
}

/// Makes the kernel keep ICMP errors for [`read_error`].
pub(super) fn ask_for_errors(socket: &Socket, family: IpAddr) -> io::Result<()> {
    match family {
        IpAddr::V4(_) => switch_on(socket, libc::IPPROTO_IP, libc::IP_RECVERR),
        IpAddr::V6(_) => switch_on(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR),
    }
}

/// Takes the oldest error out of the queue.
pub(super) fn read_error(socket: &Socket) -> io::Result<Option<IcmpError>> {
    let mut name = address::empty();
    let mut control = Control([0; 256]);
    // SAFETY: a msghdr is integers and pointers, for which all zeros is a value.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = (&raw mut name).cast();
    header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the header points to a name and a control buffer that live through the call; there is no iovec, so the
    // bytes of the datagram itself are left out.
    let result = unsafe {
        libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT)
    };
    if result < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
    }
    let Some(error) = extended_error(&header) else { return Ok(None) };
    let is_icmp = matches!(error.ee_origin, libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6);
    let peer = address::decode(&name).filter(|_| is_icmp);
    Ok(peer.map(|peer| IcmpError { peer, kind: error.ee_type, code: error.ee_code, mtu: error.ee_info }))
}

/// The kernel's note about the error.
fn extended_error(header: &libc::msghdr) -> Option<libc::sock_extended_err> {
    // SAFETY: the kernel filled the control buffer of this header and set its length.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return pointers to whole control messages inside the buffer.
        let (level, kind, data) =
            unsafe { ((*control).cmsg_level, (*control).cmsg_type, libc::CMSG_DATA(control)) };
        if matches!(
            (level, kind),
            (libc::IPPROTO_IP, libc::IP_RECVERR) | (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)
        ) {
            // SAFETY: the kernel puts a sock_extended_err into a message of this kind.
            return Some(unsafe { data.cast::<libc::sock_extended_err>().read_unaligned() });
        }
        // SAFETY: as above; the result is null after the last one.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    None
}

/// Room for the control message of an error, which carries the address of its sender, aligned as its header wants it.
#[repr(C, align(8))]
struct Control([u8; 256]);

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use crate::sys::{Datagram, Sender, UdpOptions, UdpSocket};

    #[test]
    fn tells_of_a_port_that_nobody_listens_on() {
        for (address, kind, code) in [("127.0.0.1:0", 3, 3), ("[::1]:0", 1, 4)] {
            let options = UdpOptions { wants_icmp: true, ..UdpOptions::default() };
            let socket = UdpSocket::bind(address.parse().unwrap(), options).unwrap();
            let closed =
                UdpSocket::bind(address.parse().unwrap(), UdpOptions::default()).unwrap().local_addr();
            assert_eq!(socket.read_icmp().unwrap(), None);

            let datagram = Datagram { to: closed, from: None, bytes: b"anybody?" };
            Sender::new(1)
                .send(socket.as_fd(), std::iter::once(datagram), |_, failure| panic!("{failure:?}"));
            socket.wait_until_readable();
            let error = socket.read_icmp().unwrap().expect("an error");
            assert_eq!((error.peer, error.kind, error.code), (closed, kind, code));
            assert_eq!(socket.read_icmp().unwrap(), None);
        }
    }
}
