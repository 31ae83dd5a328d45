//! What can be wrong with a configuration, each cause with its mend.

use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

use super::place::Place;
use super::suggestion::Suggestion;

/// Everything that is wrong with a configuration; prints one line each.
#[derive(Debug, Default)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The errors, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        let mut sorted: Vec<&ConfigError> = self.0.iter().collect();
        sorted.sort_by_key(|error| &error.place);
        sorted.into_iter()
    }

    pub(super) fn push(&mut self, error: ConfigError) {
        self.0.push(error);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.iter().enumerate() {
            if index > 0 {
                f.write_char('\n')?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One thing that is wrong, and where.
#[derive(Debug)]
pub struct ConfigError {
    place: Place,
    key: Option<String>,
    cause: Cause,
}

impl ConfigError {
    pub(super) fn new(place: Place, cause: Cause) -> Self {
        Self { place, key: None, cause }
    }

    /// Names the key that it is about.
    pub(super) fn of(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    /// Where the value was written.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong with it.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default();
        // A value that is quoted in the message must break neither the line nor the terminal.
        for c in format!("{}: {key}{}", self.place, self.cause).chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        Ok(())
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The file is missing or unreadable.
    #[error(
        "cannot be read: {0}; name the file with --config or TURNPIKE_CONFIG, or name /dev/null to use the environment alone"
    )]
    Unreadable(#[source] io::Error),
    /// The text is not TOML.
    #[error("{}", .0.message())]
    Syntax(toml::de::Error),
    /// The file has a key that does not exist.
    #[error("unknown key `{key}`{}{suggestion}", in_section(.section))]
    UnknownKey {
        /// The last part of the key.
        key: String,
        /// The section that it stands in; empty at the top.
        section: String,
        /// What may have been meant.
        suggestion: Suggestion,
    },
    /// A variable begins like ours and belongs to no key.
    #[error("unknown variable{0}")]
    UnknownVariable(Suggestion),
    /// A variable's bytes are no text.
    #[error("is not UTF-8; write the value as text")]
    NotUtf8,
    /// Anything but repeated sections where those belong.
    #[error(
        "is a repeated section; write [[…]] and its keys below, or a list of tables such as [{{key = value}}]"
    )]
    NotRepeated,
    /// `[[x]]` for a section that exists once.
    #[error("is a section that exists once; write its header in single brackets, […]")]
    Repeated,
    /// A value for a section.
    #[error("is a section; write […] and its keys below")]
    NoTable,
    /// A single value for a list.
    #[error("is a list; put square brackets around it, [\"…\"]")]
    NoList,
    /// A value of a wrong type, or one that its type refuses.
    #[error("{}", in_plain_words(.0.message()))]
    Value(toml::de::Error),
    /// A list that needs an element has none.
    #[error("is empty; name at least one")]
    EmptyList,
    /// A quantity beyond its bounds.
    #[error("`{value}` is out of range; write {least} to {most}")]
    OutOfRange {
        /// What was written.
        value: String,
        /// The lower bound.
        least: String,
        /// The upper bound.
        most: String,
    },
    /// A lifetime with a fraction of a second, which the protocol cannot say.
    #[error("`{0}` is not in whole seconds; round it")]
    NotWholeSeconds(String),
    /// The realm breaks the quoting of its attribute.
    #[error(
        "`{0}` is no realm; write 1 to 127 characters without quotes, backslashes and control characters"
    )]
    Realm(String),
    /// A user name that does not fit into its attribute.
    #[error("`{0}` is no user name; write 1 to 508 bytes without control characters")]
    UserName(String),
    /// A key's id that metrics and logs cannot carry.
    #[error("`{0}` is no id; write 1 to 64 letters, digits, dots, dashes and underscores")]
    KeyId(String),
    /// A key that no HTTP header can carry.
    #[error("has characters that a header cannot carry; write printable ASCII without spaces")]
    KeyCharacters,
    /// A key that is missing.
    #[error("has no key; give key, key_file or sha256, for example from `turnpike key new`")]
    NoKey,
    /// A key and a digest that may be of another one.
    #[error("has both a key and a sha256; keep one")]
    KeyAndDigest,
    /// A key that expires before it is valid.
    #[error("`{0}` is not after not_before; write a later time, or remove one of them")]
    NeverValid(String),
    /// Two keys of one client, which has one limit, say two things of it.
    #[error("differs from {first}, which is of the same client; write the same, or remove one")]
    ClientDiffers {
        /// The key of the first one.
        first: String,
    },
    /// An address that nothing can be sent from or to.
    #[error("`{0}` is not the address of a host; write one that is assigned to an interface")]
    NotAHost(String),
    /// A second address of a family that may have one.
    #[error("`{0}` is the second address of its family; keep one IPv4 and one IPv6 address")]
    SecondOfFamily(String),
    /// A prefix of paths that no path has, or that means more than one thing.
    #[error(
        "`{0}` is no prefix of paths; begin and end it with a slash, such as /skin/, without dots that climb"
    )]
    PathPrefix(String),
    /// Something that must be unique is there twice.
    #[error("`{value}` is there twice, first as {first}; remove one")]
    Duplicate {
        /// What is there twice.
        value: String,
        /// The key of the first one.
        first: String,
    },
    /// Two secrets are the same.
    #[error("is the same as {first}; remove one")]
    DuplicateSecret {
        /// The key of the first one.
        first: String,
    },
    /// Two listeners want one address.
    #[error("`{value}` is taken by {first}; choose another port")]
    AddressTaken {
        /// The address.
        value: String,
        /// The key that has it.
        first: String,
    },
    /// The gateway wants a port of the relay, but not at the same address.
    #[error(
        "`{value}` overlaps with {first}; write the very same address to share it, or choose another port"
    )]
    AddressOverlaps {
        /// The address.
        value: String,
        /// The key that has it.
        first: String,
    },
    /// A secret is given both in place and in a file.
    #[error("{key} and {key}_file are both given; keep one")]
    BothGiven {
        /// The last part of the key that holds the secret itself.
        key: &'static str,
    },
    /// A secret is missing.
    #[error("has neither {key} nor {key}_file; give one")]
    NeitherGiven {
        /// The last part of the key that holds the secret itself.
        key: &'static str,
    },
    /// A user has nothing to authenticate with.
    #[error("has no password and no key; give password, md5_key or sha256_key, or one of them in a file")]
    NoPassword,
    /// A user has a password and keys that may come from another one.
    #[error("has both a password and a key; keep the password, or the keys")]
    PasswordAndKey,
    /// A user's key that is no hexadecimal number of the right length.
    #[error("is no key; write {digits} hexadecimal digits")]
    HexKey {
        /// How many digits it takes.
        digits: usize,
    },
    /// A key of access tokens that no AEAD algorithm takes.
    #[error("is no key; write 16 or 32 bytes in base64, for example from `openssl rand -base64 32`")]
    TokenKey,
    /// A server name that does not fit into its attribute.
    #[error("`{0}` is no server name; write 1 to 255 bytes without control characters")]
    ServerName(String),
    /// A secret has no characters.
    #[error("is empty; write the secret, or remove the key")]
    EmptySecret,
    /// A file with a secret cannot be read.
    #[error("{path} cannot be read: {error}; check the path and that this user may read it")]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// A file with a secret holds none.
    #[error("{0} is empty; write the secret into it")]
    EmptySecretFile(PathBuf),
    /// A secret that can be guessed.
    #[error("is shorter than {least} characters; make a longer one, for example with `openssl rand -hex 32`")]
    ShortSecret {
        /// The least number of characters.
        least: usize,
    },
    /// A secret that is longer than what is read.
    #[error("is longer than {most} characters; make a shorter one, for example with `openssl rand -hex 32`")]
    LongSecret {
        /// The most characters.
        most: usize,
    },
    /// The operating system gives no random numbers.
    #[error("cannot be made up: {0}; give a secret")]
    NoRandomness(#[source] rand::rngs::SysError),
    /// Both forms of what is one thing.
    #[error("is given together with [[gateway.backends]]; keep one of the two")]
    BothBackends,
    /// TLS for a backend that is spoken to in the clear.
    #[error("has TLS options, but an http URL; write https, or remove them")]
    TlsInTheClear,
    /// A backend gets both the client's key and one of ours.
    #[error("has both forward_key and a key of its own; keep one")]
    TwoBackendKeys,
    /// A path that no URL can have.
    #[error("`{0}` is no path; write one such as /health, without spaces, ? and #")]
    UrlPath(String),
    /// More of a kind than there may be.
    #[error("are {count}; keep at most {most}")]
    TooMany {
        /// How many were written.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A host name that no certificate can have.
    #[error("`{0}` is no host name; write the one that the backend's certificate has")]
    HostName(String),
    /// A service that nobody can ask.
    #[error("has no url; write where the service is asked, such as https://auth.example.org/turn")]
    HookWithoutUrl,
    /// Everybody could relay to everywhere.
    #[error(
        "`{0}` would let everybody relay to everywhere; name the backends, or networks that hold only them"
    )]
    AnyBackend(String),
    /// Backends where they mean nothing.
    #[error(
        "has no effect with mode = \"claim\", where the answers name the peers; move it to turn.peers.besides_answer"
    )]
    BackendsOfClaims,
    /// Peers besides those of an answer, where no answer counts.
    #[error(
        "has no effect without turn.peers.policy = \"answer\" or turn.anonymous.mode = \"claim\"; leave it out"
    )]
    NothingNamed,
    /// Where records are told of without a place where they wait.
    #[error("needs records.database, where records wait until they are taken; name a file there")]
    TakerWithoutDatabase,
    /// What would need quotes in SQL.
    #[error(
        "is no name of a table; write lower-case letters, digits and `_`, with a schema before a dot if you like"
    )]
    MalformedTableName,
    /// A detector that needs a model.
    #[error("is missing; name the ONNX file for detector = \"onnx\"")]
    NoModel,
    /// A model for a detector that has none.
    #[error("has no effect without detector = \"onnx\"; write that too, or leave the model out")]
    UnusedModel,
    /// A webhook that is nowhere.
    #[error("says how a webhook is told and not where; give url too, or leave the section out")]
    WebhookWithoutUrl,
    /// A collector that is nowhere.
    #[error("says how traces are sent and not where; give endpoint too, or leave the section out")]
    TracesWithoutEndpoint,
    /// Issuers for a collector that shows no certificate.
    #[error("has no effect with an http endpoint; write https there, or remove ca_file")]
    CollectorInTheClear,
    /// A header field that no request can have.
    #[error("`{0}` is no name of a header field; write one such as authorization")]
    HeaderName(String),
    /// A header field that is set for each request.
    #[error("`{0}` is a header field that turnpike sets itself; remove it")]
    OwnHeader(String),
    /// A value that no HTTP header can carry.
    #[error("has characters that a header cannot carry; write printable ASCII")]
    HeaderCharacters,
    /// Not what NAT discovery needs.
    #[error("needs two different addresses of one family, and two different ports from 1 on")]
    NotTwoPairs,
    /// Only one half of a certificate and its key is given.
    #[error("is missing; give certificate and private_key together, or neither")]
    HalfTls,
    /// A filter of logs that does not parse.
    #[error(
        "`{0}` is no level; write error, warn, info, debug, trace or off, then perhaps target=level after commas"
    )]
    LogLevel(String),
}

fn in_section(section: &str) -> String {
    match section {
        "" => String::new(),
        element if element.ends_with(']') => format!(" in {element}"),
        section => format!(" in [{section}]"),
    }
}

/// serde calls a number by the name of its Rust type.
fn in_plain_words(message: &str) -> String {
    message
        .replace("expected usize", "expected a whole number")
        .replace("expected u32", "expected a whole number")
}
