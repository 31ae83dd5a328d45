//! The settings that are one of a few words.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::de::IntoDeserializer;
use serde::{Deserialize, Serialize};

/// The range of channel numbers that clients may bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChannelNumbers {
    /// 0x4000 to 0x4FFF.
    Rfc8656,
    /// 0x4000 to 0x7FFF.
    Rfc5766,
}

/// What takes the place of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnonymousMode {
    /// That only backends can be reached.
    Backends,
    /// That an offer names the allocation.
    Claim,
}

/// Who says which peers an allocation reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PeersPolicy {
    /// The rules alone.
    Rules,
    /// The answer to an offer, within the rules.
    Answer,
}

/// How user ids stand in records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UserIds {
    /// As they came.
    Plain,
    /// As digits that stand for them.
    Hashed,
    /// Not at all.
    None,
}

/// What logs show of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoggedAddresses {
    /// All of it.
    Full,
    /// Its network.
    Short,
    /// Something that stands for it.
    Hash,
}

/// What logs show of a user's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoggedUserIds {
    /// All of it.
    Full,
    /// Something that stands for it.
    Hash,
}

/// A server whose metrics are known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtherServer {
    /// coturn.
    Coturn,
}

/// What looks for things in video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// The colour of skin.
    Lesion,
    /// A model of the YOLO family.
    Onnx,
}

/// A video codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VideoCodec {
    /// RFC 6386.
    Vp8,
    /// ITU-T H.264.
    H264,
}

/// When clients are sent to another server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Redirect {
    /// When nothing is left here.
    WhenFull,
    /// As long as another one serves.
    Always,
}

/// What a key is derived from a password with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PasswordAlgorithm {
    /// MD5, which every client knows.
    Md5,
    /// SHA-256, which clients of RFC 8489 know.
    Sha256,
}

impl fmt::Display for PasswordAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "md5",
            Self::Sha256 => "sha256",
        })
    }
}

/// What a key may open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyScope {
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

impl FromStr for KeyScope {
    type Err = serde::de::value::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::deserialize(text.into_deserializer())
    }
}

impl fmt::Display for KeyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The header fields in which proxies tell whom they pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrustedFields {
    /// X-Forwarded-For, -Proto and -Host.
    XForwarded,
    /// Forwarded.
    Forwarded,
}

/// How the user names look that clients get for their keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsernameForm {
    /// Nobody can read them.
    Sealed,
    /// The expiry and the user.
    Coturn,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}
