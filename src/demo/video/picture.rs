//! `Picture`: one decoded video frame.

/// A decoded frame: I420 (4:2:0), BT.601, limited range, as WebRTC senders encode what they do not say otherwise of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Width in pixels, 1 or more.
    pub width: usize,
    /// Height in pixels, 1 or more.
    pub height: usize,
    /// Luma, one sample for each pixel.
    pub y: Plane,
    /// Blue difference, one sample for two by two pixels.
    pub u: Plane,
    /// Red difference, likewise.
    pub v: Plane,
}

/// Samples of one kind, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plane {
    /// Bytes from one row to the next, at least a row's width.
    pub stride: usize,
    /// The rows.
    pub samples: Vec<u8>,
}

impl Picture {
    /// Width and height of the planes of colour.
    pub fn chroma_size(&self) -> (usize, usize) {
        (self.width.div_ceil(2), self.height.div_ceil(2))
    }
}

impl Plane {
    /// The samples of a row.
    ///
    /// # Panics
    ///
    /// If there is no such row, or it is not so wide.
    pub fn row(&self, row: usize, width: usize) -> &[u8] {
        &self.samples[row * self.stride..][..width]
    }
}
