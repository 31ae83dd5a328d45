//! A description read line by line, once, into the facts of its session and its media sections.

use super::candidate::Candidate;
use super::fingerprint::{Fingerprint, Reading};
use super::flaw::{Flaw, Invalid};
use super::ice;
use super::line::{Line, Lines};

/// How much of a description is read at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Media sections (`m=` lines).
    pub media: usize,
    /// Candidates of all sections together.
    pub candidates: usize,
}

/// What a description says about its transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description<'a> {
    /// What stands in front of the first section holds for all that do not say otherwise.
    pub session: Security<'a>,
    /// The sections, in order.
    pub media: Vec<Media<'a>>,
    /// The sections that share one transport, by their `mid`s (RFC 9143), if any do; the first group where there are
    /// several.
    pub bundle: Option<&'a str>,
    /// Whether the peer only answers connectivity checks (RFC 8445 §2.5).
    pub is_ice_lite: bool,
    /// Whether candidates may follow later (RFC 8838), as far as the session says so.
    pub may_trickle: bool,
}

/// One media section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media<'a> {
    /// The number of its `m=` line.
    pub line: usize,
    /// `audio`, `video`, `application`, ….
    pub kind: &'a str,
    /// The port of the default address; 9 stands for none yet, 0 for a section that is not wanted.
    pub port: u16,
    /// `UDP/TLS/RTP/SAVPF`, ….
    pub protocol: &'a str,
    /// Its name in the bundle.
    pub mid: Option<&'a str>,
    /// Whether it is used only if it is bundled, and has port 0 until then (RFC 9143 §6).
    pub is_bundle_only: bool,
    /// Its own, where it says so, else the session's.
    pub security: Security<'a>,
    /// Whether no candidate will follow (RFC 8840 §8.2).
    pub has_all_candidates: bool,
    /// Whether candidates may follow later (RFC 8838), as far as the section says so.
    pub may_trickle: bool,
    /// Its candidates, in order.
    pub candidates: Vec<Candidate<'a>>,
}

/// How a transport is authenticated: ICE by user name and password, DTLS by the certificate's fingerprint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Security<'a> {
    /// Names the ICE session.
    pub ice_ufrag: Option<&'a str>,
    /// Proves to belong to it.
    pub ice_pwd: Option<&'a str>,
    /// The first one by a known function.
    pub fingerprint: Option<Fingerprint<'a>>,
    /// Who begins the handshake.
    pub role: Option<Role>,
    has_unknown_hash: bool,
}

/// Who begins the DTLS handshake (RFC 4145 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Whichever the answer chooses.
    Either,
    /// The side that says so.
    Active,
    /// The other side.
    Passive,
}

impl<'a> Description<'a> {
    /// Reads a description. What is not about the transport only has to have the form of a line.
    pub fn parse(text: &'a str, bounds: &Bounds) -> Result<Self, Invalid> {
        let mut lines = Lines::new(text, 1);
        match lines.next().transpose()? {
            Some(Line { kind: b'v', value, .. }) if value.trim_ascii_end() == "0" => {}
            Some(line) => return Err(Flaw::Version.at(line.number)),
            None => return Err(Invalid { line: None, flaw: Flaw::Version }),
        }
        let mut description = Self {
            session: Security::default(),
            media: Vec::new(),
            bundle: None,
            is_ice_lite: false,
            may_trickle: false,
        };
        let mut candidate_count = 0;
        for line in lines {
            let line = line?;
            if line.kind == b'm' {
                if description.media.len() == bounds.media {
                    return Err(Flaw::TooManyMedia { most: bounds.media }.at(line.number));
                }
                description.media.push(Media::begin(&line).map_err(|flaw| flaw.at(line.number))?);
            } else if let Some((name, value)) = line.attribute() {
                candidate_count += usize::from(name == "candidate");
                if candidate_count > bounds.candidates {
                    return Err(Flaw::TooManyCandidates { most: bounds.candidates }.at(line.number));
                }
                description.take(name, value.trim_ascii()).map_err(|flaw| flaw.at(line.number))?;
            }
        }
        for media in &mut description.media {
            media.security = media.security.or(&description.session);
        }
        Ok(description)
    }

    /// Checks what an offer needs so that a backend can answer it: a section that is wanted, and for each of these ICE
    /// credentials and a fingerprint.
    ///
    /// In a bundle it is enough if one section has them: RFC 9143 §7.1.3 lets clients leave them out of the others.
    pub fn check_offer(&self) -> Result<(), Invalid> {
        let wanted = || self.media.iter().filter(|media| !media.is_rejected() && !media.is_bundle_only);
        if wanted().next().is_none() {
            return Err(Invalid { line: None, flaw: Flaw::NoMedia });
        }
        let is_carried = self.bundle.is_some() && wanted().any(|media| media.security.lacks().is_none());
        let lacking = wanted().find_map(|media| Some(media.security.lacks()?.at(media.line)));
        match lacking {
            Some(invalid) if !is_carried => Err(invalid),
            _ => Ok(()),
        }
    }

