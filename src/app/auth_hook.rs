//! Asks the operator's own service over HTTP who users are; docs/AUTH-HOOK.md is the contract.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tracing::{debug, info, warn};

use crate::config::AuthHook;
use crate::https_client::{HttpsClient, https_client};
use crate::relay::{self, Answer, Question};
use crate::secret::Secret;
use crate::telemetry::ErrorChain;
use crate::tls;
use crate::turn::credential::{UserKey, key_from_hex};

/// What the relay asks by; the questions travel on this runtime.
pub(super) fn auth_hook(settings: &AuthHook, runtime: Handle) -> anyhow::Result<relay::AuthHook> {
    let client = Arc::new(HookClient::new(settings)?);
    let ask = move |question: Question| {
        let client = Arc::clone(&client);
        runtime.spawn(async move {
            let answer = client.ask(&question).await;
            question.answer(answer);
        });
    };
    Ok(relay::AuthHook { settings: settings.relay, ask: Box::new(ask) })
}

struct HookClient {
    client: HttpsClient,
    uri: http::Uri,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    slots: Semaphore,
    /// So that a service that is down is told of once, and not by each client that comes.
    is_failing: AtomicBool,
}

/// What the service is asked.
#[derive(Debug, Serialize)]
struct Asked<'a> {
    username: &'a str,
    realm: &'a str,
    client_ip: String,
    transport: &'a str,
}

/// What it answers with 200.
#[derive(Debug, Deserialize)]
struct Answered {
    allow: Option<bool>,
    password: Option<Secret>,
    key: Option<Secret>,
    sha256_key: Option<Secret>,
    ttl_seconds: Option<u64>,
    expires_at: Option<u64>,
}

/// Why there is no answer that could be used.
#[derive(Debug, thiserror::Error)]
enum HookError {
    #[error("it cannot be asked")]
    Unreachable(#[source] hyper_util::client::legacy::Error),
    #[error("it answered with status {0}")]
    Status(StatusCode),
    #[error("its answer broke off, or is longer than {MOST_ANSWER_BYTES} bytes")]
    Body(#[source] Box<dyn Error + Send + Sync>),
    #[error("its answer is not the JSON that it should be")]
    Json(#[source] serde_json::Error),
    #[error("its answer has neither a password nor a key, or both")]
    NoKey,
    #[error("its answer has a key that is not of hexadecimal digits, or too long or too short")]
    MalformedKey,
    #[error("it took longer than {} ms", .0.as_millis())]
    TimedOut(Duration),
}

impl HookClient {
    fn new(settings: &AuthHook) -> anyhow::Result<Self> {
        let tls = match settings.url.is_secure() {
            true => tls::client_config(settings.ca_file.as_deref()).context("turn.auth_hook")?,
            false => tls::client_config_of_nobody(),
        };
        let client = https_client(tls, settings.timeout, IDLE_CONNECTION);
        let bearer = |token: &Secret| {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose()));
            let mut value = value.context("turn.auth_hook.token has characters that no header can carry")?;
            value.set_sensitive(true);
            anyhow::Ok(value)
        };
        Ok(Self {
            client,
            uri: settings.url.uri().clone(),
            authorization: settings.token.as_ref().map(bearer).transpose()?,
            timeout: settings.timeout,
            slots: Semaphore::new(settings.max_connections),
            is_failing: AtomicBool::new(false),
        })
    }

    /// Asks once; whatever is no clear answer lets nobody in.
    async fn ask(&self, question: &Question) -> Answer {
        let exchange = tokio::time::timeout(self.timeout, self.exchange(question));
        let error = match exchange.await.unwrap_or(Err(HookError::TimedOut(self.timeout))) {
            Ok(answer) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    info!("auth hook answers again");
                }
                return answer;
            }
            Err(error) => error,
        };
        let reason = ErrorChain(&error);
        if self.is_failing.swap(true, Ordering::Relaxed) {
            debug!(%reason, "auth hook failed");
        } else {
            warn!(%reason, "auth hook failed; users whom it alone knows get 500");
        }
        match error {
            HookError::TimedOut(_) => Answer::TimedOut,
            HookError::Unreachable(_)
            | HookError::Status(_)
            | HookError::Body(_)
            | HookError::Json(_)
            | HookError::NoKey
            | HookError::MalformedKey => Answer::Failed,
        }
    }

    async fn exchange(&self, question: &Question) -> Result<Answer, HookError> {
        let _slot = self.slots.acquire().await;
        let response = self.client.request(self.request(question)).await.map_err(HookError::Unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => return Ok(Answer::Refused { keep_for: None }),
            status => return Err(HookError::Status(status)),
        }
        let body = Limited::new(response.into_body(), MOST_ANSWER_BYTES).collect().await;
        read(&body.map_err(HookError::Body)?.to_bytes())
    }

    fn request(&self, question: &Question) -> Request<Full<Bytes>> {
        let asked = Asked {
            username: question.username(),
            realm: question.realm(),
            client_ip: question.client().ip().to_canonical().to_string(),
            transport: question.transport().label(),
        };
        let body = serde_json::to_vec(&asked).expect("strings are JSON");
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }
}

