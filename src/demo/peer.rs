//! `Peer`: the backend's end of one client's connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::timeout;
use tracing::{debug, info};
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::error::{Error, Result};
use webrtc::media_stream::track_remote::TrackRemote;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCPeerConnectionState, RTCSessionDescription, SettingEngineBuilder, crypto,
};

use super::inference::{Inference, Prediction};
use super::media_engine::media_engine;
use super::settings::EmbeddedSettings;
use super::video_track::VideoTrack;
use crate::telemetry::{EmbeddedMetrics, ErrorChain};

/// What every peer needs.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) settings: EmbeddedSettings,
    pub(super) inference: Inference,
    pub(super) metrics: EmbeddedMetrics,
}

/// Answers an offer, and serves its client until the connection ends. The place is given back then.
pub(super) async fn answer(
    around: &Arc<Surroundings>,
    offer: String,
    place: OwnedSemaphorePermit,
) -> Result<String> {
    let offer = RTCSessionDescription::offer(offer)?;
    let (predictions, waiting) = mpsc::channel(MOST_PREDICTIONS);
    let (state, mut states) = watch::channel(State::default());
    let peer = Peer {
        around: Arc::clone(around),
        predictions,
        waiting: std::sync::Mutex::new(Some(waiting)),
        state,
    };
    let connection: Arc<dyn PeerConnection> = Arc::new(connect(around, Arc::new(peer)).await?);
    let answered = timeout(ANSWER_PATIENCE, async {
        connection.set_remote_description(offer).await?;
        let answer = connection.create_answer(None).await?;
        connection.set_local_description(answer).await?;
        // The candidates are this machine's own, so they are there at once.
        let _ = states.wait_for(|state| state.has_gathered).await;
        connection.local_description().await.ok_or(Error::ErrConnectionClosed)
    });
    match answered.await.unwrap_or(Err(Error::ErrTimeout)) {
        Ok(answer) => {
            tokio::spawn(serve(Arc::clone(around), connection, states, place));
            Ok(answer.sdp)
        }
        Err(error) => {
            close(&*connection).await;
            Err(error)
        }
    }
}

async fn connect(around: &Surroundings, handler: Arc<Peer>) -> Result<impl PeerConnection + use<>> {
    let (engine, registry) = media_engine(&around.settings.codecs)?;
    let settings = SettingEngineBuilder::new()
        .with_crypto_provider(Arc::new(crypto::providers::AwsLcRsProvider::new()))
        // It waits to be found, and sends nothing to where an offer points (RFC 8445 §2.5).
        .with_lite(true)
        .with_include_loopback_candidate(true)
        .with_ice_timeouts(Some(SILENCE), Some(SILENCE), None)
        .build();
    let any_port = |address: &IpAddr| SocketAddr::new(*address, 0);
    PeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .with_handler(handler)
        .with_udp_addrs(around.settings.media_addresses.iter().map(any_port).collect())
        // What HTTP does must not delay media.
        .with_dedicated_reactor_pool_size(1)
        .with_data_channel_send_buffer_limit(MOST_UNSENT_BYTES)
        .build()
        .await
}

/// Waits for the end of a connection.
async fn serve(
    around: Arc<Surroundings>,
    connection: Arc<dyn PeerConnection>,
    mut states: watch::Receiver<State>,
    place: OwnedSemaphorePermit,
) {
    around.metrics.client_came();
    let connected = states.wait_for(|state| state.is_connected || state.has_ended);
    let has_connected = timeout(CONNECT_PATIENCE, connected).await.is_ok();
    if has_connected {
        let _ = states.wait_for(|state| state.has_ended).await;
    }
    let reason = if has_connected { "the connection ended" } else { "it never connected" };
    info!(reason, "client of the embedded backend left");
    close(&*connection).await;
    around.metrics.client_left();
    drop(place);
}

async fn close(connection: &dyn PeerConnection) {
    if let Err(error) = connection.close().await {
        debug!(error = %ErrorChain(&error), "connection not closed in order");
    }
}

/// How far a connection has come.
#[derive(Debug, Default, Clone, Copy)]
struct State {
    has_gathered: bool,
    is_connected: bool,
    has_ended: bool,
}

/// Hears what happens to the connection.
struct Peer {
    around: Arc<Surroundings>,
    predictions: mpsc::Sender<Prediction>,
    /// Taken by the channel that they are sent on.
    waiting: std::sync::Mutex<Option<mpsc::Receiver<Prediction>>>,
    state: watch::Sender<State>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Peer {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.state.send_modify(|state| state.has_gathered = true);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        debug!(?state, "connection of the embedded backend");
        match state {
            RTCPeerConnectionState::Connected => self.state.send_modify(|state| state.is_connected = true),
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                self.state.send_modify(|state| state.has_ended = true);
            }
            // Others may come in a later version of the library, and these tell nothing.
            RTCPeerConnectionState::Unspecified
            | RTCPeerConnectionState::New
            | RTCPeerConnectionState::Connecting
            | RTCPeerConnectionState::Disconnected
            | _ => {}
        }
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let label = channel.label().await.unwrap_or_default();
        // All channels are read, so that none fills up; only one is written to.
        let waiting = match self.waiting.lock() {
            Ok(mut waiting) if label == RESULTS => waiting.take(),
            _ => None,
        };
        let (metrics, state) = (self.around.metrics.clone(), self.state.clone());
        tokio::spawn(async move {
            match waiting {
                Some(waiting) => {
                    tell(&*channel, waiting, &metrics).await;
                    // Whoever wants no predictions any more is gone.
                    state.send_modify(|state| state.has_ended = true);
                }
                None => {
                    while channel
                        .poll()
                        .await
                        .is_some_and(|event| !matches!(event, DataChannelEvent::OnClose))
                    {
                    }
                }
            }
        });
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let around = Arc::clone(&self.around);
        let predictions = self.predictions.clone();
        tokio::spawn(async move {
            match VideoTrack::new(track, &around, predictions).await {
                Ok(track) => track.receive(&around).await,
                Err(reason) => info!(reason, "track of a client is not looked at"),
            }
        });
    }
}

/// Sends predictions as they come; what the client says is not listened to.
async fn tell(channel: &dyn DataChannel, mut waiting: mpsc::Receiver<Prediction>, metrics: &EmbeddedMetrics) {
    let mut is_open = false;
    loop {
        tokio::select! {
            event = channel.poll() => match event {
                Some(DataChannelEvent::OnOpen) => is_open = true,
                Some(DataChannelEvent::OnClose) | None => return,
                Some(_) => {}
            },
            Some(prediction) = waiting.recv(), if is_open => {
                let text = serde_json::to_string(&prediction).unwrap_or_default();
                // A client that reads too slowly misses some, and gets the newest.
                metrics.prediction(channel.try_send_text(&text).await.is_ok());
            }
        }
    }
}

/// The channel that clients open for predictions.
const RESULTS: &str = "results";
/// Half a second of them; they wait only while the channel opens.
const MOST_PREDICTIONS: usize = 16;
/// A second of many boxes.
const MOST_UNSENT_BYTES: usize = 256 << 10;
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// A client that is silent for twice this long has left; ICE speaks each few seconds.
const SILENCE: Duration = Duration::from_secs(8);
/// As long as ICE tries by itself.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);
