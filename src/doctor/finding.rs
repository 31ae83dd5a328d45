//! `Finding`: something that was looked at.

use std::fmt;

use serde::Serialize;

/// Something that was looked at, and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about.
    pub area: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, and what mends it.
    pub text: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, or may; somebody should look.
    Doubtful,
    /// It will not work.
    Wrong,
}

impl Finding {
    pub(super) fn good(area: &'static str, text: impl Into<String>) -> Self {
        Self { area, verdict: Verdict::Good, text: text.into() }
    }

    pub(super) fn doubtful(area: &'static str, text: impl Into<String>) -> Self {
        Self { area, verdict: Verdict::Doubtful, text: text.into() }
    }

    pub(super) fn wrong(area: &'static str, text: impl Into<String>) -> Self {
        Self { area, verdict: Verdict::Wrong, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Good => "ok",
            Verdict::Doubtful => "look",
            Verdict::Wrong => "WRONG",
        };
        write!(f, "{verdict:<6} {:<14} {}", self.area, self.text)
    }
}