fn read(body: &[u8]) -> Result<Answer, HookError> {
    let answered: Answered = serde_json::from_slice(body).map_err(HookError::Json)?;
    let Answered { allow, password, key, sha256_key, ttl_seconds, expires_at: expires } = answered;
    let keep_for = ttl_seconds.map(Duration::from_secs);
    if allow == Some(false) {
        return Ok(Answer::Refused { keep_for });
    }
    let key = match (password, key, sha256_key) {
        (Some(password), None, None) if !password.is_empty() => UserKey::Password(password),
        (None, None, None) | (Some(_), ..) => return Err(HookError::NoKey),
        (None, md5, sha256) => UserKey::derived(hex(md5.as_ref())?, hex(sha256.as_ref())?),
    };
    Ok(Answer::Granted { key, keep_for, expires })
}

/// A key, if one is given.
fn hex<const N: usize>(key: Option<&Secret>) -> Result<Option<[u8; N]>, HookError> {
    key.map(|key| key_from_hex(key).ok_or(HookError::MalformedKey)).transpose()
}

/// A password, two keys and two numbers have less than a kilobyte.
const MOST_ANSWER_BYTES: usize = 16 << 10;
/// Below the 5 s after which uvicorn closes an idle connection, so that a question is not sent into a closing one.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "8493fbc53ba582fb4c044c456bdc40eb";

    #[test]
    fn reads_users() {
        let body =
            format!(r#"{{"key": "{MD5}", "ttl_seconds": 30, "expires_at": 1800000000, "name": "Alice"}}"#);
        let Ok(Answer::Granted { key, keep_for, expires }) = read(body.as_bytes()) else { panic!() };
        assert!(matches!(key, UserKey::Derived { md5: Some(_), sha256: None }));
        assert_eq!((keep_for, expires), (Some(Duration::from_secs(30)), Some(1_800_000_000)));

        let Ok(Answer::Granted { key, keep_for, expires }) = read(br#"{"password": "x", "allow": true}"#)
        else {
            panic!()
        };
        assert!(matches!(key, UserKey::Password(password) if password.expose() == "x"));
        assert_eq!((keep_for, expires), (None, None));
    }

    #[test]
    fn reads_refusals() {
        let Ok(Answer::Refused { keep_for }) = read(br#"{"allow": false, "ttl_seconds": 3}"#) else {
            panic!()
        };
        assert_eq!(keep_for, Some(Duration::from_secs(3)));
    }

    #[test]
    fn what_is_not_clear_is_no_answer() {
        for body in [
            "",
            "null",
            "[]",
            "{}",
            r#"{"allow": true}"#,
            r#"{"password": 5}"#,
            r#"{"password": ""}"#,
            r#"{"password": "x", "key": "8493fbc53ba582fb4c044c456bdc40eb"}"#,
            r#"{"key": "8493"}"#,
            r#"{"sha256_key": "8493fbc53ba582fb4c044c456bdc40eb"}"#,
            r#"{"password": "x", "ttl_seconds": -1}"#,
            r#"{"allow": "no"}"#,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
