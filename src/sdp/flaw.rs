//! Why a text is no description, or no offer.

use super::candidate::CandidateFlaw;

/// A flaw, and the line that has it; the description as a whole if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid {
    /// Counted from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub flaw: Flaw,
}

/// What is wrong with a line or a description.
///
/// The texts complete "line 7: …" and never repeat the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// No line, or the first one is not `v=0`.
    #[error("a session description begins with v=0")]
    Version,
    /// Not `x=…`.
    #[error("a line is a small letter, = and a value")]
    LineForm,
    /// Too long.
    #[error("a line has at most 8192 bytes")]
    LineLength,
    /// A control character, or a line break of another kind than CRLF and LF.
    #[error("a line has no control characters, and ends with CRLF or LF")]
    ControlCharacter,
    /// An `m=` line without its four parts.
    #[error("an m= line has a kind, a port, a protocol and formats")]
    MediaForm,
    /// A port that is none.
    #[error("a port is a number up to 65535")]
    Port,
    /// More `m=` lines than allowed.
    #[error("at most {most} media sections (m= lines) are taken")]
    TooManyMedia {
        /// The bound.
        most: usize,
    },
    /// More candidates than allowed.
    #[error("at most {most} candidates are taken")]
    TooManyCandidates {
        /// The bound.
        most: usize,
    },
    /// No `m=` line, or only rejected ones.
    #[error("there is no media section (m= line) with a port other than 0")]
    NoMedia,
    /// RFC 8839 §5.4.
    #[error("an ICE user name fragment (a=ice-ufrag) has 4 to 256 letters, digits, + or /")]
    IceUfrag,
    /// RFC 8839 §5.4.
    #[error("an ICE password (a=ice-pwd) has 22 to 256 letters, digits, + or /")]
    IcePwd,
    /// A section without one, and none for the session.
    #[error("this media section has no ICE user name fragment (a=ice-ufrag)")]
    NoIceUfrag,
    /// A section without one, and none for the session.
    #[error("this media section has no ICE password (a=ice-pwd)")]
    NoIcePwd,
    /// A section without one, and none for the session.
    #[error("this media section has no certificate fingerprint (a=fingerprint), which DTLS needs")]
    NoFingerprint,
    /// Fingerprints, but of unknown hash functions or MD5 alone.
    #[error(
        "this media section has no fingerprint (a=fingerprint) by sha-256 or another SHA of 1, 224, 384 or 512"
    )]
    UnknownHash,
    /// RFC 8122 §5.
    #[error(
        "a fingerprint (a=fingerprint) is a hash function and as many pairs of digits as it has bytes, with colons"
    )]
    Fingerprint,
    /// RFC 4145 §4, RFC 8842 §5.2.
    #[error("a DTLS role (a=setup) is actpass, active or passive")]
    Setup,
    /// Two values for one thing.
    #[error("an attribute that may come once comes again with another value")]
    Contradiction,
    /// A candidate that RFC 8839 §5.1 has no reading for.
    #[error("a candidate (a=candidate) {0}")]
    Candidate(CandidateFlaw),
}

impl Flaw {
    /// The flaw, found in a line.
    pub(super) fn at(self, line: usize) -> Invalid {
        Invalid { line: Some(line), flaw: self }
    }

    /// The flaw as programs name it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::LineForm => "line_form",
            Self::LineLength => "line_length",
            Self::ControlCharacter => "control_character",
            Self::MediaForm => "media_form",
            Self::Port => "port",
            Self::TooManyMedia { .. } => "too_many_media",
            Self::TooManyCandidates { .. } => "too_many_candidates",
            Self::NoMedia => "no_media",
            Self::IceUfrag => "ice_ufrag",
            Self::IcePwd => "ice_pwd",
            Self::NoIceUfrag => "no_ice_ufrag",
            Self::NoIcePwd => "no_ice_pwd",
            Self::NoFingerprint => "no_fingerprint",
            Self::UnknownHash => "unknown_hash",
            Self::Fingerprint => "fingerprint",
            Self::Setup => "setup",
            Self::Contradiction => "contradiction",
            Self::Candidate(_) => "candidate",
        }
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.flaw),
            None => self.flaw.fmt(f),
        }
    }
}

impl std::error::Error for Invalid {}
