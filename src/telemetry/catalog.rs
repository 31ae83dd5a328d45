//! The one list of metrics: every name, its help and its labels.

pub(super) use super::embedded_catalog::{
    EMBEDDED_CLIENTS, EMBEDDED_DETECTION, EMBEDDED_FRAMES, EMBEDDED_KEY_FRAME_REQUESTS, EMBEDDED_LATENCY,
    EMBEDDED_OFFERS, EMBEDDED_PREDICTIONS,
};
pub(super) use super::family::Family;
pub(super) use super::relay_catalog::{
    CAPACITY, RELAY_BANDWIDTH, RELAY_BANDWIDTH_LIMIT, RELAY_BATCHES, RELAY_BYTES, RELAY_CONNECTIONS,
    RELAY_CONNECTIONS_ACCEPTED, RELAY_CONNECTIONS_CLOSED, RELAY_CONNECTIONS_LIMIT, RELAY_DROPPED,
    RELAY_HANDED_OVER, RELAY_LISTENER_DROPS, RELAY_OFFLOAD_WORKERS, RELAY_PACKETS, RELAY_PEER_CONNECTIONS,
    RELAY_PEER_CONNECTIONS_OPENED, RELAY_PORTS, RELAY_PORTS_FREE, RELAY_READY, RELAY_RECEIVED,
    RELAY_WORKER_CPU, RELAY_WORKERS, TURN_ALLOCATION_CLAIMS, TURN_ALLOCATIONS, TURN_ALLOCATIONS_ANONYMOUS,
    TURN_ALLOCATIONS_CREATED, TURN_ALLOCATIONS_ENDED, TURN_ALLOCATIONS_LIMIT, TURN_ALLOCATIONS_MOVED,
    TURN_ALLOCATIONS_REFUSED, TURN_AUTH_FAILURES, TURN_GRANTS_BLOCKED, TURN_REQUESTS, TURN_RESPONSES,
};
pub(super) use super::session_catalog::{
    SESSION_DURATION, SESSION_FRAME_RATE, SESSION_JITTER, SESSION_LOSS, SESSION_ROUND_TRIP, SESSION_SETUP,
    SESSIONS, SESSIONS_BEGAN, SESSIONS_ENDED, SESSIONS_LIMIT, SESSIONS_REFUSED, USER_BYTES,
};

pub(super) const BUILD_INFO: Family =
    Family::new("turnpike_build_info", "Always 1; the label names the version that runs.", &["version"]);

pub(super) const CERTIFICATE_EXPIRY: Family = Family::new(
    "turnpike_tls_certificate_expiry_timestamp_seconds",
    "When the certificate that is served expires, in Unix time, by the part that serves it.",
    &["part"],
);
pub(super) const CERTIFICATE_RELOADS: Family = Family::new(
    "turnpike_tls_certificate_reloads_total",
    "Looks at certificate files that brought a new certificate, or that failed, by part and result.",
    &["part", "result"],
);

pub(super) const CONFIG_RELOADS: Family = Family::new(
    "turnpike_config_reloads_total",
    "Times that the configuration was read anew, by result.",
    &["result"],
);
pub(super) const CONFIG_LAST_RELOAD: Family = Family::new(
    "turnpike_config_last_reload_successful",
    "Whether the configuration that was read last is in effect: 1, or 0 where the one before is.",
    &[],
);

pub(super) const GATEWAY_REQUESTS: Family = Family::new(
    "turnpike_gateway_requests_total",
    "HTTP requests by route and status of the answer; 499 where the client left, 1xx to 5xx for statuses that are rare.",
    &["route", "status"],
);
pub(super) const GATEWAY_REQUEST_DURATION: Family = Family::new(
    "turnpike_gateway_request_duration_seconds",
    "Time from a request's headers to its answer.",
    &["route"],
);
pub(super) const GATEWAY_IN_FLIGHT: Family =
    Family::new("turnpike_gateway_requests_in_flight", "HTTP requests that are being answered now.", &[]);
