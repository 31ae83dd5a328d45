//! docs/RFC.md is what the code's own marks say: which rule, where it is kept, which test proves it.
//!
//! `UPDATE_DOCS=1 cargo test --test rfc` writes it anew. A mark is a comment's sentence that names a section, as in
//! "RFC 8656 §9: …" or "… (RFC 8656 §9)"; what is deliberately done otherwise begins with "Deviation from RFC 8656 §9:".
//! A test names the sections that it proves in a comment right above its `#[test]`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = "docs/RFC.md";

/// The RFCs that the table is about, in its order.
const TITLES: [(u16, &str); 9] = [
    (8489, "STUN"),
    (8656, "TURN"),
    (6062, "TURN for TCP peers"),
    (8016, "mobility"),
    (5780, "NAT behaviour discovery"),
    (7635, "third-party authorization"),
    (7443, "ALPN for STUN and TURN"),
    (8265, "preparation of user names and passwords"),
    (5769, "test vectors of STUN"),
];

/// A section of an RFC, such as (8656, "7.2").
type Section = (u16, String);
/// A section in the order of its numbers: 10 comes after 9.
type OrderedSection = (u16, Vec<u32>, String);
/// A rule and a file that keeps it.
type Rule = (String, String);

#[derive(Default)]
struct Marks {
    /// What is kept, and the files that keep it.
    rules: BTreeMap<OrderedSection, BTreeSet<Rule>>,
    deviations: BTreeSet<(u16, String, String, String)>,
    proofs: BTreeMap<Section, BTreeSet<String>>,
}

#[test]
fn the_table_is_what_the_code_says() {
    let table = render(&collect());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(DOCUMENT, &table).unwrap();
    }
    let written = fs::read_to_string(DOCUMENT).unwrap_or_default();
    assert!(written == table, "{DOCUMENT} is out of date: run UPDATE_DOCS=1 cargo test --test rfc");
}

#[test]
fn every_section_that_a_test_proves_is_one_that_the_code_keeps() {
    let marks = collect();
    let kept: BTreeSet<Section> =
        marks.rules.keys().map(|(rfc, _, section)| (*rfc, section.clone())).collect();
    let unknown: Vec<_> = marks.proofs.keys().filter(|section| !kept.contains(section)).collect();
    assert!(unknown.is_empty(), "tests prove sections that no code names: {unknown:?}");
}

#[test]
fn reads_marks_of_each_kind() {
    assert_eq!(
        sections_in("RFC 8656 §7.2, §18.7 and RFC 8489 §14"),
        [(8656, "7.2".into()), (8656, "18.7".into()), (8489, "14".into())]
    );
    assert_eq!(without_marks("RFC 8656 §9: A rule."), "A rule");
    assert_eq!(without_marks("A rule (RFC 8656 §9, §10)."), "A rule");
    assert_eq!(
        sentences("One e.g. this. Two is\nlonger. 3 follows."),
        ["One e.g. this.", "Two is longer.", "3 follows."]
    );
}

fn collect() -> Marks {
    let mut marks = Marks::default();
    for file in rust_files(Path::new("src")).into_iter().chain(rust_files(Path::new("tests/suite"))) {
        let text = fs::read_to_string(&file).unwrap();
        collect_proofs(&text, &mut marks);
        let is_test = file.starts_with("tests") || file.components().any(|part| part.as_os_str() == "tests");
        if !is_test && file.file_name().unwrap() != "tests.rs" {
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
            collect_rules(code, file.strip_prefix("src").unwrap().to_str().unwrap(), &mut marks);
        }
    }
    marks
}

fn collect_rules(code: &str, file: &str, marks: &mut Marks) {
    for block in comment_blocks(code) {
        if let Some((named, reason)) =
            block.strip_prefix("Deviation from ").and_then(|rest| rest.split_once(": "))
        {
            for (rfc, section) in sections_in(named) {
                marks.deviations.insert((rfc, section, reason.to_owned(), file.to_owned()));
            }
            continue;
        }
        for sentence in sentences(&block) {
            // What only names something is no rule.
            let rule = without_marks(&sentence);
            if !rule.contains(|c: char| c.is_lowercase()) {
                continue;
            }
            for (rfc, section) in sections_in(&sentence) {
                let order = section.split('.').filter_map(|part| part.parse().ok()).collect();
                let rules = marks.rules.entry((rfc, order, section)).or_default();
                rules.insert((rule.clone(), file.to_owned()));
            }
        }
    }
}