    /// The candidates of all sections, in order.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate<'a>> {
        self.media.iter().flat_map(|media| &media.candidates)
    }

    fn take(&mut self, name: &str, value: &'a str) -> Result<(), Flaw> {
        if let Some(media) = self.media.last_mut() {
            return media.take(name, value);
        }
        match name {
            "group" => {
                let tags =
                    value.strip_prefix("BUNDLE").filter(|tags| tags.is_empty() || tags.starts_with(' '));
                self.bundle = self.bundle.or(tags.map(str::trim_ascii));
            }
            "ice-lite" => self.is_ice_lite = true,
            "ice-options" => self.may_trickle |= has_trickle(value),
            _ => self.session.take(name, value)?,
        }
        Ok(())
    }
}

impl<'a> Media<'a> {
    fn begin(line: &Line<'a>) -> Result<Self, Flaw> {
        let mut words = line.value.split_ascii_whitespace();
        let (Some(kind), Some(port), Some(protocol), Some(_)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Flaw::MediaForm);
        };
        // RFC 8866 §5.14: a count of ports may follow.
        let port = port.split_once('/').map_or(port, |(port, _)| port);
        Ok(Self {
            line: line.number,
            kind,
            port: port.parse().map_err(|_| Flaw::Port)?,
            protocol,
            mid: None,
            is_bundle_only: false,
            security: Security::default(),
            has_all_candidates: false,
            may_trickle: false,
            candidates: Vec::new(),
        })
    }

    /// Whether the section is not wanted (RFC 3264 §6).
    pub fn is_rejected(&self) -> bool {
        self.port == 0 && !self.is_bundle_only
    }

    fn take(&mut self, name: &str, value: &'a str) -> Result<(), Flaw> {
        match name {
            "candidate" => {
                self.candidates.push(Candidate::parse(value).map_err(Flaw::Candidate)?);
            }
            "mid" => put(&mut self.mid, value)?,
            "bundle-only" => self.is_bundle_only = true,
            "end-of-candidates" => self.has_all_candidates = true,
            "ice-options" => self.may_trickle |= has_trickle(value),
            _ => self.security.take(name, value)?,
        }
        Ok(())
    }
}

impl<'a> Security<'a> {
    fn take(&mut self, name: &str, value: &'a str) -> Result<(), Flaw> {
        match name {
            "ice-ufrag" if !ice::is_ufrag(value) => Err(Flaw::IceUfrag),
            "ice-ufrag" => put(&mut self.ice_ufrag, value),
            "ice-pwd" if !ice::is_pwd(value) => Err(Flaw::IcePwd),
            "ice-pwd" => put(&mut self.ice_pwd, value),
            "setup" => put(&mut self.role, Role::of(value).ok_or(Flaw::Setup)?),
            "fingerprint" => {
                match Fingerprint::read(value) {
                    Reading::Known(fingerprint) => self.fingerprint = self.fingerprint.or(Some(fingerprint)),
                    Reading::Unknown => self.has_unknown_hash = true,
                    Reading::Malformed => return Err(Flaw::Fingerprint),
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn or(self, session: &Self) -> Self {
        Self {
            ice_ufrag: self.ice_ufrag.or(session.ice_ufrag),
            ice_pwd: self.ice_pwd.or(session.ice_pwd),
            fingerprint: self.fingerprint.or(session.fingerprint),
            role: self.role.or(session.role),
            has_unknown_hash: self.has_unknown_hash || session.has_unknown_hash,
        }
    }

    fn lacks(&self) -> Option<Flaw> {
        if self.ice_ufrag.is_none() {
            Some(Flaw::NoIceUfrag)
        } else if self.ice_pwd.is_none() {
            Some(Flaw::NoIcePwd)
        } else if self.fingerprint.is_some() {
            None
        } else if self.has_unknown_hash {
            Some(Flaw::UnknownHash)
        } else {
            Some(Flaw::NoFingerprint)
        }
    }
}

impl Role {
    /// RFC 8842 §5.2 lets an offer say `actpass` alone, but clients that can only be one of both say so. `holdconn`
    /// would mean that there is to be no connection.
    fn of(value: &str) -> Option<Self> {
        match value {
            "actpass" => Some(Self::Either),
            "active" => Some(Self::Active),
            "passive" => Some(Self::Passive),
            _ => None,
        }
    }
}

/// RFC 8839 §5.6 separates options by spaces; libdatachannel writes a comma.
fn has_trickle(options: &str) -> bool {
    options.split([' ', ',']).any(|option| option == "trickle")
}

/// Readers differ about which of two values holds, so there must not be two.
fn put<T: PartialEq>(slot: &mut Option<T>, value: T) -> Result<(), Flaw> {
    if slot.as_ref().is_some_and(|first| *first != value) {
        return Err(Flaw::Contradiction);
    }
    *slot = Some(value);
    Ok(())
}
