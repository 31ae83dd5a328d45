//! The JSON of an offer: what is checked of it, and what is wrong with it in the words of FastAPI.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};
use serde_json::{Value, json};

/// What the gateway itself needs of an offer; the backend gets the bytes as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::gateway) struct OfferBody {
    pub(in crate::gateway) user_id: Option<String>,
}

/// One entry of FastAPI's `detail` list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::gateway) struct FieldError {
    r#type: &'static str,
    loc: Vec<Value>,
    msg: String,
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

impl OfferBody {
    pub(in crate::gateway) fn parse(body: &[u8]) -> Result<Self, Vec<FieldError>> {
        let body = body.trim_ascii();
        if body.is_empty() {
            return Err(vec![FieldError::missing(vec![json!("body")])]);
        }
        if body[0] != b'{' {
            return Err(vec![not_an_object(body)]);
        }
        let fields: Fields<'_> = serde_json::from_slice(body).map_err(|error| vec![invalid_json(&error)])?;
        let mut errors = Vec::new();
        errors.extend(string_error("sdp", &fields.sdp));
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

/// A field that comes twice is an error of the parser: the backend might read the other one.
#[derive(DeriveDeserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    sdp: Field<'a>,
    #[serde(borrow, default)]
    r#type: Field<'a>,
    #[serde(borrow, default)]
    user_id: Field<'a>,
}

#[derive(Default)]
enum Field<'a> {
    #[default]
    Missing,
    Null,
    Text(Cow<'a, str>),
    /// Neither text nor null; small values are kept, to be shown.
    Other(Value),
}

fn string_error(name: &str, field: &Field<'_>) -> Option<FieldError> {
    let loc = vec![json!("body"), json!(name)];
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
            loc: vec![json!("body"), json!("type")],
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
        Field::Text(text) if text.chars().nth(USER_ID_CHARACTERS).is_none() => None,
        Field::Text(text) => Some(FieldError {
            r#type: "string_too_long",
            loc: vec![json!("body"), json!("user_id")],
            msg: format!("String should have at most {USER_ID_CHARACTERS} characters"),
            input: Value::String(text.chars().take(SHOWN_CHARACTERS).collect()),
            ctx: Some(json!({"max_length": USER_ID_CHARACTERS})),
        }),
        Field::Other(_) => string_error("user_id", field),
    }
}

fn not_an_object(body: &[u8]) -> FieldError {
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return invalid_json(&error);
    }
    FieldError {
        r#type: "model_attributes_type",
        loc: vec![json!("body")],
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

impl FieldError {
    /// FastAPI shows the whole body here; an SDP is too long for that, and has addresses in it.
    fn missing(loc: Vec<Value>) -> Self {
        Self { r#type: "missing", loc, msg: "Field required".to_owned(), input: Value::Null, ctx: None }
    }

    fn no_string(loc: Vec<Value>, input: Value) -> Self {
        Self {
            r#type: "string_type",
            loc,
            msg: "Input should be a valid string".to_owned(),
            input,
            ctx: None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Field::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Field::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Field::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Field::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Field::Other(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other(json!([])))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other(json!({})))
    }
}

/// Far more than any database key or e-mail address (254) has.
const USER_ID_CHARACTERS: usize = 256;

/// What an error shows of a wrong value.
const SHOWN_CHARACTERS: usize = 32;

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
            assert_eq!(
                OfferBody::parse(body.as_bytes()),
                Ok(OfferBody { user_id: user_id.map(str::to_owned) })
            );
        }
    }

    #[test]
    fn bounds_the_user_id_in_characters() {
        let body = |length| format!(r#"{{"sdp":"","type":"offer","user_id":"{}"}}"#, "ä".repeat(length));

        assert!(OfferBody::parse(body(256).as_bytes()).is_ok());
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
        assert!(OfferBody::parse(b"{\"sdp\":\"\xff\",\"type\":\"offer\"}").is_err());
    }

    fn kinds(body: &str) -> Vec<(&'static str, String)> {
        let errors = OfferBody::parse(body.as_bytes()).unwrap_err();
        errors.iter().map(|error| (error.r#type, json!(error.loc).to_string())).collect()
    }
}
