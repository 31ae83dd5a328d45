//! `Scope`: what a key may be good for.

use std::fmt;

/// One thing that keys open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Offers in JSON.
    Offer,
    /// Lists of ICE servers with credentials.
    IceServers,
    /// Offers by WHIP.
    Whip,
    /// The relay alone, without a session.
    Turn,
    /// The admin API.
    Admin,
}

/// What a key opens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scope {
    /// All that there are.
    pub const ALL: [Self; 5] = [Self::Offer, Self::IceServers, Self::Whip, Self::Turn, Self::Admin];

    /// The scope as configurations and operators write it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::IceServers => "ice_servers",
            Self::Whip => "whip",
            Self::Turn => "turn",
            Self::Admin => "admin",
        }
    }
}

impl Scopes {
    /// Whether they have one.
    pub fn contain(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// One after the other.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |&scope| self.contain(scope))
    }
}

/// What clients need. Operators are told apart from them by having to be named.
impl Default for Scopes {
    fn default() -> Self {
        Scope::ALL.into_iter().filter(|&scope| scope != Scope::Admin).collect()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Scope::label)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_all_but_the_admin_api_unless_told() {
        assert_eq!(format!("{:?}", Scopes::default()), r#"{"offer", "ice_servers", "whip", "turn"}"#);
        let admin: Scopes = [Scope::Admin, Scope::Admin].into_iter().collect();
        assert_eq!(admin.iter().collect::<Vec<_>>(), [Scope::Admin]);
        assert!(!admin.contain(Scope::Offer));
    }
}
