//! What the embedded backend can do with media, as WebRTC negotiates it.

use rtc::rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RtpCodecKind};
use webrtc::error::Result;
use webrtc::peer_connection::{
    MediaEngine, Registry, configure_nack, configure_rtcp_reports, configure_twcc_receiver_only,
};

use super::video::VideoCodec;

/// The codecs of these kinds, with requests for what is lost and reports of what is not.
pub(super) fn media_engine(codecs: &[VideoCodec]) -> Result<(MediaEngine, Registry)> {
    let mut engine = MediaEngine::default();
    let mut payload_type = FIRST_DYNAMIC;
    for codec in codecs {
        for parameters in parameters(*codec) {
            let rtp_codec = RTCRtpCodec {
                mime_type: mime_type(*codec).to_owned(),
                clock_rate: 90_000,
                channels: 0,
                sdp_fmtp_line: (*parameters).to_owned(),
                rtcp_feedback: FEEDBACK.map(feedback).to_vec(),
            };
            engine.register_codec(RTCRtpCodecParameters { rtp_codec, payload_type }, RtpCodecKind::Video)?;
            payload_type += 1;
        }
    }
    let registry = configure_nack(Registry::new(), &mut engine);
    let registry = configure_twcc_receiver_only(registry, &mut engine)?;
    Ok((engine, configure_rtcp_reports(registry)))
}

/// Which of the codecs a MIME type names.
pub(super) fn codec_of(mime_type_of: &str) -> Option<VideoCodec> {
    [VideoCodec::Vp8, VideoCodec::H264]
        .into_iter()
        .find(|codec| mime_type(*codec).eq_ignore_ascii_case(mime_type_of))
}

fn mime_type(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::Vp8 => "video/VP8",
        VideoCodec::H264 => "video/H264",
    }
}

/// The forms that are decoded. OpenH264 decodes all of the baseline profile, and browsers offer it by two names.
fn parameters(codec: VideoCodec) -> &'static [&'static str] {
    match codec {
        VideoCodec::Vp8 => &[""],
        VideoCodec::H264 => &[
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
        ],
    }
}

fn feedback((kind, parameter): (&str, &str)) -> RTCPFeedback {
    RTCPFeedback { typ: kind.to_owned(), parameter: parameter.to_owned() }
}

const FIRST_DYNAMIC: u8 = 96;
const FEEDBACK: [(&str, &str); 2] = [("nack", ""), ("nack", "pli")];