fn collect_proofs(text: &str, marks: &mut Marks) {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for (index, line) in lines.iter().enumerate() {
        let is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        let Some(mark) = index.checked_sub(1).and_then(|above| lines[above].strip_prefix("// RFC")) else {
            continue;
        };
        if !is_test {
            continue;
        }
        let name = lines[index + 1].split_once("fn ").unwrap().1.split('(').next().unwrap();
        for section in sections_in(&format!("RFC{mark}")) {
            marks.proofs.entry(section).or_default().insert(name.to_owned());
        }
    }
}

/// The comments of a file, each as one line.
fn comment_blocks(code: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block = String::new();
    for line in code.lines().map(str::trim).chain([""]) {
        let comment = line.strip_prefix("//").map(|text| text.trim_start_matches(['/', '!']).trim());
        match comment {
            Some(text) if !text.is_empty() => {
                block.push_str(text);
                block.push(' ');
            }
            _ if !block.is_empty() => blocks.push(std::mem::take(&mut block).trim().to_owned()),
            _ => {}
        }
    }
    blocks
}

fn sentences(block: &str) -> Vec<String> {
    let block = block.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, _) in block.match_indices(". ") {
        let begins_anew = block[at + 2..].starts_with(|c: char| c.is_uppercase() || c.is_numeric());
        if begins_anew {
            sentences.push(block[start..=at].to_owned());
            start = at + 2;
        }
    }
    sentences.push(block[start..].to_owned());
    sentences
}

/// The sections that a text names: "RFC 8656 §7.2, §18.7" are two.
fn sections_in(text: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    for part in text.split("RFC ").skip(1) {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        let Ok(rfc) = digits.parse() else { continue };
        for named in part.split('§').skip(1) {
            let number: String = named.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            let number = number.trim_end_matches('.').to_owned();
            if !number.is_empty() {
                sections.push((rfc, number));
            }
        }
    }
    sections
}

/// A sentence without the marks around it.
fn without_marks(sentence: &str) -> String {
    let mut text = sentence.trim().trim_end_matches('.').to_owned();
    if text.starts_with("RFC ")
        && let Some((_, rest)) = text.split_once(": ")
    {
        text = rest.to_owned();
    }
    while let Some(start) = text.find("(RFC ") {
        let Some(len) = text[start..].find(')') else { break };
        text.replace_range(start..=start + len, "");
    }
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace(" ,", ",")
        .replace(" ;", ";")
        .replace('|', "\\|")
}

fn render(marks: &Marks) -> String {
    let mut out = String::from(
        "# RFCs\n\nWhat the code says of itself: each rule with the files that keep it and the tests that prove it. \
         Generated from\nthe marks in the source by `UPDATE_DOCS=1 cargo test --test rfc`, which also fails when this \
         page is out of date.\n",
    );
    for (rfc, title) in TITLES {
        let mut rows = String::new();
        for ((_, _, section), rules) in marks.rules.iter().filter(|((of, _, _), _)| *of == rfc) {
            let mut files: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
            for (rule, file) in rules {
                files.entry(rule).or_default().insert(format!("`{file}`"));
            }
            let proofs = marks.proofs.get(&(rfc, section.clone())).cloned().unwrap_or_default();
            let proofs: Vec<String> = proofs.iter().map(|name| format!("`{name}`")).collect();
            for (place, (rule, files)) in files.iter().enumerate() {
                let files = files.iter().cloned().collect::<Vec<_>>().join(", ");
                let proofs = if place == 0 { proofs.join(", ") } else { String::new() };
                writeln!(rows, "| §{section} | {rule} | {files} | {proofs} |").unwrap();
            }
        }
        if !rows.is_empty() {
            write!(out, "\n## RFC {rfc}: {title}\n\n| section | rule | kept in | proven by |\n|---|---|---|---|\n{rows}")
                .unwrap();
        }
    }
    out.push_str("\n## Deviations\n\n| section | what we do, and why | where |\n|---|---|---|\n");
    for (rfc, section, reason, file) in &marks.deviations {
        writeln!(out, "| RFC {rfc} §{section} | {reason} | `{file}` |").unwrap();
    }
    out
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
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
    files.sort();
    files
}
