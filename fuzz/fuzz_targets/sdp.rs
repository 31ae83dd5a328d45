//! Any text: an offer is read or refused without a panic, and what is read holds together.

#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_fuzz::sdp::{Bounds, Description, Lines, candidates};

fuzz_target!(|text: &str| {
    let mut end = 0;
    for line in Lines::new(text, 1).flatten() {
        assert!(line.range.start >= end && line.range.end <= text.len());
        assert!(text[line.range.clone()].contains(line.value));
        end = line.range.end;
    }
    let bounds = Bounds { media: 32, candidates: 100 };
    let description = match Description::parse(text, &bounds) {
        Ok(description) => description,
        Err(invalid) => {
            assert!(invalid.line.is_none_or(|line| line <= text.lines().count()));
            assert!(invalid.to_string().len() < 200);
            return;
        }
    };
    assert!(description.media.len() <= bounds.media);
    assert!(description.candidates().count() <= bounds.candidates);
    let found: Vec<_> = candidates(text).collect();
    assert!(description.candidates().all(|candidate| found.contains(candidate)));
    // Taking a candidate's line out leaves a description that differs in that alone.
    if let Some(line) =
        Lines::new(text, 1).flatten().find(|line| matches!(line.attribute(), Some(("candidate", _))))
    {
        let without = [&text[..line.range.start], &text[line.range.end..]].concat();
        let rest = Description::parse(&without, &bounds).expect("a candidate carries nothing else");
        assert_eq!(rest.media.len(), description.media.len());
        assert_eq!(rest.bundle, description.bundle);
    }
    let _ = description.check_offer();
});
