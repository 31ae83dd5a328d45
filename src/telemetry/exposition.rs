//! The metrics as text for Prometheus.

use prometheus::TextEncoder;

use super::metrics::Metrics;

/// The content type of [`Metrics::exposition`].
pub const EXPOSITION_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Metrics {
    /// The present counts in Prometheus's text format, version 0.0.4.
    pub fn exposition(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::telemetry::{
        CertificateOwner, ClientTransport, Direction, KeyTimes, RateLimited, RelayBounds, Route, Used,
        catalog,
    };

    #[test]
    fn shows_every_metric_of_the_catalogue() {
        let metrics = counted();

        let text = metrics.exposition().unwrap();

        for family in catalog::ALL {
            assert!(text.contains(&format!("# HELP {} {}\n", family.name, family.help)), "{}", family.name);
        }
        assert!(text.contains(concat!("turnpike_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")));
        assert!(text.contains("process_open_fds "));
    }

    #[test]
    fn passes_the_check_of_promtool() {
        let Ok(mut promtool) = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
        else {
            eprintln!("skipped: promtool is missing (Debian: apt install prometheus)");
            assert!(std::env::var_os("CI").is_none(), "promtool is missing in CI");
            return;
        };
        let text = counted().exposition().unwrap();

        promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();

        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && complaints.is_empty(), "{complaints}");
    }

    fn counted() -> Metrics {
        let metrics = Metrics::new();
        metrics.backends().of("default");
        metrics.backends().shows_certificate("default", Some(UNIX_EPOCH));
        metrics.gateway().begin(Route::Offer).finish(200, Duration::from_millis(7));
        metrics.gateway().sdp_refused("version");
        metrics.access().can_track(RateLimited::Source, Some(7));
        metrics.certificates().serves(CertificateOwner::Relay, UNIX_EPOCH);
        metrics.access().keys().keep(["app".into()]);
        metrics
            .access()
            .keys()
            .watch(|| vec![KeyTimes { id: "app".into(), expires_at: Some(UNIX_EPOCH), last_used: None }]);
        let worker = metrics.register_worker();
        worker.relayed(ClientTransport::Udp, Direction::ToPeer, 1, 100);
        worker.watch_cpu_time(|| Some(Duration::from_secs(1)));
        metrics.watch_relay_ports(|| (2, 1));
        let used = Some(Used { used: 1, most: 2 });
        metrics.watch_relay_bounds(move || RelayBounds {
            connections: 7,
            allocations: used,
            bandwidth: used,
        });
        metrics
    }
}
