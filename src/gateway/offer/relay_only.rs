//! The backend's offer without what tells where its client is.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};

use super::field_error::FieldError;
use crate::gateway::http::reject::Reject;
use crate::sdp;

/// Has the offer in a backend's JSON name relayed addresses alone; whatever else stands there stays as it is.
pub(super) fn relay_only(body: &Bytes) -> Result<Bytes, Reject> {
    let no_offer = |_| Reject::Internal;
    // Checked before, so that each name stands there once and the offer is a string.
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).map_err(no_offer)?;
    let sdp: String = fields
        .get("sdp")
        .map_or(Err(Reject::Internal), |sdp| serde_json::from_str(sdp.get()).map_err(no_offer))?;
    let place = &["body", "sdp"];
    let hidden = match sdp::relay_only(&sdp) {
        Ok(Some(hidden)) => hidden,
        Ok(None) => return Err(Reject::BodyInvalid(vec![FieldError::not_relayed(place)])),
        Err(invalid) => return Err(Reject::BodyInvalid(vec![FieldError::sdp_invalid(place, &invalid)])),
    };
    fields.insert("sdp".to_owned(), to_raw_value(&hidden).map_err(no_offer)?);
    serde_json::to_vec(&fields).map(Bytes::from).map_err(no_offer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_the_other_fields_as_they_are() {
        let sdp = "v=0\r\nm=video 1 UDP 96\r\na=candidate:1 1 udp 1 192.0.2.1 2 typ relay raddr 203.0.113.1 rport 5\r\n";
        let body = format!(
            r#"{{"type":"offer","n":123456789012345678901234567890,"sdp":{},"more":[1.0,{{}}]}}"#,
            serde_json::to_string(sdp).unwrap()
        );
        let hidden = relay_only(&body.into()).unwrap();
        let text = std::str::from_utf8(&hidden).unwrap();
        assert!(text.contains(r#""n":123456789012345678901234567890"#), "{text}");
        assert!(text.contains(r#""more":[1.0,{}]"#), "{text}");
        assert!(text.contains("raddr 0.0.0.0 rport 0") && !text.contains("203.0.113.1"), "{text}");
    }

    #[test]
    fn refuses_an_offer_without_a_relayed_address() {
        let body = r#"{"type":"offer","sdp":"v=0\r\nm=video 1 UDP 96\r\n"}"#;
        let Err(Reject::BodyInvalid(errors)) = relay_only(&Bytes::from_static(body.as_bytes())) else {
            panic!("not refused")
        };
        assert_eq!(errors, [FieldError::not_relayed(&["body", "sdp"])]);
    }
}
