//! Why there is no picture.

/// What is wrong with a frame.
#[derive(Debug, thiserror::Error)]
pub(in crate::demo) enum VideoError {
    /// Its payloads are not laid out as RTP has them.
    #[error("the frame's packets are malformed")]
    Payload,
    /// Not all of it has come.
    #[error("a part of the frame is missing")]
    Incomplete,
    /// It builds on one that is not there.
    #[error("there was no key frame to begin with")]
    NoKeyFrame,
    /// The decoder cannot make a picture of it.
    #[error("the frame cannot be decoded: {0}")]
    Undecodable(String),
    /// It is larger than pictures may be.
    #[error("a picture of {pixels} pixels is too large; {most} are decoded at the most")]
    TooLarge {
        /// How many it has.
        pixels: usize,
        /// How many it may have.
        most: usize,
    },
}
