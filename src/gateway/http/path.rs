//! Refuses paths that a backend could read differently than we do.

use std::borrow::Cow;

/// Why a path is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum PathRefusal {
    /// It has no one meaning.
    Ambiguous,
    /// It is another way to write a path that the gateway itself serves.
    Disguised,
}

/// Whether a path means the same to everybody, and none of `own`.
///
/// What frameworks disagree about is refused rather than mended: dots that climb, in whatever spelling and before a `;`;
/// empty segments; slashes and control characters in disguise.
pub(in crate::gateway) fn check(path: &str, own: &[&str]) -> Result<(), PathRefusal> {
    if !path.starts_with('/') || path.contains("//") || path.contains('\\') {
        return Err(PathRefusal::Ambiguous);
    }
    let mut plain = String::new();
    for segment in path.split('/').skip(1) {
        let decoded = decode(segment).ok_or(PathRefusal::Ambiguous)?;
        let name = decoded.split(';').next().unwrap_or_default();
        if name == "." || name == ".." || decoded.contains(is_misleading) {
            return Err(PathRefusal::Ambiguous);
        }
        plain.push('/');
        plain.push_str(name);
    }
    let plain = plain.trim_end_matches('/');
    if own.iter().any(|own| own.eq_ignore_ascii_case(plain)) {
        return Err(PathRefusal::Disguised);
    }
    Ok(())
}

/// What must not come out of an escape; a percent sign would be a second escape.
fn is_misleading(c: char) -> bool {
    c.is_control() || ['/', '\\', '%', '\u{fffd}'].contains(&c)
}

/// What a segment's escapes stand for; none if one is broken.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passes_plain_paths() {
        for path in
            ["/", "/skin/models", "/skin/models/", "/skin/a%20b/%C3%A9", "/a.b/..c/.d", "/skin/webrtc/offers"]
        {
            assert_eq!(check(path, OWN), Ok(()), "{path}");
        }
    }

    #[test]
    fn refuses_what_has_two_meanings() {
        for path in [
            "",
            "*",
            "skin",
            "//",
            "/skin//x",
            "/skin/../admin",
            "/skin/..",
            "/skin/./x",
            "/skin/%2e%2e/admin",
            "/skin/.%2E/admin",
            "/skin/..;/admin",
            "/skin/..;a=b/admin",
            "/skin/%2e;x",
            "/skin\\admin",
            "/skin%2fadmin",
            "/skin/%5cadmin",
            "/skin/%00",
            "/skin/%0d%0ax",
            "/skin/%252e%252e",
            "/skin/%",
            "/skin/%2",
            "/skin/%zz",
            "/skin/%ff",
            "/skin/%c0%ae%c0%ae",
            "/skin/%7f",
        ] {
            assert_eq!(check(path, OWN), Err(PathRefusal::Ambiguous), "{path}");
        }
    }

    #[test]
    fn finds_our_own_paths_in_every_disguise() {
        for path in [
            "/skin/webrtc/offer",
            "/skin/webrtc/offer/",
            "/skin/webrtc/%6fffer",
            "/skin/%77ebrtc/offer/",
            "/skin/webrtc/offer;v=1",
            "/skin;a/webrtc/offer",
            "/SKIN/webrtc/Offer",
        ] {
            assert_eq!(check(path, OWN), Err(PathRefusal::Disguised), "{path}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_never_climbs(path in "/[/.a%2eEfF;\\\\]{0,24}") {
            if check(&path, OWN).is_ok() {
                let twice = decode(&path).and_then(|once| decode(&once).map(Cow::into_owned));
                prop_assert!(twice.is_none_or(|path| path.split('/').all(|segment| segment != "..")), "{path}");
            }
        }
    }

    const OWN: &[&str] = &["/skin/webrtc/offer", "/skin/webrtc/health"];
}
