//! What an operator can choose about what every request passes: whom to believe, and which pages may ask.

use ipnet::IpNet;

use super::cors::OriginPattern;

/// Whom to believe about clients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxySettings {
    /// Proxies whose word about the client of a request counts; default none.
    pub trusted: Vec<IpNet>,
    /// The fields in which they write it.
    pub fields: ProxyFields,
}

/// The header fields in which proxies tell whom they pass on. The others are what a client may have made up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProxyFields {
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    #[default]
    XForwarded,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// Which web pages may use the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsSettings {
    /// The origins whose pages may; default all of them, as a page needs a key, which no browser adds by itself.
    pub origins: Vec<OriginPattern>,
    /// Whether pages of the internet may reach a gateway at a private address; default false.
    pub allows_private_network: bool,
}

impl Default for CorsSettings {
    fn default() -> Self {
        Self { origins: vec![OriginPattern::Any], allows_private_network: false }
    }
}
