//! Many datagrams with one system call: `recvmmsg` and `sendmmsg` on arrays that are used again and again.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::address::{self, Storage};

/// Receives batches of datagrams.
pub struct Receiver {
    headers: Vec<libc::mmsghdr>,
    buffers: Vec<libc::iovec>,
    names: Vec<Storage>,
    controls: Vec<Control>,
}

/// Where a received datagram came from and went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Its bytes in its buffer.
    pub len: usize,
    /// Its sender.
    pub from: SocketAddr,
    /// The local address that it was sent to, on sockets that were told to ask.
    pub to: Option<IpAddr>,
}

/// Sends batches of datagrams.
pub struct Sender {
    headers: Vec<libc::mmsghdr>,
    buffers: Vec<libc::iovec>,
    names: Vec<Storage>,
    controls: Vec<Control>,
}

/// A datagram to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// Its receiver.
    pub to: SocketAddr,
    /// The local address that it is to come from, where the socket has several.
    pub from: Option<IpAddr>,
    /// What it carries.
    pub bytes: &'a [u8],
}

/// Why a datagram was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFailure {
    /// The socket's buffer is full.
    BufferFull,
    /// The kernel refused it: no route, a firewall, an impossible address.
    Refused,
}

// SAFETY: between calls the raw pointers inside are never read, so the arrays may move to another thread.
unsafe impl Send for Receiver {}
// SAFETY: as for Receiver.
unsafe impl Send for Sender {}

impl Receiver {
    /// Makes a receiver of up to `capacity` datagrams at once.
    pub fn new(capacity: usize) -> Self {
        Self {
            headers: vec![empty_header(); capacity],
            buffers: vec![empty_buffer(); capacity],
            names: vec![address::empty(); capacity],
            controls: vec![Control::EMPTY; capacity],
        }
    }

    /// Fills one buffer after the other, without waiting; returns how many datagrams came.
    pub fn receive<'b>(
        &mut self,
        socket: BorrowedFd<'_>,
        buffers: impl Iterator<Item = &'b mut [u8]>,
    ) -> io::Result<usize> {
        let mut asked = 0;
        for (index, buffer) in buffers.take(self.headers.len()).enumerate() {
            self.buffers[index] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = (&raw mut self.names[index]).cast();
            header.msg_namelen = size_of::<Storage>() as libc::socklen_t;
            header.msg_iov = &raw mut self.buffers[index];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[index]).cast();
            header.msg_controllen = size_of::<Control>() as _;
            header.msg_flags = 0;
            asked = index + 1;
        }
        // SAFETY: the first `asked` headers point to a name, a control buffer and an iovec of this struct, and each
        // iovec to a slice that its caller lends for `'b`, which outlives this call.
        let received = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                asked as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        match received {
            -1 => Err(io::Error::last_os_error()),
            received => Ok(received as usize),
        }
    }

    /// The datagram in the buffer of this index; `None` if it was cut off or its sender has no address.
    pub fn received(&self, index: usize) -> Option<Received> {
        let header = &self.headers[index];
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let from = address::decode(&self.names[index])?;
        Some(Received { len: header.msg_len as usize, from, to: destination(&header.msg_hdr) })
    }
}

impl Sender {
    /// Makes a sender of up to `capacity` datagrams with one system call.
    pub fn new(capacity: usize) -> Self {
        Self {
            headers: vec![empty_header(); capacity],
            buffers: vec![empty_buffer(); capacity],
            names: vec![address::empty(); capacity],
            controls: vec![Control::EMPTY; capacity],
        }
    }

