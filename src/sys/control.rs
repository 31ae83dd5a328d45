//! `Control`: the control messages of a datagram, which say what its bytes do not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use super::address;

/// Room for the control messages that we know, aligned as their headers want it: packet info of either family (64 bytes
/// with its header at most) and the length of segments (24).
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control([u8; 128]);

/// What the kernel noted about received datagrams.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noted {
    /// The local address that they were sent to.
    pub(super) destination: Option<IpAddr>,
    /// The length of each of several datagrams.
    pub(super) segment_len: Option<usize>,
}

impl Control {
    pub(super) const EMPTY: Self = Self([0; 128]);

    /// Says where a message is to come from, and how long each of its datagrams is; returns the length of what it says.
    pub(super) fn write(&mut self, source: Option<IpAddr>, segment_len: Option<u16>) -> usize {
        let mut len = 0;
        if source.is_some() || segment_len.is_some() {
            *self = Self::EMPTY;
        } else {
            // The header of the first message: there is none.
            self.0[..size_of::<libc::cmsghdr>()].fill(0);
        }
        match source {
            Some(IpAddr::V4(ip)) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: address::ipv4(ip),
                    ipi_addr: address::ipv4(ip),
                };
                len += self.append(len, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            Some(IpAddr::V6(ip)) => {
                let info = libc::in6_pktinfo { ipi6_addr: address::ipv6(ip), ipi6_ifindex: 0 };
                len += self.append(len, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
            None => {}
        }
        if let Some(segment_len) = segment_len {
            len += self.append(len, libc::SOL_UDP, libc::UDP_SEGMENT, segment_len);
        }
        len
    }

    /// Whether what was written asks the kernel to cut a message into datagrams.
    pub(super) fn has_segments(&self) -> bool {
        let mut found = false;
        self.each(size_of::<Self>(), |level, kind, _| {
            found |= (level, kind) == (libc::SOL_UDP, libc::UDP_SEGMENT)
        });
        found
    }

    /// Reads the first `len` bytes, which the kernel filled.
    pub(super) fn read(&self, len: usize) -> Noted {
        let mut noted = Noted::default();
        self.each(len, |level, kind, data| match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // SAFETY: the kernel puts an in_pktinfo into a message of this kind.
                let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
                noted.destination = Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr))));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                // SAFETY: the kernel puts an in6_pktinfo into a message of this kind.
                let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
                noted.destination = Some(IpAddr::V6(Ipv6Addr::from(info.ipi6_addr.s6_addr)));
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                // SAFETY: the kernel puts an int into a message of this kind.
                let segment_len = unsafe { data.cast::<libc::c_int>().read_unaligned() };
                noted.segment_len = usize::try_from(segment_len).ok();
            }
            _ => {}
        });
        noted
    }

    /// Writes a control message at an offset; returns the room that it takes.
    fn append<T>(&mut self, at: usize, level: libc::c_int, kind: libc::c_int, value: T) -> usize {
        // SAFETY: computes sizes from sizes.
        let (len, space) = unsafe {
            (libc::CMSG_LEN(size_of::<T>() as u32), libc::CMSG_SPACE(size_of::<T>() as u32) as usize)
        };
        let header = self.0[at..at + space].as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: the slice has room for the header and T; offsets are sums of CMSG_SPACE, so the header is aligned.
        unsafe {
            (*header).cmsg_len = len as _;
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(value);
        }
        space
    }

    /// Hands out each control message in the first `len` bytes.
    fn each(&self, len: usize, mut take: impl FnMut(libc::c_int, libc::c_int, *const u8)) {
        // SAFETY: a msghdr is integers and pointers, for which all zeros is a value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_control = ptr::from_ref(self).cast_mut().cast();
        message.msg_controllen = len.min(size_of::<Self>()) as _;
        // SAFETY: the message's control buffer is this array, which lives through the walk and is only read.
        let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        while !header.is_null() {
            // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return pointers to whole headers inside the buffer.
            let (level, kind, data) =
                unsafe { ((*header).cmsg_level, (*header).cmsg_type, libc::CMSG_DATA(header)) };
            take(level, kind, data);
            // SAFETY: as above; the result is null after the last one.
            header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_source_and_segments_in_every_combination() {
        let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let mut control = Control::EMPTY;
        for source in [None, Some(v4), Some(v6)] {
            for segment_len in [None, Some(1200)] {
                let len = control.write(source, segment_len);
                assert_eq!(control.read(len).destination, source);
                assert_eq!(control.has_segments(), segment_len.is_some());
                assert_eq!(len == 0, source.is_none() && segment_len.is_none());
            }
        }
        assert_eq!(control.write(None, None), 0);
        assert!(!control.has_segments(), "nothing of before is left");
    }
}