pub(super) const GATEWAY_ACCESS_LINES: Family = Family::new(
    "turnpike_gateway_access_lines_total",
    "HTTP requests while the access log is on, by what became of their line.",
    &["result"],
);
pub(super) const GATEWAY_BACKEND_FAILURES: Family = Family::new(
    "turnpike_gateway_backend_failures_total",
    "Requests that the backend gave no usable answer to, by cause.",
    &["cause"],
);
pub(super) const BACKEND_REQUESTS: Family = Family::new(
    "turnpike_gateway_backend_requests_total",
    "Requests sent to each backend, or tried to, by what came of them.",
    &["backend", "outcome"],
);
pub(super) const BACKEND_DURATION: Family = Family::new(
    "turnpike_gateway_backend_request_duration_seconds",
    "Time that each backend took for its whole answer, or for its failure, connecting included.",
    &["backend"],
);
pub(super) const BACKEND_RETRIES: Family = Family::new(
    "turnpike_gateway_backend_retries_total",
    "Requests that a backend could not be reached for, and that were tried at another one.",
    &["backend"],
);
pub(super) const BACKEND_SESSIONS: Family = Family::new(
    "turnpike_gateway_backend_sessions",
    "Media sessions that live at each backend, offers under way counted in.",
    &["backend"],
);
pub(super) const BACKEND_STATE: Family = Family::new(
    "turnpike_gateway_backend_state",
    "1 for the state that a backend is in, 0 for the others; only a healthy one is given offers as they come.",
    &["backend", "state"],
);
pub(super) const BACKEND_EJECTIONS: Family = Family::new(
    "turnpike_gateway_backend_ejections_total",
    "Times that a backend was given no more offers for a while, since it had failed some.",
    &["backend"],
);
pub(super) const BACKEND_HEALTH_CHECKS_FAILED: Family = Family::new(
    "turnpike_gateway_backend_health_checks_failed_total",
    "Health checks of ours that a backend did not answer as expected.",
    &["backend"],
);
pub(super) const BACKEND_CERTIFICATE_EXPIRY: Family = Family::new(
    "turnpike_gateway_backend_certificate_expiry_timestamp_seconds",
    "When the certificate expires that a backend is shown, in Unix time.",
    &["backend"],
);
pub(super) const BACKEND_CERTIFICATE_FAILURES: Family = Family::new(
    "turnpike_gateway_backend_certificate_reload_failures_total",
    "Looks at the TLS files of a backend that could not be used.",
    &["backend"],
);
pub(super) const IDEMPOTENT_REQUESTS: Family = Family::new(
    "turnpike_gateway_idempotent_requests_total",
    "Offers with an Idempotency-Key, by what came of the key.",
    &["result"],
);
pub(super) const IDEMPOTENT_BYTES: Family = Family::new(
    "turnpike_gateway_idempotent_answers_bytes",
    "Memory that answers take which are kept for their Idempotency-Key.",
    &[],
);
pub(super) const IDEMPOTENT_BYTES_LIMIT: Family = Family::new(
    "turnpike_gateway_idempotent_answers_limit_bytes",
    "Memory that answers may take which are kept for their Idempotency-Key; 0 where none are kept.",
    &[],
);
pub(super) const GATEWAY_KEYS_REFUSED: Family =
    Family::new("turnpike_gateway_keys_refused_total", "Requests that no key opened, by cause.", &["cause"]);
pub(super) const GATEWAY_KEY_EXPIRY: Family = Family::new(
    "turnpike_gateway_key_expiry_timestamp_seconds",
    "When a key expires, in Unix time, by its id; keys that never do are missing.",
    &["key"],
);
pub(super) const GATEWAY_KEY_REQUESTS: Family = Family::new(
    "turnpike_gateway_key_requests_total",
    "Requests with a key of the configuration, by its id and by the class of their answers' status.",
    &["key", "class"],
);
pub(super) const GATEWAY_KEY_LAST_USED: Family = Family::new(
    "turnpike_gateway_key_last_used_timestamp_seconds",
    "When a key last opened something, in Unix time, by its id; 0 if it has not since the start.",
    &["key"],
);
pub(super) const GATEWAY_RATE_LIMITED: Family = Family::new(
    "turnpike_gateway_rate_limited_total",
    "Requests answered with 429 since there were too many, by whose limit it was.",
    &["limit"],
);
pub(super) const GATEWAY_RATE_BUCKETS: Family = Family::new(
    "turnpike_gateway_rate_buckets",
    "Users and sources whose requests are being counted, by the limit that counts them.",
    &["limit"],
);
pub(super) const GATEWAY_RATE_BUCKETS_LIMIT: Family = Family::new(
    "turnpike_gateway_rate_buckets_limit",
    "Users and sources whose requests can be counted at once, by the limit that counts them; limits that are off are missing.",
    &["limit"],
);
pub(super) const GATEWAY_RATE_BUCKETS_EVICTED: Family = Family::new(
    "turnpike_gateway_rate_buckets_evicted_total",
    "Users and sources whose count was given up early, since there were too many of them, by limit.",
    &["limit"],
);
pub(super) const GATEWAY_SDP_REFUSED: Family = Family::new(
    "turnpike_gateway_sdp_refused_total",
    "Offers whose SDP no backend could answer, by flaw.",
    &["flaw"],
);
pub(super) const GATEWAY_CONNECTION_FAILURES: Family = Family::new(
    "turnpike_gateway_connection_failures_total",
    "Client connections that ended before they carried a request, by cause.",
    &["cause"],
);

