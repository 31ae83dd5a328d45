//! `ErrorChain`: an error as the log shows it, with everything that led to it.

use std::error::Error;
use std::fmt;

/// Shows an error and, behind colons, its sources.
#[derive(Debug, Clone, Copy)]
pub struct ErrorChain<'e>(pub &'e dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        while let Some(source) = error.source() {
            write!(f, ": {source}")?;
            error = source;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot go on")]
    struct Outer(#[source] io::Error);

    #[test]
    fn shows_what_led_to_an_error() {
        let error = Outer(io::Error::other("the line is dead"));
        assert_eq!(ErrorChain(&error).to_string(), "cannot go on: the line is dead");
        assert_eq!(ErrorChain(&io::Error::other("alone")).to_string(), "alone");
    }
}
