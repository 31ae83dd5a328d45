//! `EmbeddedBackend`: the API that every inference backend has, in this process.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tracing::{error, info};

use super::error::EmbeddedError;
use super::inference::{Detector, Inference, MakeDetector};
use super::lesion::LesionDetector;
#[cfg(feature = "onnx")]
use super::onnx::{OnnxDetector, OnnxModel};
use super::page;
use super::peer::{self, Surroundings};
#[cfg(feature = "onnx")]
use super::settings::OnnxSettings;
use super::settings::{DetectorChoice, EmbeddedSettings};
use crate::telemetry::{EmbeddedMetrics, ErrorChain, OfferResult};

/// The running backend; dropped, it takes no more offers.
#[derive(Debug)]
pub struct EmbeddedBackend {
    address: SocketAddr,
    server: AbortHandle,
}

#[derive(Debug, Clone)]
struct Backend {
    around: Arc<Surroundings>,
    places: Arc<Semaphore>,
}

/// What a client posts; more than this is left unread.
#[derive(Debug, Deserialize)]
struct Offer {
    sdp: String,
    r#type: OfferType,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OfferType {
    Offer,
}

#[derive(Debug, Serialize)]
struct Answer {
    sdp: String,
    r#type: &'static str,
}

impl EmbeddedBackend {
    /// Loads the detector and begins to take offers, on a port of this machine that nobody else reaches.
    pub async fn start(settings: &EmbeddedSettings, metrics: EmbeddedMetrics) -> Result<Self, EmbeddedError> {
        let (make_detector, batch) = detector(&settings.detector)?;
        let threads = settings.threads.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let inference = Inference::start(threads, batch, &*make_detector, metrics.clone());
        let around = Surroundings {
            settings: settings.clone(),
            inference: inference.map_err(EmbeddedError::Threads)?,
            metrics,
        };
        let backend =
            Backend { around: Arc::new(around), places: Arc::new(Semaphore::new(settings.most_clients)) };
        let listen = async || -> io::Result<(TcpListener, SocketAddr)> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().await.map_err(EmbeddedError::Listen)?;
        let routes = routes(backend);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, routes).await {
                error!(error = %ErrorChain(&error), "the embedded backend takes no more offers");
            }
        });
        info!(%address, detector = %settings.detector, threads, "embedded backend serves");
        Ok(Self { address, server: server.abort_handle() })
    }

    /// Where it takes offers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for EmbeddedBackend {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn detector(choice: &DetectorChoice) -> Result<(Box<MakeDetector>, NonZeroUsize), EmbeddedError> {
    match choice {
        DetectorChoice::Lesion => {
            Ok((Box::new(|| Box::new(LesionDetector::default()) as Box<dyn Detector>), NonZeroUsize::MIN))
        }
        #[cfg(feature = "onnx")]
        DetectorChoice::Onnx(OnnxSettings { model, threshold, batch }) => {
            let model = Arc::new(OnnxModel::load(model, *batch, *threshold).map_err(EmbeddedError::Model)?);
            let batch = NonZeroUsize::new(model.pictures_at_once()).unwrap_or(NonZeroUsize::MIN);
            info!(classes = model.names().len(), batch, "model loaded");
            let make = move || Box::new(OnnxDetector::new(Arc::clone(&model))) as Box<dyn Detector>;
            Ok((Box::new(make), batch))
        }
        #[cfg(not(feature = "onnx"))]
        DetectorChoice::Onnx(_) => Err(EmbeddedError::NoOnnx),
    }
}

fn routes(backend: Backend) -> Router {
    Router::new()
        .route("/skin/webrtc/offer", post(take_offer))
        .route("/skin/webrtc/health", get(tell_health))
        .merge(page::routes())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(backend)
}

async fn tell_health() -> Json<serde_json::Value> {
    Json(json!({ "status": "WebRTC Skin API healthy" }))
}

async fn take_offer(
    State(backend): State<Backend>,
    offer: Result<Json<Offer>, axum::extract::rejection::JsonRejection>,
) -> Response {
    let metrics = &backend.around.metrics;
    let Json(Offer { sdp, r#type: OfferType::Offer }) = match offer {
        Ok(offer) => offer,
        Err(rejection) => {
            metrics.offer(OfferResult::Malformed);
            return refusal(rejection.status(), rejection.body_text());
        }
    };
    let Ok(place) = Arc::clone(&backend.places).try_acquire_owned() else {
        metrics.offer(OfferResult::Full);
        let most = backend.around.settings.most_clients;
        let detail = format!("the embedded backend serves {most} clients, and no more; try again later");
        let retry_after = [(header::RETRY_AFTER, HeaderValue::from_static("5"))];
        return (retry_after, refusal(StatusCode::SERVICE_UNAVAILABLE, detail)).into_response();
    };
    match peer::answer(&backend.around, sdp, place).await {
        Ok(sdp) => {
            metrics.offer(OfferResult::Answered);
            Json(Answer { sdp, r#type: "answer" }).into_response()
        }
        Err(error) => {
            metrics.offer(OfferResult::Unanswerable);
            refusal(StatusCode::BAD_REQUEST, format!("the offer cannot be answered: {}", ErrorChain(&error)))
        }
    }
}

fn refusal(status: StatusCode, detail: String) -> Response {
    (status, Json(json!({ "detail": detail }))).into_response()
}

/// As the gateway has it by default.
const LARGEST_BODY: usize = 256 << 10;