pub(super) const FRONT_CONNECTIONS: Family = Family::new(
    "turnpike_gateway_connections",
    "Open connections of HTTP clients, by listener.",
    &["listener"],
);
pub(super) const FRONT_CONNECTIONS_LIMIT: Family = Family::new(
    "turnpike_gateway_connections_limit",
    "Open connections of HTTP clients that there may be, by listener.",
    &["listener"],
);
pub(super) const FRONT_CONNECTIONS_REFUSED: Family = Family::new(
    "turnpike_gateway_connections_refused_total",
    "Connections closed at once since there were as many as may be, by listener and whose bound it was.",
    &["listener", "bound"],
);
pub(super) const FRONT_CONNECTIONS_CUT: Family = Family::new(
    "turnpike_gateway_connections_cut_total",
    "Connections ended since they were idle, their client did not read, or their PROXY header was missing, by cause.",
    &["cause"],
);
pub(super) const FRONT_WEB_SOCKETS: Family =
    Family::new("turnpike_gateway_websockets", "WebSockets that are passed on now.", &[]);
pub(super) const FRONT_WEB_SOCKETS_ENDED: Family =
    Family::new("turnpike_gateway_websockets_ended_total", "WebSockets that ended, by why.", &["reason"]);
pub(super) const FRONT_PREFLIGHTS: Family = Family::new(
    "turnpike_gateway_preflights_total",
    "Questions of browsers whether a page may use the gateway, by result.",
    &["result"],
);
pub(super) const RECORDS_WRITTEN: Family =
    Family::new("turnpike_records_written_total", "Records of sessions that are safe in the database.", &[]);
pub(super) const RECORDS_FAILURES: Family = Family::new(
    "turnpike_records_failures_total",
    "Uses of the database of records that failed; writing is tried again.",
    &[],
);
pub(super) const RECORDS_OWED: Family = Family::new(
    "turnpike_records_owed",
    "Records that wait until somebody has taken them, by whom.",
    &["taker"],
);
pub(super) const RECORDS_DELIVERIES: Family = Family::new(
    "turnpike_records_deliveries_total",
    "Records that were brought to somebody, by whom and by what came of it.",
    &["taker", "result"],
);
pub(super) const RECORDS_LOST: Family = Family::new(
    "turnpike_records_lost_total",
    "Records that were not written, or will not be brought to whom they are owed, by cause.",
    &["cause"],
);
pub(super) const TRACES_SPANS_EXPORTED: Family =
    Family::new("turnpike_traces_spans_exported_total", "Spans that the collector of traces has taken.", &[]);
pub(super) const TRACES_SPANS_LOST: Family = Family::new(
    "turnpike_traces_spans_lost_total",
    "Spans that the collector of traces did not get or refused, by cause.",
    &["cause"],
);
pub(super) const HOOK_QUESTIONS: Family = Family::new(
    "turnpike_auth_hook_questions_total",
    "Questions to the auth hook about users, by what came of them.",
    &["result"],
);
pub(super) const HOOK_DURATION: Family = Family::new(
    "turnpike_auth_hook_duration_seconds",
    "Time from a question to the auth hook to its answer, or to its failure.",
    &[],
);
pub(super) const HOOK_TURNED_AWAY: Family = Family::new(
    "turnpike_auth_hook_turned_away_total",
    "Requests that did not wait for the auth hook since too much was asked already, by the bound that was reached.",
    &["bound"],
);
pub(super) const HOOK_WAITING: Family = Family::new(
    "turnpike_auth_hook_waiting_requests",
    "Requests that wait for an answer of the auth hook.",
    &[],
);
pub(super) const HOOK_ANSWERS: Family = Family::new(
    "turnpike_auth_hook_answers",
    "Answers of the auth hook that are kept for further requests, by what they say.",
    &["answer"],
);

