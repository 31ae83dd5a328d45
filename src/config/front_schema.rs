//! `[gateway.cors]` and `[gateway.timeouts]`: which web pages may use the gateway, and how long anybody may take.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::{Text, written_as_text};
use super::units::{ByteSize, HumanDuration};
use crate::gateway::{OriginPattern, OriginPatternError, PassthroughSettings};

/// Which web pages may use the gateway from a browser.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// The origins of the pages: `https://app.example.org`, `https://*.example.org` for all hosts below a domain, or `*`
    /// for all pages. A page still needs a key, which no browser adds by itself. An empty list lets no page in.
    pub origins: Vec<CorsOrigin>,
    /// Whether browsers may let pages of the internet use a gateway that has a private address.
    pub private_network: bool,
}

/// Paths that go to the backends as they are.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Passthrough {
    /// What the paths begin with; begins and ends with a slash. What the gateway serves itself is never passed on.
    #[schemars(example = &"/skin/")]
    pub prefix: String,
    /// Whether they need no key. Otherwise one with the scope `offer`. Browsers can send none when they open a WebSocket.
    #[serde(default)]
    pub public: bool,
    /// Whether WebSockets are passed on there. They end when the gateway stops, and after gateway.timeouts.client_idle
    /// without a word.
    #[serde(default)]
    pub websocket: bool,
    /// The largest body of a request, 1KiB to 1GiB. A larger one is answered with 413.
    #[serde(default = "default_body_limit")]
    pub body_limit: ByteSize,
}

fn default_body_limit() -> ByteSize {
    ByteSize(PassthroughSettings::DEFAULT_BODY_LIMIT_BYTES)
}

/// How long each step of a request may take.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// TLS handshake of a client.
    pub handshake: HumanDuration,
    /// From the connection, or the previous answer, to the end of the request's headers.
    pub request_headers: HumanDuration,
    /// From the headers to the end of the request's body. Later is answered with 408.
    pub request_body: HumanDuration,
    /// How long a connection may carry no request.
    pub client_idle: HumanDuration,
    /// How long a client may take nothing of its answer.
    pub client_stall: HumanDuration,
    /// Connecting to a backend: its address, TCP and TLS. Later another backend is tried; without one it is 502.
    pub backend_connect: HumanDuration,
    /// From the end of the request to the headers of a backend's answer. Later is answered with 504. An aiortc backend
    /// that cannot reach its STUN server needs 5s for each answer.
    pub backend_headers: HumanDuration,
    /// From the end of the request to the whole answer, whichever backends were tried. Later is answered with 504.
    pub backend_answer: HumanDuration,
    /// How long an idle connection to a backend is kept; below the 5s after which uvicorn closes it.
    pub backend_idle: HumanDuration,
    /// How long requests in flight may take to finish after a stop; below the 30s after which Kubernetes kills.
    pub drain: HumanDuration,
}

/// The origin of a web page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Text", into = "String")]
pub struct CorsOrigin(pub OriginPattern);

written_as_text!(CorsOrigin);

impl FromStr for CorsOrigin {
    type Err = OriginPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl std::fmt::Display for CorsOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
