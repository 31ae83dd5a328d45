//! How addresses and user ids look in logs: the one place that decides what is shown of a person.

use std::fmt::{self, Write};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;

use super::client_text::ClientText;

/// What logs show of addresses of clients and peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShownAddresses {
    /// All of them.
    #[default]
    Full,
    /// The network, /24 or /48.
    Short,
    /// A text that is the same for the same address, and tells nothing else.
    Hash,
}

/// What logs show of user ids and TURN usernames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShownUserIds {
    /// All of them.
    #[default]
    Full,
    /// A text that is the same for the same id, and tells nothing else.
    Hash,
}

/// What is shown in this process.
#[derive(Debug)]
struct Discretion {
    addresses: ShownAddresses,
    user_ids: ShownUserIds,
    /// Keyed at random, so that nobody can try ids out.
    hasher: RandomState,
}

/// Decided once, before the first line; without it all is shown.
static DISCRETION: OnceLock<Discretion> = OnceLock::new();

/// Decides for the whole process.
pub(super) fn decide(addresses: ShownAddresses, user_ids: ShownUserIds) {
    // Only the first log of a process starts.
    let _ = DISCRETION.set(Discretion { addresses, user_ids, hasher: RandomState::new() });
}

/// A user id or TURN username as logs show it: at most 256 characters, with whatever could forge a line escaped.
#[derive(Clone, Copy)]
pub struct RedactedUser<'a>(pub &'a str);

/// What a client wrote freely, such as a path or the name of its program, as logs show it: like a user id, as it may be
/// or contain one.
#[derive(Clone, Copy)]
pub struct RedactedText<'a> {
    text: &'a str,
    most_characters: usize,
}

/// An address of a client or peer as logs show it.
#[derive(Clone, Copy)]
pub struct RedactedAddr(pub SocketAddr);

/// The same without a port.
#[derive(Clone, Copy)]
pub struct RedactedIp(pub IpAddr);

impl fmt::Display for RedactedUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&RedactedText::new(self.0, SHOWN_CHARACTERS), f)
    }
}

impl fmt::Debug for RedactedUser<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> RedactedText<'a> {
    /// At most so many characters of it, where it is shown at all.
    pub fn new(text: &'a str, most_characters: usize) -> Self {
        Self { text, most_characters }
    }
}

impl fmt::Display for RedactedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DISCRETION.get().filter(|chosen| chosen.user_ids == ShownUserIds::Hash) {
            Some(discretion) => discretion.write_hash(f, self.text),
            None => fmt::Display::fmt(&ClientText::new(self.text, self.most_characters), f),
        }
    }
}

impl fmt::Debug for RedactedText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for RedactedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DISCRETION.get() {
            Some(discretion) => discretion.write_address(f, self.0),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl fmt::Display for RedactedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DISCRETION.get() {
            Some(discretion) => discretion.write_ip(f, self.0),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Discretion {
    fn write_address(&self, f: &mut fmt::Formatter<'_>, address: SocketAddr) -> fmt::Result {
        match self.addresses {
            ShownAddresses::Full => fmt::Display::fmt(&address, f),
            // Without the port, which changes from session to session.
            ShownAddresses::Short | ShownAddresses::Hash => self.write_ip(f, address.ip()),
        }
    }

    fn write_ip(&self, f: &mut fmt::Formatter<'_>, ip: IpAddr) -> fmt::Result {
        match self.addresses {
            ShownAddresses::Full => fmt::Display::fmt(&ip, f),
            ShownAddresses::Short => match ip.to_canonical() {
                IpAddr::V4(ip) => write!(f, "{}/24", Ipv4Addr::from_bits(ip.to_bits() & !0xff)),
                IpAddr::V6(ip) => write!(f, "{}/48", Ipv6Addr::from_bits(ip.to_bits() & (!0 << 80))),
            },
            ShownAddresses::Hash => self.write_hash(f, ip.to_canonical()),
        }
    }

    fn write_hash(&self, f: &mut fmt::Formatter<'_>, hidden: impl std::hash::Hash) -> fmt::Result {
        write!(f, "#{:016x}", self.hasher.hash_one(hidden))
    }
}

impl fmt::Debug for RedactedAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for RedactedIp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes a character so that no terminal, pager or collector can take it for more than text.
///
/// Control characters begin lines and steer terminals; bidirectional marks and the line separators of Unicode do the same
/// to viewers. A quote or a letter with its accent stays as it is, so that ids can be searched for.
pub(super) fn write_escaped(out: &mut impl Write, character: char) -> fmt::Result {
    let steers_viewers = matches!(character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if character.is_control() || steers_viewers {
        write!(out, "{}", character.escape_default())
    } else {
        out.write_char(character)
    }
}

/// The longest `user_id` that the gateway takes, and nobody reads more of a TURN username.
const SHOWN_CHARACTERS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_an_ordinary_user_as_it_is() {
        for user in ["user-42", "Zoë O'Brien", "सीता", "1732530000:alice"] {
            assert_eq!(RedactedUser(user).to_string(), user);
        }
    }

    #[test]
    fn escapes_what_could_forge_a_line() {
        assert_eq!(
            RedactedUser("a\nb\r\u{1b}[31m\u{9b}\0\u{2028}\u{202e}").to_string(),
            "a\\nb\\r\\u{1b}[31m\\u{9b}\\u{0}\\u{2028}\\u{202e}"
        );
    }

    #[test]
    fn addresses_are_shortened_or_hashed() {
        struct Shown<'a>(&'a Discretion, SocketAddr);
        impl fmt::Display for Shown<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.write_address(f, self.1)
            }
        }
        let shown = |choice: &Discretion, address: &str| Shown(choice, address.parse().unwrap()).to_string();
        let choice =
            |addresses| Discretion { addresses, user_ids: ShownUserIds::Full, hasher: RandomState::new() };
        let (full, short, hash) =
            (choice(ShownAddresses::Full), choice(ShownAddresses::Short), choice(ShownAddresses::Hash));

        assert_eq!(shown(&full, "192.0.2.77:5000"), "192.0.2.77:5000");
        assert_eq!(shown(&short, "192.0.2.77:5000"), "192.0.2.0/24");
        assert_eq!(shown(&short, "[::ffff:192.0.2.77]:5000"), "192.0.2.0/24");
        assert_eq!(shown(&short, "[2001:db8:1:2:3::4]:5000"), "2001:db8:1::/48");
        let hashed = shown(&hash, "192.0.2.77:5000");
        assert_eq!((hashed.len(), &hashed[..1]), (17, "#"));
        assert_eq!(hashed, shown(&hash, "[::ffff:192.0.2.77]:6000"), "of one client");
        assert_ne!(hashed, shown(&hash, "192.0.2.78:5000"));
        assert_ne!(hashed, shown(&choice(ShownAddresses::Hash), "192.0.2.77:5000"), "of another process");
    }

    #[test]
    fn bounds_the_length() {
        let shown = RedactedUser(&"ä".repeat(1000)).to_string();

        assert_eq!(shown.chars().count(), 257);
        assert!(shown.ends_with("ä…"));
    }

    #[test]
    fn debugs_as_it_displays() {
        assert_eq!(format!("{:?}", RedactedUser("a\nb")), "a\\nb");
    }
}
