//! `Prediction`: what a client is told of a frame.

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use super::tracker::Tracked;

/// The boxes of one frame, as JSON on the DataChannel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::demo) struct Prediction {
    /// The frame's number at the frame rate that clients number by, from 0 at the first frame that came.
    pub(super) frame_id: u64,
    /// The frame's RTP timestamp (RFC 3550 §5.1).
    pub(super) rtp_timestamp: u32,
    /// Size of the picture that the boxes are measured in; a sender may make its frames smaller.
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) boxes: Vec<Tracked>,
}

impl Serialize for Tracked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tenth = |value: f32| (f64::from(value) * 10.0).round() / 10.0;
        let area = &self.detection.area;
        let mut written = serializer.serialize_struct("Box", 4)?;
        written.serialize_field("class", &*self.detection.class)?;
        written.serialize_field("box", &[area.x, area.y, area.width, area.height].map(tenth))?;
        written.serialize_field("score", &((f64::from(self.detection.score) * 1000.0).round() / 1000.0))?;
        written.serialize_field("id", &self.id)?;
        written.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::inference::detector::{Area, Detection};

    #[test]
    fn is_what_clients_read() {
        let area = Area { x: 1.0, y: 2.26, width: 30.0, height: 40.5 };
        let detection = Detection { class: "lesion".into(), area, score: 0.87654 };
        let prediction = Prediction {
            frame_id: 42,
            rtp_timestamp: 7,
            width: 640,
            height: 480,
            boxes: vec![Tracked { id: 3, detection }],
        };
        let expected = concat!(
            r#"{"frame_id":42,"rtp_timestamp":7,"width":640,"height":480,"boxes":[{"class":"lesion","#,
            r#""box":[1.0,2.3,30.0,40.5],"score":0.877,"id":3}]}"#
        );
        assert_eq!(serde_json::to_string(&prediction).unwrap(), expected);
    }
}
