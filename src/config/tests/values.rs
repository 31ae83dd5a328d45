//! What has changed between two configurations.

use super::Files;
use crate::config::Values;

#[test]
fn tells_which_options_have_another_value_wherever_they_stand() {
    let before = values(
        "[turn]\nrealm = \"a\"\nworkers = 2\n[gateway]\nbody_limit = \"64KiB\"\n\
         [[gateway.keys]]\nid = \"one\"\nkey = \"0123456789abcdef\"\n",
    );
    let after = values(
        "# moved\n[gateway]\nbody_limit = \"64KiB\"\n[[gateway.keys]]\nkey = \"0123456789abcdef\"\nid = \"two\"\n\
         [turn]\nrealm = \"b\"\n[log]\nlevel = \"debug\"\n",
    );

    let differing: Vec<&str> = before.differing(&after).collect();

    assert_eq!(differing, ["gateway.keys", "log.level", "turn.realm", "turn.workers"]);
    assert_eq!(before.differing(&before).count(), 0);
    let mut partly = before.clone();
    partly.take_over(&after, |option| option.starts_with("gateway"));
    assert_eq!(partly.differing(&after).collect::<Vec<_>>(), ["log.level", "turn.realm", "turn.workers"]);
}

fn values(text: &str) -> Values {
    Files::new(text).load(&[]).unwrap().values
}
