//! `Leg`: all sources of RTP on the way from one end.

use std::time::{Duration, Instant};

use super::packet::Rtp;
use super::quality::LegQuality;
use super::stream::Stream;

/// What comes from one end.
#[derive(Debug, Default)]
pub(super) struct Leg {
    /// At most [`MAX_STREAMS`].
    streams: Vec<Stream>,
    /// The place of the one that was heard last.
    last: usize,
    /// Received, lost and bytes of sources that made room for others.
    gone: (u64, u64, u64),
    /// When the first packet came.
    began: Option<Instant>,
    /// The bytes at the last look, and when that was.
    looked: Option<(u64, Instant)>,
}

impl Leg {
    /// Takes the next packet; the packets of a burst have one source, mostly.
    #[inline]
    pub(super) fn take(&mut self, rtp: Rtp, len: usize, now: Instant) {
        match self.streams.get_mut(self.last) {
            Some(stream) if stream.ssrc == rtp.ssrc => stream.take(rtp, len, now),
            _ => self.take_from_other(rtp, len, now),
        }
    }

    fn take_from_other(&mut self, rtp: Rtp, len: usize, now: Instant) {
        if let Some(place) = self.streams.iter().position(|stream| stream.ssrc == rtp.ssrc) {
            self.last = place;
            self.streams[place].take(rtp, len, now);
            return;
        }
        self.began.get_or_insert(now);
        if self.streams.len() < MAX_STREAMS {
            self.last = self.streams.len();
            self.streams.push(Stream::new(rtp, len, now));
            return;
        }
        // Who sends under ever new names is not followed.
        let silent = self.streams.iter().position(|stream| stream.heard_at + SILENCE <= now);
        if let Some(place) = silent {
            let stream = std::mem::replace(&mut self.streams[place], Stream::new(rtp, len, now));
            let (received, lost, bytes) = self.gone;
            self.gone = (received + stream.received, lost + stream.lost(), bytes + stream.bytes);
            self.last = place;
        }
    }

    /// When a packet came last.
    pub(super) fn heard_at(&self) -> Option<Instant> {
        self.streams.iter().map(|stream| stream.heard_at).max()
    }

    /// The counts of all its life, and the rates since the last look.
    pub(super) fn look(&mut self, now: Instant) -> LegQuality {
        let bytes = self.bytes();
        let before = self.looked.replace((bytes, now)).or(self.began.map(|began| (0, began)));
        let mut video = None;
        for stream in &mut self.streams {
            let frame_rate = stream.frame_rate_since_look();
            if stream.is_video() && video.is_none_or(|(_, largest)| stream.bytes > largest) {
                video = Some((frame_rate, stream.bytes));
            }
        }
        LegQuality {
            frame_rate: video.and_then(|(frame_rate, _)| frame_rate),
            bits_per_second: before.and_then(|(then, at)| bit_rate(bytes - then, now, at)),
            ..self.counts()
        }
    }

    /// The counts and rates of all its life.
    pub(super) fn whole(&self) -> LegQuality {
        let video = self.streams.iter().filter(|stream| stream.is_video()).max_by_key(|stream| stream.bytes);
        LegQuality {
            frame_rate: video.and_then(Stream::mean_frame_rate),
            bits_per_second: self
                .began
                .zip(self.heard_at())
                .and_then(|(began, end)| bit_rate(self.bytes(), end, began)),
            ..self.counts()
        }
    }

    fn bytes(&self) -> u64 {
        self.gone.2 + self.streams.iter().map(|stream| stream.bytes).sum::<u64>()
    }

    fn counts(&self) -> LegQuality {
        let (received, lost, _) = self.gone;
        let largest = self.streams.iter().max_by_key(|stream| stream.bytes);
        LegQuality {
            packets: received + self.streams.iter().map(|stream| stream.received).sum::<u64>(),
            lost: lost + self.streams.iter().map(Stream::lost).sum::<u64>(),
            jitter: largest.and_then(Stream::jitter),
            ..LegQuality::default()
        }
    }
}

fn bit_rate(bytes: u64, now: Instant, since: Instant) -> Option<f64> {
    let within = now.saturating_duration_since(since);
    (!within.is_zero()).then(|| bytes as f64 * 8.0 / within.as_secs_f64())
}

/// Sound, three sizes of one video, and what repeats each of these.
const MAX_STREAMS: usize = 8;
/// A source that was silent for so long makes room for another.
const SILENCE: Duration = Duration::from_secs(5);
