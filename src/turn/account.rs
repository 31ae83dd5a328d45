//! `account`: the user behind a user name, whatever credential it came with.

/// The part of a user name that stays the same when its credential is renewed.
///
/// A name that expires is `expiry:user`, and each new credential has a new expiry, so that a quota counted by whole
/// names would be evaded by asking for a fresh one. Names that are nothing but an expiry tell no users apart: they are
/// all one account, whose name is empty.
pub(super) fn account(username: &[u8]) -> &[u8] {
    let digits = username.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match (digits, username.get(digits)) {
        (0, _) => username,
        (_, Some(b':')) => &username[digits + 1..],
        (_, Some(_)) => username,
        (_, None) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::account;

    #[test]
    fn a_fresh_expiry_is_the_same_account() {
        assert_eq!(account(b"1800000000:alice"), b"alice");
        assert_eq!(account(b"1800000001:alice"), account(b"1800000000:alice"));
        assert_eq!(account(b"1800000000:team:alice"), b"team:alice");
        assert_eq!(account(b"1800000000"), account(b"1800000001"));
    }

    #[test]
    fn a_lasting_name_is_an_account_as_it_is() {
        for name in [&b"alice"[..], b"alice:1800000000", b"4ever", b":alice", b""] {
            assert_eq!(account(name), name);
        }
    }
}
