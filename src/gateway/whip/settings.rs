//! Whether the gateway speaks WHIP.

/// Settings of `/whip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WhipSettings {
    /// Whether offers are taken as WHIP has them; default true, since they need a key as any other. Without it `/whip` is
    /// 404.
    pub enabled: bool,
}

impl Default for WhipSettings {
    fn default() -> Self {
        Self { enabled: true }
    }
}
