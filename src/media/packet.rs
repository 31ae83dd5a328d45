//! `Packet`: what a payload is, by its first bytes (RFC 7983).

/// A payload, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// A connectivity check of ICE, or an answer to one.
    Check(Check),
    /// Media.
    Rtp(Rtp),
    /// DTLS, RTCP, or nothing that is known.
    Other,
}

/// A Binding request of STUN, or its success response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Whether it is the answer.
    pub is_success: bool,
    /// Ties the two together.
    pub transaction: [u8; 12],
}

/// The fixed header of RTP (RFC 3550 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtp {
    /// Set on the last packet of a video frame, mostly.
    pub marker: bool,
    /// Counts the packets of a source.
    pub sequence: u16,
    /// When it was sampled, by the source's clock.
    pub timestamp: u32,
    /// The source.
    pub ssrc: u32,
}

impl Packet {
    /// Reads the beginning of a payload.
    #[inline]
    pub fn read(payload: &[u8]) -> Self {
        match payload.first() {
            Some(128..=191) => rtp(payload).map_or(Self::Other, Self::Rtp),
            Some(0..=3) => check(payload).map_or(Self::Other, Self::Check),
            _ => Self::Other,
        }
    }
}

#[inline]
fn rtp(payload: &[u8]) -> Option<Rtp> {
    let &[first, second, n0, n1, t0, t1, t2, t3, s0, s1, s2, s3] = payload.first_chunk::<12>()?;
    let header_len = 12 + 4 * usize::from(first & 0x0f);
    // RFC 5761 §4: these are packet types of RTCP.
    if matches!(second, 192..=223) || payload.len() < header_len {
        return None;
    }
    Some(Rtp {
        marker: second & 0x80 != 0,
        sequence: u16::from_be_bytes([n0, n1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
    })
}

fn check(payload: &[u8]) -> Option<Check> {
    let (head, rest) = payload.split_first_chunk::<20>()?;
    let (&[k0, k1, l0, l1, ref cookie @ ..], transaction) = head.split_first_chunk::<8>()?;
    let is_success = match [k0, k1] {
        BINDING_REQUEST => false,
        BINDING_SUCCESS => true,
        _ => return None,
    };
    let is_whole = usize::from(u16::from_be_bytes([l0, l1])) == rest.len();
    let transaction = *transaction.first_chunk::<12>()?;
    (is_whole && *cookie == MAGIC_COOKIE).then_some(Check { is_success, transaction })
}

/// RFC 8489 §5 and §18.
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
