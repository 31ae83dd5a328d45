//! `Claim`: a session says that an allocation is its own, and whether that is proven.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::session_events::SessionTag;
use crate::turn::{Grant, SourcePrefix};

/// Somebody says that an allocation is of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The session.
    pub session: SessionTag,
    /// The relayed address, as the client was told it.
    pub relayed: SocketAddr,
    /// Where the claimer says that the allocation's client is seen.
    pub related: Option<SocketAddr>,
    /// Where the claim comes from.
    pub claimed_from: IpAddr,
    /// Whose key the claim came with.
    pub client: Arc<str>,
    /// The user of the claim, as grants write users.
    pub user: Option<Arc<str>>,
}

/// Who has claimed an allocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claimant {
    pub(super) client: Arc<str>,
    pub(super) user: Option<Arc<str>>,
}

/// Whether a claim is of the user whose claim an allocation is, of whom there is a name.
pub(super) fn is_of_same_user(claim: &Claim, claimant: Option<&Claimant>) -> bool {
    let is_same = |claimant: &Claimant| claimant.client == claim.client && claimant.user == claim.user;
    claim.user.is_some() && claimant.is_some_and(is_same)
}

/// Whether the claimer is the allocation's client: it has the grant's client and user; or, where nothing was granted, it
/// comes from where that is, or knows where we see it.
pub(super) fn is_proven(claim: &Claim, client: SocketAddr, grant: Option<&Grant>) -> bool {
    if let Some(grant) = grant {
        let is_of_user = grant.user.is_none() || grant.user == claim.user;
        return grant.client == claim.client && is_of_user;
    }
    let canonical = |address: SocketAddr| (address.ip().to_canonical(), address.port());
    SourcePrefix::of(claim.claimed_from) == SourcePrefix::of(client.ip())
        || claim.related.is_some_and(|related| canonical(related) == canonical(client))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::GrantId;

    #[test]
    fn a_claim_is_proven_by_the_address_it_comes_from_or_by_the_one_it_names() {
        for (claimed_from, related, client, is_right) in [
            ("198.51.100.7", None, "198.51.100.7:4000", true),
            ("::ffff:198.51.100.7", None, "198.51.100.7:4000", true),
            ("198.51.100.8", None, "198.51.100.7:4000", false),
            ("2001:db8::1", None, "[2001:db8::2]:4000", true),
            ("2001:db8:0:1::1", None, "[2001:db8::2]:4000", false),
            ("203.0.113.1", Some("198.51.100.7:4000"), "198.51.100.7:4000", true),
            ("203.0.113.1", Some("198.51.100.7:4001"), "198.51.100.7:4000", false),
            ("203.0.113.1", Some("0.0.0.0:0"), "198.51.100.7:4000", false),
        ] {
            let claim = Claim {
                session: SessionTag("s".into()),
                relayed: "192.0.2.1:50000".parse().unwrap(),
                related: related.map(|related| related.parse().unwrap()),
                claimed_from: claimed_from.parse().unwrap(),
                client: "app".into(),
                user: None,
            };
            assert_eq!(is_proven(&claim, client.parse().unwrap(), None), is_right, "{claim:?} of {client}");
        }
    }

    #[test]
    fn a_grant_is_worth_more_than_addresses() {
        let address: SocketAddr = "198.51.100.7:4000".parse().unwrap();
        let grant = |client: &str, user: Option<&str>| Grant {
            id: GrantId([7; 16]),
            issued: 0,
            expires: 1,
            key: "key".into(),
            client: client.into(),
            user: user.map(Arc::from),
        };
        for (claimed_from, granted, is_right) in [
            ("203.0.113.1", grant("app", Some("ann")), true),
            ("203.0.113.1", grant("app", None), true),
            ("198.51.100.7", grant("app", Some("bob")), false),
            ("198.51.100.7", grant("web", Some("ann")), false),
        ] {
            let claim = Claim {
                session: SessionTag("s".into()),
                relayed: "192.0.2.1:50000".parse().unwrap(),
                related: Some(address),
                claimed_from: claimed_from.parse().unwrap(),
                client: "app".into(),
                user: Some("ann".into()),
            };
            assert_eq!(is_proven(&claim, address, Some(&granted)), is_right, "{granted:?}");
        }
    }
}
