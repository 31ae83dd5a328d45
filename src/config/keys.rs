//! The keys that exist and the shape of their values, read from the schema, so that nothing lists them twice.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::schema::Schema;

/// What stands behind a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A section, `[turn]`.
    Table(BTreeMap<String, Self>),
    /// A repeated section, `[[turn.users]]`.
    Tables(BTreeMap<String, Self>),
    /// A list of strings.
    Texts,
    /// A string.
    Text,
    /// A number or a boolean.
    Literal,
}

/// The shape of the whole file.
pub(super) fn known_keys() -> Shape {
    shape_of(&json_schema())
}

/// The whole schema, with every part in its place.
pub(super) fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Schema>().to_value()
}

/// The options of a file, each with the path to it; repeated sections are one option.
pub(super) fn options(shape: &Shape) -> Vec<(String, &Shape)> {
    let Shape::Table(keys) = shape else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (key, inner) in keys {
        match inner {
            Shape::Table(_) => {
                found
                    .extend(options(inner).into_iter().map(|(path, shape)| (format!("{key}.{path}"), shape)));
            }
            Shape::Tables(_) | Shape::Texts | Shape::Text | Shape::Literal => {
                found.push((key.clone(), inner))
            }
        }
    }
    found
}

fn shape_of(schema: &Value) -> Shape {
    let of_type = |name: &str| match &schema["type"] {
        Value::String(kind) => kind == name,
        // An `Option` may be null, which TOML cannot write.
        Value::Array(kinds) => kinds.iter().any(|kind| kind == name),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    };
    if of_type("object") {
        Shape::Table(properties(schema))
    } else if of_type("array") {
        match shape_of(&schema["items"]) {
            Shape::Table(keys) => Shape::Tables(keys),
            Shape::Tables(_) | Shape::Texts | Shape::Text | Shape::Literal => Shape::Texts,
        }
    } else if ["integer", "number", "boolean"].into_iter().any(of_type) {
        Shape::Literal
    } else {
        Shape::Text
    }
}

fn properties(schema: &Value) -> BTreeMap<String, Shape> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties.map(|(key, schema)| (key.clone(), shape_of(schema))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_kind_of_key() {
        let shape = known_keys();
        let options: BTreeMap<String, &Shape> = options(&shape).into_iter().collect();
        assert_eq!(options["turn.realm"], &Shape::Text);
        assert_eq!(options["turn.relay_buffer"], &Shape::Text);
        assert_eq!(options["turn.nonce_secret"], &Shape::Text);
        assert_eq!(options["turn.channel_numbers"], &Shape::Text);
        assert_eq!(options["turn.listen"], &Shape::Texts);
        assert_eq!(options["turn.password_algorithms"], &Shape::Texts);
        assert_eq!(options["turn.peers.allow"], &Shape::Texts);
        assert_eq!(options["turn.limits.channels"], &Shape::Literal);
        assert_eq!(options["gateway.forward_key"], &Shape::Literal);
        assert_eq!(options["gateway.tls.certificate"], &Shape::Text);
        let Shape::Tables(user) = options["turn.users"] else { panic!("{:?}", options["turn.users"]) };
        assert_eq!(
            user.keys().collect::<Vec<_>>(),
            ["md5_key", "md5_key_file", "name", "password", "password_file", "sha256_key", "sha256_key_file"]
        );
    }
}
