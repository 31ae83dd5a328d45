//! Any user name is opened without a panic, only ours say something, and what is sealed is opened again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use turnpike_fuzz::secret::Secret;
use turnpike_fuzz::turn::{Grant, GrantId, GrantSeal};

fuzz_target!(|input: (&[u8], [u8; 16], u64, u32, &str, &str, Option<&str>, u16)| {
    let (name, id, issued, lifetime, key, client, user, changed) = input;
    let seal = GrantSeal::new(&Secret::new("north"));
    assert!(seal.open(name).is_none(), "nobody else knows the secret");
    let grant = Grant {
        id: GrantId(id),
        issued,
        expires: issued.saturating_add(u64::from(lifetime)),
        key: key.into(),
        client: client.into(),
        user: user.map(|user| Grant::user_of(user).into()),
    };
    let mut sealed = seal.seal(&grant).into_bytes();
    assert!(sealed.len() <= 320);
    let opened = seal.open(&sealed).expect("it is ours");
    assert_eq!((opened.id, opened.issued, opened.expires), (grant.id, grant.issued, grant.expires));
    assert!(grant.key.starts_with(&*opened.key) && grant.client.starts_with(&*opened.client));
    assert_eq!(opened.user, grant.user);
    let place = usize::from(changed) % sealed.len();
    sealed[place] = if sealed[place] == b'A' { b'B' } else { b'A' };
    assert!(seal.open(&sealed).is_none(), "every character counts");
});
