//! What an operator can choose about paths that are passed on.

use crate::gateway::http::path;

/// Paths that are passed on to the backend besides those that the gateway serves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassthroughSettings {
    /// What the paths begin with; begins and ends with a slash.
    pub prefix: String,
    /// Whether they need no key; default false.
    pub is_public: bool,
    /// Whether WebSockets are passed on there; default false.
    pub allows_web_sockets: bool,
    /// The largest body of a request; default 1 MiB. A larger one is 413.
    pub body_limit_bytes: usize,
}

impl PassthroughSettings {
    /// The largest body of a request unless told otherwise.
    pub const DEFAULT_BODY_LIMIT_BYTES: usize = 1 << 20;

    /// Whether paths can begin with a text.
    pub fn is_prefix(text: &str) -> bool {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%;".contains(&byte));
        is_plain && text.ends_with('/') && path::check(text, &[]).is_ok()
    }

    /// Whether a path is among them, as is the prefix without its last slash.
    pub(super) fn covers(&self, path: &str) -> bool {
        path.starts_with(&self.prefix) || self.prefix.strip_suffix('/') == Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_at_a_slash() {
        let rule = PassthroughSettings {
            prefix: "/skin/".to_owned(),
            is_public: false,
            allows_web_sockets: false,
            body_limit_bytes: PassthroughSettings::DEFAULT_BODY_LIMIT_BYTES,
        };

        for (path, expected) in [
            ("/skin/", true),
            ("/skin", true),
            ("/skin/a/b", true),
            ("/skinny", false),
            ("/", false),
            ("/a/skin/", false),
        ] {
            assert_eq!(rule.covers(path), expected, "{path}");
        }
    }

    #[test]
    fn a_prefix_is_plain_and_between_slashes() {
        for (text, expected) in [
            ("/", true),
            ("/skin/", true),
            ("/skin/v1.0/", true),
            ("", false),
            ("skin/", false),
            ("/skin", false),
            ("/skin/../", false),
            ("//", false),
            ("/a b/", false),
            ("/a?/", false),
            ("/%61/", false),
        ] {
            assert_eq!(PassthroughSettings::is_prefix(text), expected, "{text:?}");
        }
    }
}