    /// Sends datagrams without waiting; tells of each one, by its place among them, that was not sent.
    pub fn send<'d>(
        &mut self,
        socket: BorrowedFd<'_>,
        mut datagrams: impl Iterator<Item = Datagram<'d>>,
        mut failed: impl FnMut(usize, SendFailure),
    ) {
        let mut sent_before = 0;
        loop {
            let filled = self.fill(&mut datagrams);
            if filled == 0 {
                return;
            }
            self.send_filled(socket, filled, |index, failure| failed(sent_before + index, failure));
            sent_before += filled;
        }
    }

    /// Points the headers at the next datagrams; returns how many.
    fn fill<'d>(&mut self, datagrams: &mut impl Iterator<Item = Datagram<'d>>) -> usize {
        let mut filled = 0;
        for (index, datagram) in datagrams.take(self.headers.len()).enumerate() {
            self.buffers[index] = libc::iovec {
                // The kernel only reads what it sends.
                iov_base: datagram.bytes.as_ptr().cast_mut().cast(),
                iov_len: datagram.bytes.len(),
            };
            let header = &mut self.headers[index].msg_hdr;
            header.msg_namelen = address::encode(datagram.to, &mut self.names[index]);
            header.msg_name = (&raw mut self.names[index]).cast();
            header.msg_iov = &raw mut self.buffers[index];
            header.msg_iovlen = 1;
            header.msg_control = (&raw mut self.controls[index]).cast();
            header.msg_controllen = match datagram.from {
                Some(source) => self.controls[index].write_source(source) as _,
                None => 0,
            };
            filled = index + 1;
        }
        filled
    }

    fn send_filled(
        &mut self,
        socket: BorrowedFd<'_>,
        filled: usize,
        mut failed: impl FnMut(usize, SendFailure),
    ) {
        let mut next = 0;
        let mut retried = None;
        while next < filled {
            // SAFETY: the headers up to `filled` point to names, controls and iovecs of this struct, and each iovec
            // to bytes that the datagrams of `send` lend for `'d`, which outlives this call.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    self.headers.as_mut_ptr().add(next),
                    (filled - next) as libc::c_uint,
                    libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
                )
            };
            if sent >= 0 {
                next += sent as usize;
                continue;
            }
            let kind = io::Error::last_os_error().kind();
            if kind == io::ErrorKind::WouldBlock {
                // Media that comes late is worthless: what does not fit now is dropped.
                (next..filled).for_each(|index| failed(index, SendFailure::BufferFull));
                return;
            }
            if kind == io::ErrorKind::Interrupted {
                continue;
            }
            // An ICMP error about an earlier datagram makes the next call fail, whatever it sends, and only that one.
            if retried != Some(next) {
                retried = Some(next);
                continue;
            }
            // An error is that of the first datagram; the others may fare better.
            failed(next, SendFailure::Refused);
            next += 1;
        }
    }
}

/// Room for one control message with an IPv6 address, aligned as its header wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; 64]);

impl Control {
    const EMPTY: Self = Self([0; 64]);

    /// Asks the kernel to send from this address; returns the length of the control message.
    fn write_source(&mut self, source: IpAddr) -> usize {
        *self = Self::EMPTY;
        match source {
            IpAddr::V4(ip) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: address::ipv4(ip),
                    ipi_addr: address::ipv4(ip),
                };
                self.write(libc::IPPROTO_IP, libc::IP_PKTINFO, info)
            }
            IpAddr::V6(ip) => {
                let info = libc::in6_pktinfo { ipi6_addr: address::ipv6(ip), ipi6_ifindex: 0 };
                self.write(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
            }
        }
    }

    fn write<T>(&mut self, level: libc::c_int, kind: libc::c_int, value: T) -> usize {
        let header = (&raw mut self.0).cast::<libc::cmsghdr>();
        // SAFETY: computes sizes from sizes.
        let (len, space) =
            unsafe { (libc::CMSG_LEN(size_of::<T>() as u32), libc::CMSG_SPACE(size_of::<T>() as u32)) };
        assert!(space as usize <= size_of::<Self>(), "both kinds of packet info fit");
        // SAFETY: the array is aligned for a cmsghdr, zeroed, and has room for the header and T, as asserted.
        unsafe {
            (*header).cmsg_len = len as _;
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        space as usize
    }
}

