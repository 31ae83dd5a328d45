//! `VideoTrack`: one client's video, from the packets to its lane.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tracing::{debug, info};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};

use super::inference::{Incoming, Lane, NumberedFrame, Prediction};
use super::media_engine::codec_of;
use super::peer::Surroundings;
use super::video::{FrameNumbers, JitterBuffer, Popped, RtpPacket};
use crate::telemetry::{ErrorChain, FrameFate};

/// See the file's head.
pub(super) struct VideoTrack {
    track: Arc<dyn TrackRemote>,
    ssrc: u32,
    lane: Arc<Lane>,
    buffer: JitterBuffer,
    numbers: FrameNumbers,
    key_frame_asked: Option<Instant>,
}

impl VideoTrack {
    /// Prepares for a track, or says why it is none to look at.
    pub(super) async fn new(
        track: Arc<dyn TrackRemote>,
        around: &Surroundings,
        predictions: mpsc::Sender<Prediction>,
    ) -> Result<Self, &'static str> {
        let ssrc = *track.ssrcs().await.first().ok_or("it has no SSRC")?;
        let codec = track.codec(ssrc).await.ok_or("it has no codec")?;
        let codec = codec_of(&codec.mime_type).ok_or("it is of no codec that is decoded here")?;
        let lane = around.inference.lane(codec, predictions).map_err(|_| "its decoder did not start")?;
        info!(?codec, "client of the embedded backend sends video");
        Ok(Self {
            track,
            ssrc,
            lane,
            buffer: JitterBuffer::default(),
            numbers: FrameNumbers::new(around.settings.frames_per_second),
            key_frame_asked: None,
        })
    }

    /// Receives until the track ends.
    #[expect(
        clippy::disallowed_methods,
        reason = "this room owns a clock: the jitter buffer is told the time from here"
    )]
    pub(super) async fn receive(mut self, around: &Surroundings) {
        loop {
            let deadline = self.buffer.deadline();
            tokio::select! {
                event = self.track.poll() => match event {
                    Some(TrackRemoteEvent::OnRtpPacket(packet)) => self.buffer.insert(RtpPacket {
                        sequence_number: packet.header.sequence_number,
                        timestamp: packet.header.timestamp,
                        marker: packet.header.marker,
                        payload: packet.payload,
                    }),
                    Some(TrackRemoteEvent::OnEnded) | None => return,
                    Some(_) => continue,
                },
                () = self.lane.key_frame_needed() => {
                    self.ask_for_key_frame(around).await;
                    continue;
                }
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => {}
            }
            let now = Instant::now();
            while let Some(popped) = self.buffer.pop(now) {
                let incoming = match popped {
                    Popped::Frame(frame) => {
                        let frame_id = self.numbers.number(frame.timestamp);
                        Incoming::Frame(NumberedFrame { frame, frame_id, received: now })
                    }
                    Popped::Gap => {
                        around.metrics.frames(FrameFate::Lost, 1);
                        Incoming::Gap
                    }
                };
                around.inference.push(&self.lane, incoming);
            }
        }
    }

    /// Asks for a key frame (RFC 4585 §6.3.1), not more often than one can come.
    #[expect(clippy::disallowed_methods, reason = "this room owns a clock")]
    async fn ask_for_key_frame(&mut self, around: &Surroundings) {
        let now = Instant::now();
        if self.key_frame_asked.is_some_and(|asked| now < asked + KEY_FRAME_INTERVAL) {
            return;
        }
        self.key_frame_asked = Some(now);
        around.metrics.key_frame_asked();
        let request = PictureLossIndication { sender_ssrc: 0, media_ssrc: self.ssrc };
        if let Err(error) = self.track.write_rtcp(vec![Box::new(request)]).await {
            debug!(error = %ErrorChain(&error), "key frame not asked for");
        }
    }
}

/// Longer than a round trip and the time that an encoder takes. While none has come, each frame that cannot be decoded asks again.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(400);