#[cfg(test)]
pub(super) const ALL: &[Family] = &[
    BUILD_INFO,
    CERTIFICATE_EXPIRY,
    CERTIFICATE_RELOADS,
    CONFIG_RELOADS,
    CONFIG_LAST_RELOAD,
    GATEWAY_REQUESTS,
    GATEWAY_REQUEST_DURATION,
    GATEWAY_IN_FLIGHT,
    GATEWAY_ACCESS_LINES,
    GATEWAY_BACKEND_FAILURES,
    BACKEND_REQUESTS,
    BACKEND_DURATION,
    BACKEND_RETRIES,
    BACKEND_SESSIONS,
    BACKEND_STATE,
    BACKEND_EJECTIONS,
    BACKEND_HEALTH_CHECKS_FAILED,
    BACKEND_CERTIFICATE_EXPIRY,
    BACKEND_CERTIFICATE_FAILURES,
    IDEMPOTENT_REQUESTS,
    IDEMPOTENT_BYTES,
    IDEMPOTENT_BYTES_LIMIT,
    GATEWAY_KEYS_REFUSED,
    GATEWAY_KEY_EXPIRY,
    GATEWAY_KEY_LAST_USED,
    GATEWAY_KEY_REQUESTS,
    GATEWAY_RATE_LIMITED,
    GATEWAY_RATE_BUCKETS,
    GATEWAY_RATE_BUCKETS_LIMIT,
    GATEWAY_RATE_BUCKETS_EVICTED,
    GATEWAY_SDP_REFUSED,
    GATEWAY_CONNECTION_FAILURES,
    SESSIONS,
    SESSIONS_LIMIT,
    SESSIONS_BEGAN,
    SESSIONS_ENDED,
    SESSIONS_REFUSED,
    SESSION_DURATION,
    SESSION_SETUP,
    SESSION_LOSS,
    SESSION_JITTER,
    SESSION_ROUND_TRIP,
    SESSION_FRAME_RATE,
    USER_BYTES,
    FRONT_CONNECTIONS,
    FRONT_CONNECTIONS_LIMIT,
    FRONT_CONNECTIONS_REFUSED,
    FRONT_CONNECTIONS_CUT,
    FRONT_WEB_SOCKETS,
    FRONT_WEB_SOCKETS_ENDED,
    FRONT_PREFLIGHTS,
    RELAY_PACKETS,
    RELAY_BYTES,
    RELAY_DROPPED,
    RELAY_HANDED_OVER,
    RELAY_LISTENER_DROPS,
    RELAY_RECEIVED,
    RELAY_BATCHES,
    RELAY_PORTS,
    RELAY_PORTS_FREE,
    RELAY_READY,
    RELAY_WORKERS,
    RELAY_WORKER_CPU,
    RELAY_BANDWIDTH,
    RELAY_BANDWIDTH_LIMIT,
    CAPACITY,
    RELAY_OFFLOAD_WORKERS,
    RELAY_CONNECTIONS,
    RELAY_CONNECTIONS_LIMIT,
    RELAY_CONNECTIONS_ACCEPTED,
    RELAY_CONNECTIONS_CLOSED,
    RELAY_PEER_CONNECTIONS,
    RELAY_PEER_CONNECTIONS_OPENED,
    EMBEDDED_CLIENTS,
    EMBEDDED_OFFERS,
    EMBEDDED_FRAMES,
    EMBEDDED_PREDICTIONS,
    EMBEDDED_KEY_FRAME_REQUESTS,
    EMBEDDED_DETECTION,
    EMBEDDED_LATENCY,
    RECORDS_WRITTEN,
    RECORDS_FAILURES,
    RECORDS_OWED,
    RECORDS_DELIVERIES,
    RECORDS_LOST,
    TRACES_SPANS_EXPORTED,
    TRACES_SPANS_LOST,
    HOOK_QUESTIONS,
    HOOK_DURATION,
    HOOK_TURNED_AWAY,
    HOOK_WAITING,
    HOOK_ANSWERS,
    TURN_REQUESTS,
    TURN_RESPONSES,
    TURN_AUTH_FAILURES,
    TURN_ALLOCATIONS,
    TURN_ALLOCATIONS_LIMIT,
    TURN_ALLOCATIONS_ANONYMOUS,
    TURN_GRANTS_BLOCKED,
    TURN_ALLOCATIONS_CREATED,
    TURN_ALLOCATIONS_MOVED,
    TURN_ALLOCATION_CLAIMS,
    TURN_ALLOCATIONS_ENDED,
    TURN_ALLOCATIONS_REFUSED,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn declares_each_name_once_and_validly() {
        let names: BTreeSet<String> = ALL.iter().map(|family| family.desc().fq_name).collect();

        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn says_in_one_sentence_what_is_counted() {
        for family in ALL {
            assert!(family.help.ends_with('.') && !family.help.contains('\n'), "{}", family.name);
        }
    }
}