/// The local address that the kernel noted in a received message.
fn destination(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel filled the control buffer of this header, which belongs to its Receiver, and set its length.
    let mut control = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !control.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return pointers to whole control messages inside the buffer.
        let (level, kind, data) =
            unsafe { ((*control).cmsg_level, (*control).cmsg_type, libc::CMSG_DATA(control)) };
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: the kernel puts an in_pktinfo into a message of this kind.
                let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                return Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: the kernel puts an in6_pktinfo into a message of this kind.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                return Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
            }
            _ => {}
        }
        // SAFETY: as above; the result is null after the last one.
        control = unsafe { libc::CMSG_NXTHDR(header, control) };
    }
    None
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: an mmsghdr is integers and pointers, for which all zeros is a value.
    unsafe { mem::zeroed() }
}

fn empty_buffer() -> libc::iovec {
    libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::{UdpOptions, UdpSocket};

    fn socket(address: &str) -> UdpSocket {
        UdpSocket::bind(
            address.parse().unwrap(),
            UdpOptions { wants_destination: true, ..UdpOptions::default() },
        )
        .unwrap()
    }

    fn send(from: &UdpSocket, datagrams: &[Datagram<'_>]) -> Vec<(usize, SendFailure)> {
        let mut failures = Vec::new();
        Sender::new(4)
            .send(from.as_fd(), datagrams.iter().copied(), |index, failure| failures.push((index, failure)));
        failures
    }

    fn receive(at: &UdpSocket, len: usize) -> (Receiver, usize, Vec<Vec<u8>>) {
        let mut receiver = Receiver::new(8);
        let mut buffers = vec![vec![0; len]; 8];
        at.wait_until_readable();
        let count = receiver.receive(at.as_fd(), buffers.iter_mut().map(Vec::as_mut_slice)).unwrap();
        (receiver, count, buffers)
    }

    #[test]
    fn a_batch_arrives_with_its_addresses() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (alice, bob) = (socket(address), socket(address));
            let to = bob.local_addr();
            let datagrams = [&b"one"[..], b"", b"three", b"four", b"five"].map(|bytes| Datagram {
                to,
                from: None,
                bytes,
            });
            assert_eq!(send(&alice, &datagrams), []);
            let (receiver, count, buffers) = receive(&bob, 16);
            assert_eq!(count, 5);
            for (index, datagram) in datagrams.iter().enumerate() {
                let received = receiver.received(index).unwrap();
                assert_eq!(&buffers[index][..received.len], datagram.bytes);
                assert_eq!(received.from, alice.local_addr());
                assert_eq!(received.to, Some(to.ip()));
            }
        }
    }

    #[test]
    fn a_wildcard_socket_answers_from_the_address_that_was_asked() {
        let (client, server) = (socket("127.0.0.1:0"), socket("0.0.0.0:0"));
        let from = Some("127.0.0.7".parse().unwrap());
        send(&server, &[Datagram { to: client.local_addr(), from, bytes: b"x" }]);
        let (receiver, _, _) = receive(&client, 16);
        let received = receiver.received(0).unwrap();
        assert_eq!(received.from, SocketAddr::new("127.0.0.7".parse().unwrap(), server.local_addr().port()));
    }

    #[test]
    fn a_datagram_that_was_cut_off_is_not_handed_out() {
        let (alice, bob) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        send(&alice, &[Datagram { to: bob.local_addr(), from: None, bytes: b"too long" }]);
        let (receiver, count, _) = receive(&bob, 4);
        assert_eq!(count, 1);
        assert_eq!(receiver.received(0), None);
    }

    #[test]
    fn a_refused_datagram_leaves_the_others_alone() {
        let (alice, bob) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        let good = Datagram { to: bob.local_addr(), from: None, bytes: b"good" };
        let bad = Datagram { to: "127.0.0.1:0".parse().unwrap(), from: None, bytes: b"port zero" };
        assert_eq!(
            send(&alice, &[bad, good, bad, good]),
            [(0, SendFailure::Refused), (2, SendFailure::Refused)]
        );
        assert_eq!(receive(&bob, 16).1, 2);
    }

    #[test]
    fn an_empty_socket_would_block() {
        let alice = socket("127.0.0.1:0");
        let mut buffer = [0; 4];
        let error = Receiver::new(1).receive(alice.as_fd(), std::iter::once(&mut buffer[..])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
