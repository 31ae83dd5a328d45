//! Many datagrams with one system call: `recvmmsg` and `sendmmsg` on arrays that are used again and again.
//!
//! Where the kernel can, it also hands over several datagrams of one sender as one buffer (`UDP_GRO`) and cuts one
//! buffer into several datagrams (`UDP_SEGMENT`), which saves most of the way through the network stack for each.

use std::io;
use std::iter;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use super::address::{self, Storage};
use super::control::Control;

/// Receives batches of datagrams.
pub struct Receiver {
    headers: Vec<libc::mmsghdr>,
    buffers: Vec<libc::iovec>,
    names: Vec<Storage>,
    controls: Vec<Control>,
}

/// Where received datagrams came from and went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The bytes in their buffer.
    pub len: usize,
    /// The length of each of several datagrams that lie one after the other, the last of which may be shorter; `len`
    /// when there is only one.
    pub segment_len: usize,
    /// Their sender.
    pub from: SocketAddr,
    /// The local address that they were sent to, on sockets that were told to ask.
    pub to: Option<IpAddr>,
}

/// Sends batches of datagrams.
pub struct Sender {
    headers: Vec<libc::mmsghdr>,
    /// The parts of all messages, one after the other.
    buffers: Vec<libc::iovec>,
    /// How many parts each message has.
    part_counts: Vec<usize>,
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

/// One or several datagrams to one receiver, gathered from parts.
#[derive(Debug, Clone)]
pub struct Burst<P> {
    /// Their receiver.
    pub to: SocketAddr,
    /// The local address that they are to come from, where the socket has several.
    pub from: Option<IpAddr>,
    /// The length of each datagram, if the kernel is to cut the parts into several; the last one may be shorter.
    pub segment_len: Option<u16>,
    /// What they carry, one after the other.
    pub parts: P,
}

/// Why a datagram was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendFailure {
    /// The socket's buffer is full.
    BufferFull,
    /// The kernel refused it: no route, a firewall, an impossible address.
    Refused,
    /// The kernel refused to cut it into datagrams; they can be sent one by one.
    NotSegmented,
}

// SAFETY: between calls the raw pointers inside are never read, so the arrays may move to another thread.
unsafe impl Send for Receiver {}
// SAFETY: as for Receiver.
unsafe impl Send for Sender {}

impl Receiver {
    /// Makes a receiver of up to `capacity` buffers at once.
    pub fn new(capacity: usize) -> Self {
        Self {
            headers: vec![empty_header(); capacity],
            buffers: vec![empty_buffer(); capacity],
            names: vec![address::empty(); capacity],
            controls: vec![Control::EMPTY; capacity],
        }
    }

    /// Fills one buffer after the other, without waiting; returns how many were filled.
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

    /// What is in the buffer of this index; `None` if it was cut off or its sender has no address.
    pub fn received(&self, index: usize) -> Option<Received> {
        let header = &self.headers[index];
        if header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0 {
            return None;
        }
        let from = address::decode(&self.names[index])?;
        let len = header.msg_len as usize;
        let noted = self.controls[index].read(header.msg_hdr.msg_controllen);
        let segment_len = noted.segment_len.filter(|&segment| segment > 0).unwrap_or(len);
        Some(Received { len, segment_len, from, to: noted.destination })
    }
}

impl Sender {
    /// Makes a sender of up to `capacity` messages with one system call.
    pub fn new(capacity: usize) -> Self {
        Self {
            headers: vec![empty_header(); capacity],
            buffers: Vec::with_capacity(4 * capacity),
            part_counts: Vec::with_capacity(capacity),
            names: vec![address::empty(); capacity],
            controls: vec![Control::EMPTY; capacity],
        }
    }

