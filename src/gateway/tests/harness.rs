//! A running gateway, backends to put behind it, and clients to put in front.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::gateway::{
    ApiKey, BackendUrl, BackendsHandle, BackendsSettings, Controls, Drain, Gateway, Operations, ReloadReport,
    SessionId, SessionsHandle, Settings, Updater, Usage,
};
use crate::telemetry::{LogFilter, Metrics, Traces};

pub(super) const KEY: &str = "open-sesame";

/// A usable SDP, as JSON writes it.
macro_rules! sdp {
    () => {
        concat!(
            r"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
            r"a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=setup:actpass\r\n",
            r"a=fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB\r\n",
        )
    };
}
pub(super) const SDP_IN_JSON: &str = sdp!();
pub(super) const OFFER: &str = concat!(r#"{ "sdp": ""#, sdp!(), r#"",  "type": "offer" }"#);

pub(super) struct Running {
    pub(super) address: SocketAddr,
    controls: Controls,
    backend_settings: BackendsSettings,
    pub(super) updater: Updater,
    pub(super) drain: Drain,
    pub(super) metrics: Metrics,
    pub(super) backends: BackendsHandle,
    pub(super) sessions: SessionsHandle,
    pub(super) stop: oneshot::Sender<()>,
    pub(super) task: JoinHandle<()>,
}

/// Starts a gateway on a free port, with settings for tests changed as the test likes.
pub(super) async fn start(backend: SocketAddr, change: impl FnOnce(&mut Settings)) -> Running {
    start_traced(backend, Traces::default(), change).await
}

/// The same with traces.
pub(super) async fn start_traced(
    backend: SocketAddr,
    traces: Traces,
    change: impl FnOnce(&mut Settings),
) -> Running {
    let mut settings = Settings {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        backends: BackendsSettings::of_one(url_of(backend)),
        keys: vec![ApiKey::new("app", KEY)],
        ..Settings::default()
    };
    change(&mut settings);
    let metrics = Metrics::new();
    let gateway = Gateway::bind(&settings, &metrics).await.unwrap();
    let address = gateway.local_addr().unwrap().unwrap();
    let controls = Controls::new(&gateway, Arc::new(TestOperations::default()));
    let (updater, drain) = (gateway.updater(), gateway.drain());
    let (backends, sessions) = (gateway.backends(), gateway.sessions());
    gateway.join_traces(traces);
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(gateway.serve(async {
        let _ = stopped.await;
    }));
    let backend_settings = settings.backends;
    Running { address, controls, backend_settings, updater, drain, metrics, backends, sessions, stop, task }
}

/// A process that remembers its log level, and whose configuration is right or broken as the test likes.
#[derive(Default)]
pub(super) struct TestOperations {
    level: Mutex<String>,
    pub(super) is_broken: AtomicBool,
}

impl Operations for TestOperations {
    fn reload(&self) -> Result<ReloadReport, String> {
        if self.is_broken.load(Ordering::SeqCst) {
            return Err("turnpike.toml:1:1: turn: no table".to_owned());
        }
        Ok(ReloadReport { changed: vec!["gateway.sessions.total".to_owned()], needs_restart: Vec::new() })
    }

    fn log_level(&self) -> String {
        self.level.lock().unwrap().clone()
    }

    fn set_log_level(&self, level: &str) -> Result<(), String> {
        let checked = LogFilter::parse(level).map_err(|error| error.to_string());
        checked.map(|filter| filter.as_str().clone_into(&mut self.level.lock().unwrap()))
    }
}

impl Running {
    /// What operators may do with it.
    pub(super) fn controls(&self) -> Controls {
        self.controls.clone()
    }

    /// Exchanges settings, as a reload does; but for the backend, those that the test does not change become the defaults.
    pub(super) fn update(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = Settings {
            keys: vec![ApiKey::new("app", KEY)],
            backends: self.backend_settings.clone(),
            ..Settings::default()
        };
        change(&mut settings);
        self.updater.update(&settings).unwrap();
    }

    pub(super) async fn offer(&self, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let mut all = vec![("api-key", KEY), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.request(Method::POST, "/skin/webrtc/offer", &all, body).await
    }

    /// Opens a session of a user, for which the relay says that it has carried so much.
    pub(super) async fn relay_for(&self, user_id: &str, bytes_to_peer: u64) {
        let body = json!({"sdp": SDP_IN_JSON.replace(r"\r\n", "\r\n"), "type": "offer", "user_id": user_id});
        let answer = self.offer(&[], body.to_string()).await;
        let session = SessionId::parse(answer.header("x-session-id")).unwrap();
        self.sessions.relayed(&session, Usage { bytes_to_peer, ..Usage::default() });
    }

    pub(super) async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        request(self.address, method, path, headers, body).await
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Waits until the exposition has a line.
    pub(super) async fn eventually_shows(&self, line: &str) {
        let shows = async {
            while !self.shows(line) {
                tokio::task::yield_now().await;
            }
        };
        within(shows).await;
    }

    /// Whether the exposition has a line.
    pub(super) fn shows(&self, line: &str) -> bool {
        self.metrics.exposition().unwrap().lines().any(|shown| shown == line)
    }
}

pub(super) async fn request(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = http::Request::builder().method(method).uri(path);
    if headers.iter().all(|&(name, _)| name != "host") {
        request = request.header("host", "turn.example");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    within(async {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    })
    .await
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that the answer is a problem of the gateway's own, in the shape of both readers.
    pub(super) fn assert_problem(&self, status: u16, code: &str) {
        let problem = self.json();
        assert_eq!(self.status, status, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], "about:blank", "{problem}");
        assert!(problem["title"].is_string() && !problem["detail"].is_null(), "{problem}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{problem}");
        assert_eq!(self.header("content-type"), "application/json");
    }
}

/// A backend that answers with what a function makes of each request, and remembers the requests.
pub(super) struct TestBackend {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl TestBackend {
    pub(super) async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Seen) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send,
    {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let remembered = Arc::clone(&seen);
        let router = Router::new().fallback(async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let request = Seen { method: head.method, uri: head.uri, headers: head.headers, body };
            remembered.lock().unwrap().push(request.clone());
            answer(request).await
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { address, seen }
    }

    /// Answers everything with 200 and an answer.
    pub(super) async fn agreeable() -> Self {
        Self::start(async |_| json_response(200, ANSWER)).await
    }

    /// Answers everything with a status that can be changed.
    pub(super) async fn of_status(status: u16) -> (Self, Arc<AtomicU16>) {
        let status = Arc::new(AtomicU16::new(status));
        let shared = Arc::clone(&status);
        let backend = Self::start(move |_| {
            let status = shared.load(Ordering::SeqCst);
            async move { json_response(status, ANSWER) }
        })
        .await;
        (backend, status)
    }

    /// Tells of each request, and answers it when it is told to.
    pub(super) async fn held() -> (Self, mpsc::Receiver<()>, Arc<Semaphore>) {
        let (reached, reaches) = mpsc::channel(8);
        let go = Arc::new(Semaphore::new(0));
        let shared = Arc::clone(&go);
        let backend = Self::start(move |_| {
            let (reached, go) = (reached.clone(), Arc::clone(&shared));
            async move {
                reached.send(()).await.unwrap();
                go.acquire().await.unwrap().forget();
                json_response(200, ANSWER)
            }
        })
        .await;
        (backend, reaches, go)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

pub(super) const ANSWER: &str = "{\"sdp\":\"v=0\\r\\n\",  \"type\":\"answer\"}\n";

pub(super) fn json_response(status: u16, body: impl Into<Body>) -> Response {
    Response::builder().status(status).header("content-type", "application/json").body(body.into()).unwrap()
}

/// A backend of raw sockets: each connection is handed to a function. Returns the count of connections.
pub(super) async fn raw_backend<F, R>(serve: F) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (address, count)
}

/// Reads one request with a Content-Length; `None` at the end of the stream.
pub(super) async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = String::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => text.push_str(std::str::from_utf8(&chunk[..length]).unwrap()),
        }
    }
}

/// Everything that comes until the gateway closes.
pub(super) async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset ends the stream as well as an orderly close.
    let _ = within(stream.read_to_end(&mut bytes)).await;
    String::from_utf8(bytes).unwrap()
}

/// The beginning of an answer, whatever follows it.
pub(super) async fn read_status(stream: &mut TcpStream) -> String {
    let mut status = [0; "HTTP/1.1 200".len()];
    within(stream.read_exact(&mut status)).await.unwrap();
    String::from_utf8(status.to_vec()).unwrap()
}

pub(super) async fn write(stream: &mut TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).await.unwrap();
}

/// Waits for an event that must come; the time is only there to end a test that fails.
pub(super) async fn within<F: Future>(event: F) -> F::Output {
    timeout(Duration::from_secs(20), event).await.expect("the event came in time")
}

pub(super) fn url_of(backend: SocketAddr) -> BackendUrl {
    BackendUrl::parse(&format!("http://{backend}")).unwrap()
}

/// An address on which nobody listens.
pub(super) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
