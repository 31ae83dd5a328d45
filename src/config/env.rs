//! `TURNPIKE_…` variables over the file: `TURNPIKE_TURN_REALM` is `realm` in `[turn]`.

use std::ffi::OsString;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::document::Document;
use super::error::{Cause, ConfigError};
use super::keys::{Shape, options};
use super::place::Place;
use super::suggestion::Suggestion;

/// Names the file itself; read by the command line.
pub const FILE_VARIABLE: &str = "TURNPIKE_CONFIG";

const PREFIX: &str = "TURNPIKE_";

/// One variable of ours.
pub(super) struct Variable {
    name: String,
    value: OsString,
}

/// The variables that may concern us, in the order of their names.
pub(super) fn ours(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<Variable> {
    let mut ours: Vec<Variable> = variables
        .filter_map(|(name, value)| Some(Variable { name: name.into_string().ok()?, value }))
        .filter(|variable| variable.name.starts_with(PREFIX) && variable.name != FILE_VARIABLE)
        .collect();
    ours.sort_by(|a, b| a.name.cmp(&b.name));
    ours
}

/// Puts variables over what the file says.
pub(super) fn overlay<'a>(document: &mut Document<'a>, shape: &Shape, variables: &'a [Variable]) {
    let known: Vec<(String, String, &Shape)> =
        options(shape).into_iter().map(|(key, shape)| (variable_name(&key), key, shape)).collect();
    for Variable { name, value } in variables {
        let place = Place::Variable(name.clone());
        let text = value.to_str();
        let Some((_, key, shape)) = known.iter().find(|(known, _, _)| known == name) else {
            if !is_service_link(name, text.unwrap_or_default()) {
                let suggestion = Suggestion::similar(name, known.iter().map(|(known, _, _)| known.as_str()));
                document.refuse(ConfigError::new(place, Cause::UnknownVariable(suggestion)));
            }
            continue;
        };
        match text.map(|text| read(text, shape)) {
            Some(Ok(value)) => document.put(key, shape, value, &place),
            Some(Err(error)) => document.refuse(ConfigError::new(place, Cause::Syntax(error)).of(key)),
            None => document.refuse(ConfigError::new(place, Cause::NotUtf8).of(key)),
        }
    }
}

/// The variable that stands for a key.
pub(super) fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "_").to_uppercase())
}

/// Reads a variable's text as what the key holds. A string needs no quotes, and a list of strings no brackets.
fn read<'a>(text: &'a str, shape: &Shape) -> Result<DeValue<'a>, toml::de::Error> {
    match shape {
        Shape::Text => Ok(DeValue::String(text.into())),
        Shape::Texts if !looks_like_array(text) => Ok(DeValue::Array(split_list(text))),
        // What is no number or boolean goes on as text, so that serde names the type that it wants.
        Shape::Literal => {
            Ok(DeValue::parse(text.trim()).map_or_else(|_| DeValue::String(text.into()), Spanned::into_inner))
        }
        Shape::Texts | Shape::Table(_) | Shape::Tables(_) => {
            DeValue::parse(text.trim()).map(Spanned::into_inner)
        }
    }
}

/// Tells `["a"]` from `[::]:3478`.
fn looks_like_array(text: &str) -> bool {
    let inner = text.trim().strip_prefix('[').map(str::trim_start);
    inner.is_some_and(|inner| inner.starts_with(['"', '\'', ']']))
}

fn split_list(text: &str) -> DeArray<'_> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| Spanned::new(0..0, DeValue::String(part.into())))
        .collect()
}

/// Whether Kubernetes made the variable.
///
/// It describes each Service to every pod of its namespace in variables that begin with the Service's name, and a
/// Service in front of us is likely to be called `turnpike` or `turnpike-` something.
fn is_service_link(name: &str, value: &str) -> bool {
    let parts: Vec<&str> = name.split('_').collect();
    let describes_service = parts.windows(2).any(|pair| matches!(pair, ["SERVICE", "HOST" | "PORT"]));
    let describes_port = parts.windows(3).any(
        |three| matches!(three, ["PORT", number, "TCP" | "UDP" | "SCTP"] if number.parse::<u16>().is_ok()),
    );
    let is_port = parts.last() == Some(&"PORT")
        && ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    describes_service || describes_port || is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_service_links_from_typing_errors() {
        let links = [
            ("TURNPIKE_SERVICE_HOST", "10.0.0.1"),
            ("TURNPIKE_SERVICE_PORT", "8080"),
            ("TURNPIKE_SERVICE_PORT_HTTP", "8080"),
            ("TURNPIKE_PORT", "tcp://10.0.0.1:8080"),
            ("TURNPIKE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
            ("TURNPIKE_PORT_3478_UDP_PROTO", "udp"),
            ("TURNPIKE_TURN_PORT_3478_UDP_ADDR", "10.0.0.1"),
            ("TURNPIKE_TURN_SERVICE_HOST", "10.0.0.1"),
        ];
        for (name, value) in links {
            assert!(is_service_link(name, value), "{name}");
        }
        for name in ["TURNPIKE_PORT", "TURNPIKE_TURN_PORT", "TURNPIKE_GATEWAY_HOST", "TURNPIKE_TURN_PORT_UDP"]
        {
            assert!(!is_service_link(name, "3478"), "{name}");
        }
    }

    #[test]
    fn tells_arrays_from_ipv6_addresses() {
        for text in ["[]", "[ \"a\" ]", "['a']"] {
            assert!(looks_like_array(text), "{text}");
        }
        for text in ["", "a", "[::]:3478", "[fd00::/8]:5000"] {
            assert!(!looks_like_array(text), "{text}");
        }
    }
}
