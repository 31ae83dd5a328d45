//! `config/turnpike.toml` and `config/minimal.toml` say what the schema says.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Files;
use crate::config::keys::json_schema;
use crate::config::schema::Schema;
use crate::gateway::KeyDigest;

const MANUAL: &str = include_str!("../../../config/turnpike.toml");

/// An option or a section: its comment, and the line that it is written with.
type Entry = (String, String);

#[test]
fn the_manual_has_every_option_with_its_comment_and_default() {
    let mut expected = BTreeMap::new();
    describe("", &json_schema(), &mut expected);
    let written = entries(MANUAL);
    for (key, entry) in &expected {
        assert_eq!(written.get(key), Some(entry), "{key}");
    }
    let unknown: Vec<_> = written.keys().filter(|key| !expected.contains_key(*key)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_manual_as_it_is_changes_nothing() {
    assert_eq!(Files::new(MANUAL).read(&[]).unwrap().schema(), &Schema::default());
}

#[test]
fn uncommented_defaults_are_the_defaults() {
    let mut defaults = BTreeMap::new();
    find_defaults("", &json_schema(), &mut defaults);
    let text = uncomment(MANUAL, |key| defaults.contains_key(key));
    assert_eq!(text.matches("\n#").count(), MANUAL.matches("\n#").count() - defaults.len());
    assert_eq!(Files::new(&text).read(&[]).unwrap().schema(), &Schema::default());
}

#[test]
fn uncommented_examples_resolve() {
    // A user has a password or keys, not both; a key is written or its digest; backends have one of two forms;
    // a model is for another detector.
    let alternatives = ["_file", "md5_key", "sha256_key", "keys.sha256", "gateway.backend", "embedded.model"];
    let text = uncomment(MANUAL, |key| !alternatives.iter().any(|end| key.ends_with(end)));
    let settings = Files::new(&text).load(&[]).unwrap();
    assert_eq!(settings.gateway.keys[0].id, "app");
    assert!(settings.gateway.tls.is_some());
    assert!(!settings.turn.credentials.is_empty());
    assert_eq!(settings.warnings, []);
    // The files of secrets do not exist here, but their keys do.
    assert!(Files::new(&uncomment(MANUAL, |_| true)).read(&[]).is_ok());
}

#[test]
fn the_smallest_file_serves() {
    let files = Files::new(include_str!("../../../config/minimal.toml"))
        .with("turn.secret", "0123456789abcdef\n")
        .with("app.key", "fedcba9876543210\n");
    let settings = files.load(&[]).unwrap();
    assert_eq!(settings.warnings, []);
    assert!(!settings.turn.credentials.is_empty());
    assert_eq!(settings.gateway.keys[0].digest, KeyDigest::of(b"fedcba9876543210"));
}

/// What the schema says about each option and section.
fn describe(path: &str, schema: &Value, entries: &mut BTreeMap<String, Entry>) {
    for (name, inner) in schema["properties"].as_object().unwrap() {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let comment = words(inner["description"].as_str().unwrap());
        if inner["type"] == "object" {
            entries.insert(key.clone(), (comment, format!("[{key}]")));
            describe(&key, inner, entries);
        } else if inner["items"]["type"] == "object" {
            entries.insert(key.clone(), (comment, format!("#[[{key}]]")));
            describe(&key, &inner["items"], entries);
        } else {
            let value = inner.get("default").filter(|value| !value.is_null());
            // JSON and TOML write strings, numbers, booleans and lists of strings alike.
            let value = value.unwrap_or_else(|| &inner["examples"][0]);
            entries.insert(key, (comment, format!("#{name} = {value}")));
        }
    }
}

/// The options that have a default, each with its value.
fn find_defaults(path: &str, schema: &Value, defaults: &mut BTreeMap<String, Value>) {
    for (name, inner) in schema["properties"].as_object().unwrap() {
        let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        if inner["type"] == "object" {
            find_defaults(&key, inner, defaults);
        } else if let Some(value) = inner.get("default").filter(|value| !value.is_null()) {
            defaults.insert(key, value.clone());
        }
    }
}

/// What a file says about each option and section.
fn entries(text: &str) -> BTreeMap<String, Entry> {
    let mut comment = String::new();
    let mut section = String::new();
    let mut entries = BTreeMap::new();
    for line in text.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment = format!("{comment} {text}");
            continue;
        }
        if let Some(key) = key_of(line, &mut section) {
            entries.insert(key, (words(&comment), line.to_owned()));
        }
        comment.clear();
    }
    entries
}

fn uncomment(text: &str, wanted: impl Fn(&str) -> bool) -> String {
    let mut section = String::new();
    let lines = text.lines().map(|line| match key_of(line, &mut section) {
        Some(key) if wanted(&key) => line.trim_start_matches('#'),
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The key of a section or of an option, commented out or not.
fn key_of(line: &str, section: &mut String) -> Option<String> {
    let line = line.trim_start_matches('#');
    if line.starts_with('[') {
        *section = line.trim_matches(['[', ']']).to_owned();
        return Some(section.clone());
    }
    let (name, _) = line.split_once(" = ").filter(|(name, _)| !name.contains(' '))?;
    Some(format!("{section}.{name}"))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
