//! The names of attributes: those of OpenTelemetry's semantic conventions where they have one, else our own.

/// The address of a client, as logs may show it.
pub const CLIENT_ADDRESS: &str = "client.address";
/// Why something failed: a status, or a word.
pub const ERROR_TYPE: &str = "error.type";
/// The method, or `_OTHER` for one that HTTP does not know.
pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
/// How many backends were tried before.
pub const HTTP_REQUEST_RESEND_COUNT: &str = "http.request.resend_count";
/// The status of an answer.
pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
/// The route that a request was for.
pub const HTTP_ROUTE: &str = "http.route";
/// The version of HTTP.
pub const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
/// The host of a backend.
pub const SERVER_ADDRESS: &str = "server.address";
/// Its port.
pub const SERVER_PORT: &str = "server.port";
/// The path of a request.
pub const URL_PATH: &str = "url.path";
/// `http` or `https`.
pub const URL_SCHEME: &str = "url.scheme";
/// Whose session it is, as logs may show it.
pub const USER_ID: &str = "user.id";

/// The name of a backend.
pub const BACKEND: &str = "turnpike.backend";
/// Whose keys opened a session.
pub const CLIENT: &str = "turnpike.client";
/// The id of the key.
pub const KEY: &str = "turnpike.key";
/// Why the gateway refused a request: the `code` of its problem.
pub const PROBLEM: &str = "turnpike.problem";
/// Whether an offer got the answer of an earlier one.
pub const REPLAYED: &str = "turnpike.replayed";
/// The id of a request, as in the log.
pub const REQUEST_ID: &str = "turnpike.request.id";
/// The id of a session, as in the log.
pub const SESSION_ID: &str = "turnpike.session.id";
/// Why a session ended.
pub const END_REASON: &str = "turnpike.session.end_reason";
/// How far a session, or an allocation, had come.
pub const STATE: &str = "turnpike.session.state";
/// How clients reach an allocation: `udp`, `tcp` or `tls`.
pub const TRANSPORT: &str = "turnpike.allocation.transport";
/// How long an allocation was there, in seconds; it may be older than its session.
pub const ALLOCATION_AGE: &str = "turnpike.allocation.age";
/// Packets from the client to its peers.
pub const PACKETS_TO_PEER: &str = "turnpike.relay.packets_to_peer";
/// Their bytes.
pub const BYTES_TO_PEER: &str = "turnpike.relay.bytes_to_peer";
/// Packets from the peers to the client.
pub const PACKETS_TO_CLIENT: &str = "turnpike.relay.packets_to_client";
/// Their bytes.
pub const BYTES_TO_CLIENT: &str = "turnpike.relay.bytes_to_client";

/// The share of the client's RTP packets that did not come, 0 to 1.
pub const CLIENT_LOSS: &str = "turnpike.media.client.loss_ratio";
/// The interarrival jitter of the client's media, in seconds.
pub const CLIENT_JITTER: &str = "turnpike.media.client.jitter";
/// The client's video frames a second.
pub const CLIENT_FRAME_RATE: &str = "turnpike.media.client.frame_rate";
/// The time to the client and back, in seconds.
pub const CLIENT_ROUND_TRIP: &str = "turnpike.media.client.round_trip";
/// The same for the peer, which is the backend.
pub const PEER_LOSS: &str = "turnpike.media.peer.loss_ratio";
/// The interarrival jitter of the peer's media, in seconds.
pub const PEER_JITTER: &str = "turnpike.media.peer.jitter";
/// The peer's video frames a second.
pub const PEER_FRAME_RATE: &str = "turnpike.media.peer.frame_rate";
/// The time to the peer and back, in seconds.
pub const PEER_ROUND_TRIP: &str = "turnpike.media.peer.round_trip";
