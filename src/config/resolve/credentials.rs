//! `[[turn.users]]`, `[[turn.secrets]]` and `[[turn.token_keys]]`: who may allocate.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Rules, Unique};
use crate::config::error::Cause;
use crate::config::schema::{PasswordAlgorithm, Turn, User};
use crate::config::secrets::Source;
use crate::turn;
use crate::turn::credential::{Credentials, TokenKey, UserKey, key_from_hex};

pub(super) fn credentials(written: &Turn, rules: &mut Rules<'_>) -> Credentials {
    let mut credentials = Credentials::default();
    users(written, &mut credentials, rules);
    secrets(written, &mut credentials, rules);
    token_keys(written, &mut credentials, rules);
    credentials
}

/// The algorithms, at least one, each once.
pub(super) fn password_algorithms(written: &Turn, rules: &mut Rules<'_>) -> Vec<turn::PasswordAlgorithm> {
    const KEY: &str = "turn.password_algorithms";
    if written.password_algorithms.is_empty() {
        rules.refuse(KEY, Cause::EmptyList);
    }
    let mut known = Unique::new();
    for (index, algorithm) in written.password_algorithms.iter().enumerate() {
        let key = format!("{KEY}[{index}]");
        if let Some(first) = known.claim(*algorithm, &key) {
            rules.refuse(&key, Cause::Duplicate { value: algorithm.to_string(), first });
        }
    }
    let algorithm = |written: &PasswordAlgorithm| match written {
        PasswordAlgorithm::Md5 => turn::PasswordAlgorithm::Md5,
        PasswordAlgorithm::Sha256 => turn::PasswordAlgorithm::Sha256,
    };
    written.password_algorithms.iter().map(algorithm).collect()
}

fn users(written: &Turn, credentials: &mut Credentials, rules: &mut Rules<'_>) {
    let mut names = Unique::new();
    for (index, user) in written.users.iter().enumerate() {
        let section = format!("turn.users[{index}]");
        let name_key = format!("{section}.name");
        name(&user.name, &name_key, &mut names, rules);
        if let Some(key) = user_key(user, &section, rules) {
            credentials.add_user(&user.name, key);
        }
    }
}

/// The password or the keys of a user.
fn user_key(user: &User, section: &str, rules: &mut Rules<'_>) -> Option<UserKey> {
    let password =
        Source { key: "password", value: user.password.as_ref(), file: user.password_file.as_ref() };
    let md5 = Source { key: "md5_key", value: user.md5_key.as_ref(), file: user.md5_key_file.as_ref() };
    let sha256 =
        Source { key: "sha256_key", value: user.sha256_key.as_ref(), file: user.sha256_key_file.as_ref() };
    match (password.is_given(), md5.is_given() || sha256.is_given()) {
        (true, true) => {
            rules.refuse(section, Cause::PasswordAndKey);
            None
        }
        (false, false) => {
            rules.refuse(section, Cause::NoPassword);
            None
        }
        (true, false) => rules.secret(section, &password).map(UserKey::Password),
        (false, true) => {
            let (md5, sha256) = (hex_key(section, &md5, rules), hex_key(section, &sha256, rules));
            Some(UserKey::derived(md5, sha256))
        }
    }
}

fn secrets(written: &Turn, credentials: &mut Credentials, rules: &mut Rules<'_>) {
    let mut known = Unique::new();
    for (index, shared) in written.secrets.iter().enumerate() {
        let section = format!("turn.secrets[{index}]");
        let source =
            Source { key: "secret", value: shared.secret.as_ref(), file: shared.secret_file.as_ref() };
        let Some(secret) = rules.required(&section, &source) else {
            continue;
        };
        match known.claim(secret.expose().to_owned(), &section) {
            Some(first) => rules.refuse(&section, Cause::DuplicateSecret { first }),
            None => credentials.add_secret(secret),
        }
    }
}

fn token_keys(written: &Turn, credentials: &mut Credentials, rules: &mut Rules<'_>) {
    let mut kids = Unique::new();
    for (index, token_key) in written.token_keys.iter().enumerate() {
        let section = format!("turn.token_keys[{index}]");
        // RFC 7635 §5: the kid comes as the user name.
        name(&token_key.kid, &format!("{section}.kid"), &mut kids, rules);
        let source = Source { key: "key", value: token_key.key.as_ref(), file: token_key.key_file.as_ref() };
        let Some(secret) = rules.required(&section, &source) else {
            continue;
        };
        let bytes = STANDARD.decode(secret.expose()).map(zeroize::Zeroizing::new);
        match bytes.ok().and_then(|bytes| TokenKey::new(&bytes)) {
            Some(key) => credentials.add_token_key(&token_key.kid, key),
            None => rules.refuse(&format!("{section}.{}", source.written_key()), Cause::TokenKey),
        }
    }
}

/// A name must fit into its attribute and be there once.
fn name<'a>(name: &'a str, key: &str, names: &mut Unique<&'a str>, rules: &mut Rules<'_>) {
    // RFC 8489 §14.3 keeps a user name below 509 bytes.
    if !(1..=MOST_NAME_BYTES).contains(&name.len()) || name.contains(char::is_control) {
        rules.refuse(key, Cause::UserName(name.to_owned()));
    } else if let Some(first) = names.claim(name, key) {
        rules.refuse(key, Cause::Duplicate { value: name.to_owned(), first });
    }
}

/// A key of `N` bytes that is written in hexadecimal digits.
pub(super) fn hex_key<const N: usize>(
    section: &str,
    source: &Source<'_>,
    rules: &mut Rules<'_>,
) -> Option<[u8; N]> {
    let secret = rules.secret(section, source)?;
    let key = key_from_hex(&secret);
    if key.is_none() {
        rules.refuse(&format!("{section}.{}", source.written_key()), Cause::HexKey { digits: 2 * N });
    }
    key
}

/// RFC 8489 §14.3: a user name has fewer than 509 bytes.
const MOST_NAME_BYTES: usize = 508;
