//! Holds the arrows between the rooms of `src/`, and the words that a room must not contain.
//!
//! The table is the one of docs/ARCHITECTURE.md. A new arrow is a decision: change both, and say why.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

struct Room {
    name: &'static str,
    may_import: &'static [&'static str],
    must_not_contain: &'static [&'static str],
}

/// What keeps a room free of clocks, sockets, threads and surroundings.
const IMPURE: &[&str] = &[
    "tokio",
    "tracing",
    "Instant::now",
    "SystemTime::now",
    "UdpSocket",
    "TcpStream",
    "std::fs",
    "std::env",
    "std::thread",
    "Mutex",
    "unsafe",
];

const ROOMS: &[Room] = &[
    Room { name: "wire", may_import: &[], must_not_contain: IMPURE },
    Room { name: "turn", may_import: &["wire"], must_not_contain: IMPURE },
    Room { name: "sdp", may_import: &[], must_not_contain: IMPURE },
    Room { name: "media", may_import: &[], must_not_contain: IMPURE },
    Room { name: "sys", may_import: &[], must_not_contain: &["tokio", "axum", "tracing"] },
    Room { name: "tls", may_import: &[], must_not_contain: &["axum", "SystemTime::now", "unsafe"] },
    Room { name: "telemetry", may_import: &[], must_not_contain: &["axum", "libc", "unsafe"] },
    Room {
        name: "records",
        may_import: &["telemetry", "tls"],
        must_not_contain: &["axum", "libc", "std::env", "unsafe"],
    },
    Room {
        name: "demo",
        may_import: &["telemetry"],
        must_not_contain: &["libc", "std::env", "SystemTime::now", "unsafe"],
    },
    Room {
        name: "relay",
        may_import: &["media", "sys", "telemetry", "tls", "turn", "wire"],
        must_not_contain: &["axum", "tokio", "libc", "std::env", "unsafe"],
    },
    Room {
        name: "gateway",
        may_import: &["media", "records", "sdp", "telemetry", "tls", "turn", "wire"],
        must_not_contain: &["libc", "std::env", "unsafe"],
    },
    Room {
        name: "config",
        may_import: &["demo", "gateway", "records", "relay", "telemetry", "tls", "turn"],
        must_not_contain: &["axum", "tokio", "Instant::now", "SystemTime::now", "unsafe"],
    },
    Room {
        name: "app",
        may_import: &["config", "demo", "gateway", "records", "relay", "sys", "telemetry", "tls", "turn"],
        must_not_contain: &["libc", "unsafe"],
    },
    Room {
        name: "bench",
        may_import: &["sys", "turn", "wire"],
        must_not_contain: &["axum", "tokio", "libc", "std::env", "unsafe"],
    },
    Room {
        name: "probe",
        may_import: &["tls", "wire"],
        must_not_contain: &["axum", "libc", "std::env", "SystemTime::now", "unsafe"],
    },
    Room {
        name: "doctor",
        may_import: &["app", "config", "probe", "sys", "tls"],
        must_not_contain: &["axum", "libc", "std::env", "SystemTime::now", "unsafe"],
    },
    Room {
        name: "cli",
        may_import: &["app", "bench", "config", "doctor", "probe", "tls", "turn", "wire"],
        must_not_contain: &["libc", "unsafe"],
    },
];

/// Whoever may import them: text that never shows itself, and files that browsers get.
const FREE: &[&str] = &["https_client", "pages", "secret"];

#[test]
fn imports_go_along_the_arrows() {
    let mut wrong = Vec::new();
    for room in ROOMS {
        for file in files_of(room.name) {
            for imported in rooms_named_in(&code_of(&file)) {
                let is_own = imported == room.name || FREE.contains(&imported.as_str());
                if !is_own && !room.may_import.contains(&imported.as_str()) {
                    wrong.push(format!("{}: {} imports {imported}", file.display(), room.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_keep_clear_of_what_is_not_theirs() {
    let mut wrong = Vec::new();
    for room in ROOMS {
        for file in files_of(room.name).into_iter().filter(|file| !is_test(file)) {
            let code = code_of(&file);
            for word in room.must_not_contain.iter().filter(|word| contains_word(&code, word)) {
                wrong.push(format!("{}: {} contains {word}", file.display(), room.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_is_a_room_with_an_opening_sentence() {
    let folders: BTreeSet<String> = fs::read_dir("src")
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let rooms: BTreeSet<String> = ROOMS.iter().map(|room| room.name.to_owned()).collect();
    assert_eq!(folders, rooms);
    for file in ROOMS.iter().flat_map(|room| files_of(room.name)) {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not say its job", file.display());
    }
}

#[test]
fn no_file_is_longer_than_400_lines_before_its_tests() {
    let mut long = Vec::new();
    for file in ROOMS.iter().flat_map(|room| files_of(room.name)) {
        let lines = before_tests(&fs::read_to_string(&file).unwrap()).lines().count();
        if lines > 400 {
            long.push(format!("{} has {lines} lines", file.display()));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_table_of_the_documentation_is_this_one() {
    let documented = fs::read_to_string("docs/ARCHITECTURE.md").unwrap();
    for room in ROOMS {
        let arrows = if room.may_import.is_empty() { "–".to_owned() } else { room.may_import.join(", ") };
        let row = documented
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", room.name)))
            .unwrap_or_else(|| panic!("docs/ARCHITECTURE.md has no row for {}", room.name));
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        assert_eq!(cells[3], arrows, "the arrows of {} in docs/ARCHITECTURE.md", room.name);
    }
}

#[test]
fn finds_a_planted_arrow_and_a_planted_word() {
    assert_eq!(rooms_named_in("use crate::relay::Relay;"), ["relay"]);
    assert_eq!(rooms_named_in("use crate::{\n    sys::{A, B},\n    turn,\n};"), ["sys", "turn"]);
    assert!(contains_word("let now = Instant::now();", "Instant::now"));
    assert!(!contains_word("fn nowhere_unsafely() {}", "unsafe"));
}

/// The rooms that code names behind `crate::`, one or several in braces.
fn rooms_named_in(code: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for after in code.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            rooms.push(first_word(after));
            continue;
        };
        let mut depth = 0;
        let mut begins_item = true;
        for (at, character) in list.char_indices() {
            match character {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => begins_item = true,
                c if begins_item && c.is_alphabetic() => {
                    rooms.push(first_word(&list[at..]));
                    begins_item = false;
                }
                _ => {}
            }
        }
    }
    rooms
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn contains_word(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// A file without its comments and its tests.
fn code_of(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    before_tests(&text).lines().flat_map(|line| [line.split("//").next().unwrap_or_default(), "\n"]).collect()
}

/// What stands in front of the tests at the end of a file.
fn before_tests(text: &str) -> &str {
    text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs")
}

fn files_of(room: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new("src").join(room)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "{room} is empty");
    files
}
