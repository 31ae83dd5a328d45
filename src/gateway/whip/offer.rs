//! An offer and its answer as WHIP writes them, and as the backend does.

use bytes::Bytes;
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::routes::PATH;
use crate::gateway::backends::BackendError;
use crate::gateway::http::ids::SessionId;
use crate::gateway::http::reject::Reject;
use crate::gateway::keys::{Scope, gather_keys};
use crate::gateway::offer::{FieldError, Form, Offer, SdpCheck};

/// SDP in, SDP out; the backend has its JSON.
pub(super) struct Sdp;

impl Form for Sdp {
    const SCOPE: Scope = Scope::Whip;
    /// RFC 9725 §4.6.
    const NAMES_ICE_SERVERS: bool = true;

    /// RFC 9725 §4.2: the content type must be application/sdp.
    fn admit(head: &Parts) -> Result<(), Reject> {
        if is_sdp(&head.headers) { Ok(()) } else { Err(Reject::NotSdp) }
    }

    fn read(head: &mut Parts, body: Bytes, check: &SdpCheck) -> Result<Offer, Reject> {
        let (mut errors, mut relayed) = (Vec::new(), Vec::new());
        let sdp = std::str::from_utf8(&body).unwrap_or_default();
        if body.trim_ascii().is_empty() {
            errors.push(FieldError::missing(&["body"]));
        } else if sdp.is_empty() {
            errors.push(FieldError::not_utf8(&["body"]));
        } else {
            match check.check(sdp) {
                Ok(found) => relayed = found,
                Err(invalid) => errors.push(FieldError::sdp_invalid(&["body"], &invalid)),
            }
        }
        let user_id = user_id(head.uri.query().unwrap_or_default(), &mut errors);
        if !errors.is_empty() {
            return Err(Reject::BodyInvalid(errors));
        }
        let body = BackendOffer { sdp, r#type: "offer", user_id: user_id.as_deref() }.to_json();
        prepare(head);
        Ok(Offer { user_id, body, relayed })
    }

    /// An error of the backend's stays what it is: WHIP clients look at the status alone.
    fn write(answer: Response<Bytes>, session: &SessionId) -> Result<Response<Bytes>, BackendError> {
        if !answer.status().is_success() {
            return Ok(answer);
        }
        let (mut head, body) = answer.into_parts();
        let BackendAnswer { sdp, r#type } =
            serde_json::from_slice(&body).map_err(|_| BackendError::NoAnswer)?;
        if r#type != "answer" || sdp.is_empty() {
            return Err(BackendError::NoAnswer);
        }
        head.status = StatusCode::CREATED;
        head.headers.insert(header::CONTENT_TYPE, APPLICATION_SDP);
        head.headers.insert(header::LOCATION, to_header(format!("{PATH}/{session}")));
        // RFC 9725 §4.3.1: a strong tag of the ICE session, of which there is only one as long as ICE cannot restart.
        head.headers.insert(header::ETAG, to_header(format!("\"{session}\"")));
        Ok(Response::from_parts(head, sdp.into()))
    }
}

#[derive(Serialize)]
struct BackendOffer<'a> {
    sdp: &'a str,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
}

impl BackendOffer<'_> {
    fn to_json(&self) -> Bytes {
        serde_json::to_vec(self).expect("a struct of strings is always JSON").into()
    }
}

#[derive(Deserialize)]
struct BackendAnswer {
    sdp: String,
    r#type: String,
}

/// Parameters may follow the type, in whatever case.
fn is_sdp(headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (given.next(), given.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/sdp")
}

/// WHIP has no place for a user, and clients such as OBS have settings for a URL and a token alone.
fn user_id(query: &str, errors: &mut Vec<FieldError>) -> Option<String> {
    let mut given = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "user_id");
    let (_, user_id) = given.next()?;
    if given.next().is_some() {
        errors.push(FieldError::repeated(&["query", "user_id"]));
    }
    errors.extend(FieldError::long_user_id(&["query", "user_id"], &user_id));
    Some(user_id.into_owned())
}

/// What the client says of its own body and query does not hold for the backend's; and a backend that is to be sent the
/// key looks for it in `api-key`.
fn prepare(head: &mut Parts) {
    let mut uri = std::mem::take(&mut head.uri).into_parts();
    uri.path_and_query = Some(PathAndQuery::from_static(PATH));
    head.uri = Uri::from_parts(uri).expect("a URI is one with another path, too");
    head.headers.insert(header::CONTENT_TYPE, APPLICATION_JSON);
    head.headers.insert(header::ACCEPT, APPLICATION_JSON);
    gather_keys(&mut head.headers);
}

fn to_header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("ids have letters, digits, - and _ only")
}

pub(in crate::gateway) const APPLICATION_SDP: HeaderValue = HeaderValue::from_static("application/sdp");
const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");
