//! What an operator can choose about the backends.

use std::net::SocketAddr;
use std::time::Duration;

use super::url::BackendUrl;
use crate::secret::Secret;
use crate::tls::ClientFiles;

/// Settings of all backends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendsSettings {
    /// The backends, 1 to 64 with names of their own; default one at `http://127.0.0.1:8000` named `default`.
    pub backends: Vec<BackendSettings>,
    /// Whether offers of one `user_id` go to one backend as long as it is usable; default false: each goes to the one
    /// with the fewest sessions.
    pub sticky_users: bool,
    /// Deadlines.
    pub timeouts: BackendTimeouts,
    /// How backends are asked whether they are well; default none: they are judged by offers alone.
    pub health_check: Option<HealthCheckSettings>,
    /// When a backend that fails offers is given none for a while.
    pub ejection: EjectionSettings,
    /// How answers are kept for offers that are sent again with the same `Idempotency-Key`.
    pub idempotency: IdempotencySettings,
}

/// Settings of one backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackendSettings {
    /// Its name in logs, metrics and the admin API.
    pub name: String,
    /// Its base URL.
    pub url: BackendUrl,
    /// Its share of the sessions relative to the others, 1 to 1000; default 1.
    pub weight: u32,
    /// Whom it is trusted by, and what it is shown; for `https` only.
    pub tls: ClientFiles,
    /// The name that its certificate is checked for; default the host of the URL.
    pub server_name: Option<String>,
    /// What becomes of the `api-key` header; default stripped.
    pub key: KeyToBackend,
}

/// What a backend gets for an `api-key`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum KeyToBackend {
    /// None: the client's ends here.
    #[default]
    Stripped,
    /// The client's, as the backend checks it itself.
    Forwarded,
    /// One that shows the backend that it is us.
    Own(Secret),
}

/// How long each step towards a backend may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackendTimeouts {
    /// Finding its address, TCP and TLS together; default 2 s. Later another backend is tried, or it is 502.
    pub connect: Duration,
    /// From the request to the headers of its answer, connecting included; default 20 s. Later is 504.
    ///
    /// An aiortc backend that cannot reach its STUN server needs 5 s for each answer, so values below 6 s break it.
    pub headers: Duration,
    /// From the request to the whole answer of whichever backend it got to; default 24 s, below the 25 s of a drain.
    /// Later is 504.
    pub answer: Duration,
    /// How long an idle connection is kept; default 4 s, below the 5 s after which uvicorn closes it.
    pub idle: Duration,
}

/// How backends are asked whether they are well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheckSettings {
    /// The route; default `/skin/webrtc/health`.
    pub path: String,
    /// The status of a backend that is well; default 200.
    pub status: u16,
    /// What its body must contain; default anything.
    pub body: Option<String>,
    /// The time between two checks; default 5 s.
    pub interval: Duration,
    /// How long an answer may take; default 3 s.
    pub timeout: Duration,
    /// Checks in a row that must fail before a backend gets no more offers; default 3. The first check of all suffices
    /// alone.
    pub unhealthy_after: u32,
    /// Checks in a row that must succeed before it gets offers again; default 2.
    pub healthy_after: u32,
}

/// When a backend that fails offers is given none for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EjectionSettings {
    /// Offers in a row that must fail; default 5. 0 ejects nobody.
    pub failures: u32,
    /// How long the first ejection lasts; default 10 s. It doubles each time that the backend fails again.
    pub time: Duration,
    /// The longest ejection; default 5 min. Also bounds the Retry-After that a backend may ask for.
    pub max_time: Duration,
}

/// How answers are kept for offers that are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencySettings {
    /// How long an answer is kept; default 60 s.
    pub keep: Duration,
    /// Memory for all of them; default 16 MiB. 0 keeps none, and the header means nothing.
    pub memory_bytes: usize,
}

impl BackendsSettings {
    /// One backend, with everything else as it is by default.
    pub fn of_one(url: BackendUrl) -> Self {
        Self { backends: vec![BackendSettings::new(Self::DEFAULT_NAME, url)], ..Self::default() }
    }

    /// Says where the backend of this process is, for all that name it.
    pub fn place_embedded(&mut self, address: SocketAddr) {
        for backend in self.backends.iter_mut().filter(|backend| backend.url.is_embedded()) {
            backend.url = BackendUrl::local(address);
        }
    }

    /// Whether one of them is the backend of this process, and has no place yet.
    pub fn has_embedded(&self) -> bool {
        self.backends.iter().any(|backend| backend.url.is_embedded())
    }

    /// The name of the one backend of which only the URL was given.
    pub const DEFAULT_NAME: &str = "default";
}

impl BackendSettings {
    /// A backend with everything else as it is by default.
    pub fn new(name: &str, url: BackendUrl) -> Self {
        Self {
            name: name.to_owned(),
            url,
            weight: 1,
            tls: ClientFiles::default(),
            server_name: None,
            key: KeyToBackend::default(),
        }
    }
}

impl Default for BackendsSettings {
    fn default() -> Self {
        Self {
            backends: vec![BackendSettings::new(Self::DEFAULT_NAME, BackendUrl::default())],
            sticky_users: false,
            timeouts: BackendTimeouts::default(),
            health_check: None,
            ejection: EjectionSettings::default(),
            idempotency: IdempotencySettings::default(),
        }
    }
}

impl Default for BackendTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            headers: Duration::from_secs(20),
            answer: Duration::from_secs(24),
            idle: Duration::from_secs(4),
        }
    }
}

impl Default for HealthCheckSettings {
    fn default() -> Self {
        Self {
            path: "/skin/webrtc/health".to_owned(),
            status: 200,
            body: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(3),
            unhealthy_after: 3,
            healthy_after: 2,
        }
    }
}

impl Default for EjectionSettings {
    fn default() -> Self {
        Self { failures: 5, time: Duration::from_secs(10), max_time: Duration::from_secs(300) }
    }
}

impl Default for IdempotencySettings {
    fn default() -> Self {
        Self { keep: Duration::from_secs(60), memory_bytes: 16 << 20 }
    }
}
