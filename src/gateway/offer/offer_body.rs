//! The JSON of an offer, checked as FastAPI would check it.

use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::field_error::{FieldError, SHOWN_CHARACTERS, place};
use super::fields::{Field, Fields};
use crate::sdp::Invalid;

/// What the gateway itself needs of an offer; the backend gets the bytes as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct OfferBody {
    pub(in crate::gateway) user_id: Option<String>,
}

impl OfferBody {
    /// Reads a body, and has the SDP in it checked. All that is wrong is told at once.
    pub(in crate::gateway) fn parse(
        body: &[u8],
        check_sdp: impl FnOnce(&str) -> Result<(), Invalid>,
    ) -> Result<Self, Vec<FieldError>> {
        let body = body.trim_ascii();
        if body.is_empty() {
            return Err(vec![FieldError::missing(&["body"])]);
        }
        if body[0] != b'{' {
            return Err(vec![not_an_object(body)]);
        }
        let fields: Fields<'_> = serde_json::from_slice(body).map_err(|error| vec![invalid_json(&error)])?;
        let mut errors = Vec::new();
        errors.extend(sdp_error(&fields.sdp, check_sdp));
        errors.extend(type_error(&fields.r#type));
        errors.extend(user_id_error(&fields.user_id));
        if !errors.is_empty() {
            return Err(errors);
        }
        let Field::Text(user_id) = fields.user_id else {
            return Ok(Self { user_id: None });
        };
        Ok(Self { user_id: Some(user_id.into_owned()) })
    }
}

fn sdp_error(field: &Field<'_>, check: impl FnOnce(&str) -> Result<(), Invalid>) -> Option<FieldError> {
    match field {
        Field::Text(sdp) => {
            let invalid = check(sdp).err()?;
            Some(FieldError::sdp_invalid(&["body", "sdp"], &invalid))
        }
        Field::Missing | Field::Null | Field::Other(_) => string_error("sdp", field),
    }
}

fn string_error(name: &str, field: &Field<'_>) -> Option<FieldError> {
    let loc = &["body", name];
    match field {
        Field::Text(_) => None,
        Field::Missing => Some(FieldError::missing(loc)),
        Field::Null => Some(FieldError::no_string(loc, Value::Null)),
        Field::Other(value) => Some(FieldError::no_string(loc, value.clone())),
    }
}

fn type_error(field: &Field<'_>) -> Option<FieldError> {
    match field {
        Field::Text(text) if text == "offer" => None,
        Field::Text(text) => Some(FieldError {
            r#type: "literal_error",
            loc: place(&["body", "type"]),
            msg: "Input should be 'offer'".to_owned(),
            input: Value::String(text.chars().take(SHOWN_CHARACTERS).collect()),
            ctx: Some(json!({"expected": "'offer'"})),
        }),
        Field::Missing | Field::Null | Field::Other(_) => string_error("type", field),
    }
}

fn user_id_error(field: &Field<'_>) -> Option<FieldError> {
    match field {
        Field::Missing | Field::Null => None,
        Field::Text(user_id) => FieldError::long_user_id(&["body", "user_id"], user_id),
        Field::Other(_) => string_error("user_id", field),
    }
}

fn not_an_object(body: &[u8]) -> FieldError {
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return invalid_json(&error);
    }
    FieldError {
        r#type: "model_attributes_type",
        loc: place(&["body"]),
        msg: "Input should be a valid dictionary or object to extract fields from".to_owned(),
        input: Value::Null,
        ctx: None,
    }
}

fn invalid_json(error: &serde_json::Error) -> FieldError {
    FieldError {
        r#type: "json_invalid",
        loc: vec![json!("body"), json!(error.column())],
        msg: "JSON decode error".to_owned(),
        input: json!({}),
        ctx: Some(json!({"error": error.to_string()})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_an_offer_with_or_without_a_user() {
        for (body, user_id) in [
            (r#"{"sdp":"v=0\r\n","type":"offer"}"#, None),
            (r#"{"sdp":"v=0\r\n","type":"offer","user_id":null}"#, None),
            (
                r#" {"type":"offer","user_id":"Zoë \"Z\"\nO'Brien","sdp":"","more":[{}]} "#,
                Some("Zoë \"Z\"\nO'Brien"),
            ),
        ] {
            assert_eq!(parse(body), Ok(OfferBody { user_id: user_id.map(str::to_owned) }));
        }
    }

    #[test]
    fn bounds_the_user_id_in_characters() {
        let body = |length| format!(r#"{{"sdp":"","type":"offer","user_id":"{}"}}"#, "ä".repeat(length));

        assert!(parse(&body(256)).is_ok());
        assert_eq!(kinds(&body(257)), [("string_too_long", r#"["body","user_id"]"#.to_owned())]);
    }

    #[test]
    fn lists_every_wrong_field() {
        assert_eq!(
            kinds(r#"{"type":7,"user_id":{"a":[1]}}"#),
            [
                ("missing", r#"["body","sdp"]"#.to_owned()),
                ("string_type", r#"["body","type"]"#.to_owned()),
                ("string_type", r#"["body","user_id"]"#.to_owned()),
            ]
        );
    }

    #[test]
    fn takes_no_other_type_than_offer() {
        assert_eq!(
            kinds(r#"{"sdp":"","type":"answer"}"#),
            [("literal_error", r#"["body","type"]"#.to_owned())]
        );
    }

    #[test]
    fn refuses_what_is_no_object() {
        for body in ["[]", "\"x\"", "null", "7"] {
            assert_eq!(kinds(body), [("model_attributes_type", r#"["body"]"#.to_owned())], "{body}");
        }
        assert_eq!(kinds("  "), [("missing", r#"["body"]"#.to_owned())]);
    }

    #[test]
    fn refuses_what_is_no_json() {
        let deep = format!(r#"{{"sdp":{}"#, "[".repeat(100_000));
        for body in
            ["{", "nope", r#"{"sdp":"}"#, r#"{"sdp":"","sdp":"","type":"offer"}"#, "[1,", deep.as_str()]
        {
            assert_eq!(kinds(body)[0].0, "json_invalid", "{body:.60}");
        }
        assert!(OfferBody::parse(b"{\"sdp\":\"\xff\",\"type\":\"offer\"}", |_| Ok(())).is_err());
    }

    fn parse(body: &str) -> Result<OfferBody, Vec<FieldError>> {
        OfferBody::parse(body.as_bytes(), |_| Ok(()))
    }

    fn kinds(body: &str) -> Vec<(&'static str, String)> {
        let errors = parse(body).unwrap_err();
        errors.iter().map(|error| (error.r#type, json!(error.loc).to_string())).collect()
    }
}