    /// Sends datagrams without waiting; tells of each one, by its place among them, that was not sent.
    pub fn send<'d>(
        &mut self,
        socket: BorrowedFd<'_>,
        datagrams: impl Iterator<Item = Datagram<'d>>,
        failed: impl FnMut(usize, SendFailure),
    ) {
        let bursts = datagrams.map(|Datagram { to, from, bytes }| Burst {
            to,
            from,
            segment_len: None,
            parts: iter::once(bytes),
        });
        self.send_bursts(socket, bursts, failed);
    }

    /// Sends bursts without waiting; tells of each one, by its place among them, that was not sent.
    pub fn send_bursts<'d, P: Iterator<Item = &'d [u8]>>(
        &mut self,
        socket: BorrowedFd<'_>,
        mut bursts: impl Iterator<Item = Burst<P>>,
        mut failed: impl FnMut(usize, SendFailure),
    ) {
        let mut sent_before = 0;
        loop {
            let filled = self.fill(&mut bursts);
            if filled == 0 {
                return;
            }
            self.send_filled(socket, filled, |index, failure| failed(sent_before + index, failure));
            sent_before += filled;
        }
    }

    /// Points the headers at the next bursts; returns how many.
    fn fill<'d, P: Iterator<Item = &'d [u8]>>(
        &mut self,
        bursts: &mut impl Iterator<Item = Burst<P>>,
    ) -> usize {
        self.buffers.clear();
        self.part_counts.clear();
        for (index, burst) in bursts.take(self.headers.len()).enumerate() {
            let parts_before = self.buffers.len();
            // The kernel only reads what it sends.
            self.buffers.extend(
                burst.parts.map(|part| libc::iovec {
                    iov_base: part.as_ptr().cast_mut().cast(),
                    iov_len: part.len(),
                }),
            );
            self.part_counts.push(self.buffers.len() - parts_before);
            let header = &mut self.headers[index].msg_hdr;
            header.msg_namelen = address::encode(burst.to, &mut self.names[index]);
            header.msg_name = (&raw mut self.names[index]).cast();
            header.msg_control = (&raw mut self.controls[index]).cast();
            header.msg_controllen = self.controls[index].write(burst.from, burst.segment_len) as _;
        }
        // Only now does the list of parts stay where it is.
        let mut next_part = self.buffers.as_mut_ptr();
        for (header, &count) in self.headers.iter_mut().zip(&self.part_counts) {
            header.msg_hdr.msg_iov = next_part;
            header.msg_hdr.msg_iovlen = count as _;
            next_part = next_part.wrapping_add(count);
        }
        self.part_counts.len()
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
            // to bytes that the bursts of `send_bursts` lend for `'d`, which outlives this call.
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
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::WouldBlock {
                // Media that comes late is worthless: what does not fit now is dropped.
                (next..filled).for_each(|index| failed(index, SendFailure::BufferFull));
                return;
            }
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            // An ICMP error about an earlier datagram makes the next call fail, whatever it sends, and only that one.
            if retried != Some(next) {
                retried = Some(next);
                continue;
            }
            // An error is that of the first message; the others may fare better.
            let dislikes_segments = matches!(
                error.raw_os_error(),
                Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE | libc::EOPNOTSUPP)
            );
            let is_not_cut = dislikes_segments && self.controls[next].has_segments();
            let failure = if is_not_cut { SendFailure::NotSegmented } else { SendFailure::Refused };
            failed(next, failure);
            next += 1;
        }
    }
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
        let options = UdpOptions { wants_destination: true, wants_segments: true, ..UdpOptions::default() };
        UdpSocket::bind(address.parse().unwrap(), options).unwrap()
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
        let error = Receiver::new(1).receive(alice.as_fd(), iter::once(&mut buffer[..])).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    /// Sends ten datagrams, of 100 bytes but the last, as one burst in parts that do not match them.
    fn send_ten(from: &UdpSocket, to: SocketAddr) -> Vec<u8> {
        let bytes: Vec<u8> = (0..970_u16).map(|number| number as u8).collect();
        let parts = bytes.chunks(33);
        let burst = Burst { to, from: None, segment_len: Some(100), parts };
        Sender::new(4).send_bursts(from.as_fd(), iter::once(burst), |_, failure| panic!("{failure:?}"));
        bytes
    }

    #[test]
    fn the_kernel_cuts_a_burst_and_puts_it_together_again() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (alice, bob) = (socket(address), socket(address));
            let bytes = send_ten(&alice, bob.local_addr());
            let (receiver, count, buffers) = receive(&bob, 65_536);
            assert_eq!(count, 1);
            let received = receiver.received(0).unwrap();
            assert_eq!((received.len, received.segment_len), (970, 100));
            assert_eq!(received.to, Some(bob.local_addr().ip()));
            assert_eq!(&buffers[0][..970], bytes);
        }
    }

    #[test]
    fn a_socket_that_wants_no_segments_gets_each_datagram() {
        let alice = socket("127.0.0.1:0");
        let bob = UdpSocket::bind("127.0.0.1:0".parse().unwrap(), UdpOptions::default()).unwrap();
        let bytes = send_ten(&alice, bob.local_addr());
        let mut got = Vec::new();
        let mut lens = Vec::new();
        while lens.len() < 10 {
            let (receiver, count, buffers) = receive(&bob, 2000);
            for (index, buffer) in buffers.iter().enumerate().take(count) {
                let received = receiver.received(index).unwrap();
                assert_eq!(received.segment_len, received.len);
                lens.push(received.len);
                got.extend_from_slice(&buffer[..received.len]);
            }
        }
        assert_eq!((&lens[..9], lens[9]), (&[100; 9][..], 70));
        assert_eq!(got, bytes);
    }

    #[test]
    fn a_burst_that_the_kernel_does_not_cut_is_told_apart() {
        let (alice, bob) = (socket("127.0.0.1:0"), socket("127.0.0.1:0"));
        // More than 64 segments were never allowed on older kernels, and more than 128 are not on newer ones.
        let bytes = [0; 1000];
        let burst =
            Burst { to: bob.local_addr(), from: None, segment_len: Some(1), parts: iter::once(&bytes[..]) };
        let mut failures = Vec::new();
        Sender::new(4)
            .send_bursts(alice.as_fd(), iter::once(burst), |index, failure| failures.push((index, failure)));
        assert_eq!(failures, [(0, SendFailure::NotSegmented)]);
    }
}
