//! `VideoDecoder`: frames of a codec → pictures.

use openh264::decoder::Decoder as H264Decoder;
use openh264::formats::YUVSource;
use oxideav_vp8::decoder::{DecodeError, Vp8DecodedFrame};
use oxideav_vp8::state::Vp8DecoderState;

use super::error::VideoError;
use super::jitter_buffer::RtpFrame;
use super::picture::{Picture, Plane};
use super::{h264_payload, vp8_payload};

/// A way to write video down that a decoder is here for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VideoCodec {
    /// RFC 6386; what every client has.
    Vp8,
    /// ITU-T H.264, constrained baseline and baseline.
    H264,
}

/// Decodes one stream; a frame that cannot be decoded must be followed by a key frame.
pub(in crate::demo) struct VideoDecoder {
    state: State,
    /// Whether what the next frame builds on is there.
    has_reference: bool,
}

enum State {
    Vp8(Box<Vp8DecoderState>),
    H264(Box<H264Decoder>),
}

impl VideoDecoder {
    pub(in crate::demo) fn new(codec: VideoCodec) -> Result<Self, VideoError> {
        let state = match codec {
            VideoCodec::Vp8 => {
                let state = Vp8DecoderState::new().with_max_pixels_per_frame(MOST_PIXELS as u64);
                State::Vp8(Box::new(state))
            }
            VideoCodec::H264 => {
                let decoder =
                    H264Decoder::new().map_err(|error| VideoError::Undecodable(error.to_string()))?;
                State::H264(Box::new(decoder))
            }
        };
        Ok(Self { state, has_reference: false })
    }

    /// Decodes a frame; some are not for display, and those bring no picture.
    pub(in crate::demo) fn decode(&mut self, frame: &RtpFrame) -> Result<Option<Picture>, VideoError> {
        let had_reference = std::mem::take(&mut self.has_reference);
        let picture = match &mut self.state {
            State::Vp8(state) => {
                let frame = vp8_payload::frame(&frame.payloads)?;
                if !had_reference && !vp8_payload::is_key_frame(&frame) {
                    return Err(VideoError::NoKeyFrame);
                }
                let decoded = state.decode_frame(&frame).map_err(vp8_error)?;
                (state.last_frame_shown() != Some(false)).then(|| of_vp8(decoded))
            }
            State::H264(decoder) => {
                let unit = h264_payload::access_unit(&frame.payloads)?;
                if !had_reference && !h264_payload::is_key_frame(&unit) {
                    return Err(VideoError::NoKeyFrame);
                }
                let decoded =
                    decoder.decode(&unit).map_err(|error| VideoError::Undecodable(error.to_string()))?;
                decoded.map(|decoded| of_yuv(&decoded)).transpose()?
            }
        };
        self.has_reference = true;
        Ok(picture)
    }

    /// Something is missing: what follows builds on what is not there, until a key frame comes.
    pub(in crate::demo) fn lose_reference(&mut self) {
        self.has_reference = false;
    }
}

fn of_vp8(frame: Vp8DecodedFrame) -> Picture {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let chroma = width.div_ceil(2);
    Picture {
        width,
        height,
        y: Plane { stride: width, samples: frame.y },
        u: Plane { stride: chroma, samples: frame.u },
        v: Plane { stride: chroma, samples: frame.v },
    }
}

fn vp8_error(error: DecodeError) -> VideoError {
    if let DecodeError::FrameTooLarge { pixels, cap } = error {
        return VideoError::TooLarge { pixels: pixels as usize, most: cap as usize };
    }
    VideoError::Undecodable(format!("{error:?}"))
}

fn of_yuv(decoded: &impl YUVSource) -> Result<Picture, VideoError> {
    let (width, height) = decoded.dimensions();
    if width * height > MOST_PIXELS || width == 0 || height == 0 {
        return Err(VideoError::TooLarge { pixels: width * height, most: MOST_PIXELS });
    }
    let (y, u, v) = decoded.strides();
    let plane = |stride, samples: &[u8]| Plane { stride, samples: samples.to_vec() };
    Ok(Picture {
        width,
        height,
        y: plane(y, decoded.y()),
        u: plane(u, decoded.u()),
        v: plane(v, decoded.v()),
    })
}

/// Full HD; detectors make pictures smaller anyway.
const MOST_PIXELS: usize = 1920 * 1088;
