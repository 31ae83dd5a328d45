//! `Asked`: what the query of a request for credentials says.

use std::borrow::Cow;
use std::time::Duration;

use super::shape::Shape;
use crate::gateway::offer::USER_ID_CHARACTERS;

/// What a client asks for. What the query has besides is no concern of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) user_id: Option<String>,
    pub(super) ttl: Option<Duration>,
    pub(super) shape: Shape,
}

impl Asked {
    /// Reads a query; the error is for people.
    pub(super) fn read(query: &str) -> Result<Self, String> {
        let one = |name: &str| -> Result<Option<Cow<'_, str>>, String> {
            let mut given = form_urlencoded::parse(query.as_bytes()).filter(|(given, _)| given == name);
            let value = given.next().map(|(_, value)| value);
            if given.next().is_some() { Err(format!("{name} is there more than once")) } else { Ok(value) }
        };
        let shape = match one("format")? {
            Some(name) => Shape::parse(&name)
                .ok_or("format is none of turnpike, cloudflare, twilio and uberti".to_owned())?,
            None => Shape::default(),
        };
        let mut user_id = one("user_id")?;
        if user_id.is_none() && shape == Shape::Uberti {
            // draft-uberti-behave-turn-rest-00 §2.1 has another name for it.
            user_id = one("username")?;
        }
        if user_id.as_ref().is_some_and(|user_id| user_id.chars().nth(USER_ID_CHARACTERS).is_some()) {
            return Err(format!("user_id has more than {USER_ID_CHARACTERS} characters"));
        }
        let ttl = match one("ttl")? {
            Some(seconds) => Some(
                seconds
                    .parse()
                    .ok()
                    .filter(|&seconds| seconds > 0)
                    .ok_or_else(|| "ttl is no number of seconds above zero".to_owned())?,
            ),
            None => None,
        };
        Ok(Self { user_id: user_id.map(Cow::into_owned), ttl: ttl.map(Duration::from_secs), shape })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_who_and_how_long_and_in_which_shape() {
        let of = |user_id: Option<&str>, seconds: Option<u64>, shape| {
            Ok(Asked { user_id: user_id.map(str::to_owned), ttl: seconds.map(Duration::from_secs), shape })
        };
        for (query, asked) in [
            ("", of(None, None, Shape::Turnpike)),
            ("user_id=Zo%C3%AB+1&ttl=60&_=1", of(Some("Zoë 1"), Some(60), Shape::Turnpike)),
            ("format=twilio&user_id=", of(Some(""), None, Shape::Twilio)),
            ("format=uberti&service=turn&username=ann", of(Some("ann"), None, Shape::Uberti)),
            ("format=uberti&username=ann&user_id=bob", of(Some("bob"), None, Shape::Uberti)),
            ("username=ann", of(None, None, Shape::Turnpike)),
        ] {
            assert_eq!(Asked::read(query), asked, "{query}");
        }
    }

    #[test]
    fn refuses_what_makes_no_sense() {
        let long = format!("user_id={}", "a".repeat(257));
        for (query, reason) in [
            ("ttl=0", "ttl is no number of seconds above zero"),
            ("ttl=1h", "ttl is no number of seconds above zero"),
            ("ttl=-1", "ttl is no number of seconds above zero"),
            ("user_id=a&user_id=a", "user_id is there more than once"),
            ("format=xirsys", "format is none of turnpike, cloudflare, twilio and uberti"),
            (&long, "user_id has more than 256 characters"),
        ] {
            assert_eq!(Asked::read(query), Err(reason.to_owned()), "{query}");
        }
    }
}
