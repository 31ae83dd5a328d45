//! `FieldError`: what is wrong with a request, in the words of FastAPI.

use serde::Serialize;
use serde_json::{Value, json};

use crate::sdp::Invalid;

/// One entry of FastAPI's `detail` list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(in crate::gateway) struct FieldError {
    pub(super) r#type: &'static str,
    pub(super) loc: Vec<Value>,
    pub(super) msg: String,
    pub(super) input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ctx: Option<Value>,
}

impl FieldError {
    /// FastAPI shows the whole body here; an SDP is too long for that, and has addresses in it.
    pub(in crate::gateway) fn missing(loc: &[&str]) -> Self {
        Self {
            r#type: "missing",
            loc: place(loc),
            msg: "Field required".to_owned(),
            input: Value::Null,
            ctx: None,
        }
    }

    pub(super) fn no_string(loc: &[&str], input: Value) -> Self {
        Self {
            r#type: "string_type",
            loc: place(loc),
            msg: "Input should be a valid string".to_owned(),
            input,
            ctx: None,
        }
    }

    /// Bytes that are no text.
    pub(in crate::gateway) fn not_utf8(loc: &[&str]) -> Self {
        Self {
            r#type: "string_unicode",
            loc: place(loc),
            msg: "Input should be a valid string, unable to parse raw data as a unicode string".to_owned(),
            input: Value::Null,
            ctx: None,
        }
    }

    /// The same thing more than once, where one reader might see the one and another reader the other.
    pub(in crate::gateway) fn repeated(loc: &[&str]) -> Self {
        Self {
            r#type: "repeated",
            loc: place(loc),
            msg: "Field should be given once".to_owned(),
            input: Value::Null,
            ctx: None,
        }
    }

    /// A `user_id` that is longer than any that is one.
    pub(in crate::gateway) fn long_user_id(loc: &[&str], user_id: &str) -> Option<Self> {
        user_id.chars().nth(USER_ID_CHARACTERS)?;
        Some(Self {
            r#type: "string_too_long",
            loc: place(loc),
            msg: format!("String should have at most {USER_ID_CHARACTERS} characters"),
            input: Value::String(user_id.chars().take(SHOWN_CHARACTERS).collect()),
            ctx: Some(json!({"max_length": USER_ID_CHARACTERS})),
        })
    }

    /// What is wrong with an SDP. FastAPI has no words for that; `ctx` is for programs.
    pub(in crate::gateway) fn sdp_invalid(loc: &[&str], invalid: &Invalid) -> Self {
        let mut ctx = json!({"reason": invalid.flaw.code()});
        if let Some(line) = invalid.line {
            ctx["line"] = json!(line);
        }
        Self {
            r#type: "sdp_invalid",
            loc: place(loc),
            msg: format!("SDP is not a usable offer: {invalid}"),
            input: Value::Null,
            ctx: Some(ctx),
        }
    }

    /// An offer that must name a relayed address and does not.
    pub(super) fn not_relayed(loc: &[&str]) -> Self {
        Self {
            r#type: "sdp_not_relayed",
            loc: place(loc),
            msg: "SDP names no relayed address, which this key needs; use a TURN server, and send the offer when \
                  gathering has ended"
                .to_owned(),
            input: Value::Null,
            ctx: None,
        }
    }
}

pub(super) fn place(loc: &[&str]) -> Vec<Value> {
    loc.iter().map(|part| json!(part)).collect()
}

/// Far more than any database key or e-mail address (254) has.
pub(in crate::gateway) const USER_ID_CHARACTERS: usize = 256;

/// What an error shows of a wrong value.
pub(super) const SHOWN_CHARACTERS: usize = 32;
