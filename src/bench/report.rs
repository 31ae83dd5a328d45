//! `Report`: what was measured, for people and for programs.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::load::Load;
use super::relaying::Spent;
use super::tally::Tally;

/// What came of a load.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Allocations that relayed.
    pub allocations: usize,
    /// Bytes of each payload.
    pub payload_bytes: usize,
    /// Packets a second that were to be sent.
    pub offered_per_second: f64,
    /// Packets that were sent while it was measured.
    pub sent: u64,
    /// Those of them that arrived.
    pub arrived: u64,
    /// The part of them that did not, from 0 to 1.
    pub loss: f64,
    /// Packets a second that arrived.
    pub arrived_per_second: f64,
    /// Packets that were to be sent and were not, as the load itself could not keep up: its thread, or its sockets.
    pub not_sent: u64,
    /// Packets that arrived here and were thrown away, as the sockets of the load were full.
    pub dropped_here: u64,
    /// From sending to reading; none if nothing arrived.
    pub latency: Option<Latency>,
    /// What the server used, if its process was watched.
    pub server: Option<ServerReport>,
    /// Cores that the load itself used.
    pub load_cores: f64,
}

/// One-way latency through the server, in microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    /// Half of the packets were faster.
    pub p50_us: f64,
    /// 99 of 100 were.
    pub p99_us: f64,
    /// 999 of 1,000 were.
    pub p999_us: f64,
    /// The slowest.
    pub max_us: f64,
}

/// What the server used.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ServerReport {
    /// Processor time for each packet that arrived, in microseconds, the kernel's work included.
    pub cpu_us_per_packet: f64,
    /// Cores that it used.
    pub cores: f64,
    /// Its memory at the end.
    pub resident_bytes: u64,
}

/// The highest rate without loss.
#[derive(Debug, Clone, Serialize)]
pub struct RateReport {
    /// Packets a second; zero if there was loss at the rate that the search began with.
    pub packets_per_second: f64,
    /// Whether the load itself was the limit, so that the server might do more.
    pub is_limited_by_load: bool,
    /// The run at that rate.
    pub best: Option<Report>,
    /// Every rate that was tried, and the loss there.
    pub tried: Vec<(f64, f64)>,
}

/// How fast allocations come and go.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AllocationReport {
    /// Allocations that were made and ended: a challenge, an Allocate and a Refresh of zero each.
    pub allocations: u64,
    /// Of them in a second.
    pub per_second: f64,
    /// Processor time of the server for each, in microseconds, if its process was watched.
    pub server_cpu_us_each: Option<f64>,
}

impl Report {
    pub(super) fn new(
        load: &Load,
        offered_per_second: f64,
        tally: &Tally,
        skipped: u64,
        dropped_here: u64,
        server: Option<ServerReport>,
        generator: Spent,
    ) -> Self {
        let quantile = |quantile| micros(Duration::from_nanos(tally.latency.value_at_quantile(quantile)));
        let lost = tally.sent.saturating_sub(tally.arrived);
        Self {
            allocations: load.allocations,
            payload_bytes: load.payload_bytes,
            offered_per_second,
            sent: tally.sent,
            arrived: tally.arrived,
            loss: lost as f64 / tally.sent.max(1) as f64,
            arrived_per_second: tally.arrived as f64 / load.duration.as_secs_f64(),
            not_sent: skipped + tally.held_back,
            dropped_here,
            latency: (tally.arrived > 0).then(|| Latency {
                p50_us: quantile(0.5),
                p99_us: quantile(0.99),
                p999_us: quantile(0.999),
                max_us: micros(Duration::from_nanos(tally.latency.max())),
            }),
            server,
            load_cores: generator.cpu.as_secs_f64() / load.duration.as_secs_f64(),
        }
    }

    /// Whether the load sent what it was to send, and read what came.
    pub fn kept_up(&self) -> bool {
        let whole = (self.sent + self.not_sent).max(1);
        (self.not_sent + self.dropped_here) as f64 / whole as f64 <= MOST_NOT_SENT
    }
}

impl ServerReport {
    pub(super) fn new(spent: &Spent, duration: Duration, packets: u64) -> Self {
        Self {
            cpu_us_per_packet: micros(spent.cpu) / packets.max(1) as f64,
            cores: spent.cpu.as_secs_f64() / duration.as_secs_f64(),
            resident_bytes: spent.resident_bytes,
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1000.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost = self.sent.saturating_sub(self.arrived);
        writeln!(f, "offered   {:.0} packets/s of {} bytes", self.offered_per_second, self.payload_bytes)?;
        writeln!(
            f,
            "arrived   {:.0} packets/s: {} of {}, {lost} lost ({:.3} %)",
            self.arrived_per_second,
            self.arrived,
            self.sent,
            100.0 * self.loss
        )?;
        if let Some(Latency { p50_us, p99_us, p999_us, max_us }) = self.latency {
            writeln!(
                f,
                "latency   p50 {p50_us:.0} µs, p99 {p99_us:.0} µs, p99.9 {p999_us:.0} µs, most {max_us:.0} µs"
            )?;
        }
        if let Some(ServerReport { cpu_us_per_packet, cores, resident_bytes }) = self.server {
            let mebibytes = resident_bytes as f64 / f64::from(1 << 20);
            writeln!(
                f,
                "server    {cpu_us_per_packet:.2} µs of CPU per packet, {cores:.2} cores, {mebibytes:.1} MiB"
            )?;
        }
        write!(f, "load      {:.2} cores", self.load_cores)?;
        if !self.kept_up() {
            write!(
                f,
                "\nThe load could not keep up, so the server is not to blame: {} packets not sent, {} not read.",
                self.not_sent, self.dropped_here
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for RateReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "highest   {:.0} packets/s without loss", self.packets_per_second)?;
        if self.is_limited_by_load {
            write!(f, ", where the load was the limit")?;
        }
        match &self.best {
            Some(best) => write!(f, "\n{best}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for AllocationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} allocations, {:.0} a second", self.allocations, self.per_second)?;
        match self.server_cpu_us_each {
            Some(cpu) => {
                write!(f, "; {cpu:.1} µs of the server's CPU each, so {:.0} a second of one core", 1e6 / cpu)
            }
            None => Ok(()),
        }
    }
}

/// A thread that sleeps a moment too long now and then is no reason to doubt a measurement.
const MOST_NOT_SENT: f64 = 0.005;
