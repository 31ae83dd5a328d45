//! Finds the highest rate that a server relays without loss.

use super::error::BenchError;
use super::load::Load;
use super::relaying::Bench;
use super::report::{RateReport, Report};

/// Raises the rate from that of the load on until packets are lost, then closes in; `most_loss` is from 0 to 1.
pub fn find_rate(load: &Load, most_loss: f64) -> Result<RateReport, BenchError> {
    let mut bench = Bench::set_up(load)?;
    let is_good = |report: &Report| report.loss <= most_loss;
    let run = |rate| {
        let report = bench.run(rate)?;
        // A machine that was busy elsewhere for a moment must not count as the server's limit.
        if is_good(&report) && report.kept_up() { Ok(report) } else { bench.run(rate) }
    };
    let found = search(load.packets_per_second, run, is_good);
    bench.end();
    found
}

fn search(
    first: f64,
    mut run: impl FnMut(f64) -> Result<Report, BenchError>,
    is_good: impl Fn(&Report) -> bool,
) -> Result<RateReport, BenchError> {
    let mut found =
        RateReport { packets_per_second: 0.0, is_limited_by_load: false, best: None, tried: Vec::new() };
    let mut too_high = None;
    let mut rate = first;
    while too_high.is_none_or(|too_high| too_high > found.packets_per_second * CLOSE_ENOUGH) {
        let report = run(rate)?;
        found.tried.push((rate, report.loss));
        if is_good(&report) && report.kept_up() {
            found.packets_per_second = rate;
            found.best = Some(report);
        } else {
            found.is_limited_by_load = !report.kept_up();
            too_high = Some(rate);
        }
        rate = match too_high {
            None => rate * GROWTH,
            // It does not even bear the first rate.
            Some(_) if found.best.is_none() => break,
            Some(too_high) => (found.packets_per_second * too_high).sqrt(),
        };
    }
    Ok(found)
}

/// How much more is tried while all goes well.
const GROWTH: f64 = 1.5;
/// Runs of one server differ by as much.
const CLOSE_ENOUGH: f64 = 1.03;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::tests::load;
    use crate::bench::report::Report;

    /// A run of a server that relays so much and of a load that can send so much.
    fn run(rate: f64, server: f64, sender: f64) -> Report {
        let sent = rate.min(sender);
        let arrived = sent.min(server);
        Report {
            allocations: load().allocations,
            payload_bytes: 160,
            offered_per_second: rate,
            sent: sent as u64,
            arrived: arrived as u64,
            loss: 1.0 - arrived / sent,
            arrived_per_second: arrived,
            not_sent: (rate - sent) as u64,
            dropped_here: 0,
            latency: None,
            server: None,
            load_cores: 0.5,
        }
    }

    fn found(server: f64, sender: f64) -> RateReport {
        search(10_000.0, |rate| Ok(run(rate, server, sender)), |report| report.loss == 0.0).unwrap()
    }

    #[test]
    fn closes_in_on_the_highest_rate_from_below() {
        let report = found(123_456.0, 1e9);
        assert!((119_000.0..=123_456.0).contains(&report.packets_per_second), "{report:?}");
        assert!(!report.is_limited_by_load);
        assert_eq!(report.best.unwrap().offered_per_second, report.packets_per_second);
    }

    #[test]
    fn says_when_the_load_was_the_limit() {
        let report = found(1e9, 50_000.0);
        assert!((48_000.0..=50_500.0).contains(&report.packets_per_second), "{report:?}");
        assert!(report.is_limited_by_load);
    }

    #[test]
    fn finds_nothing_where_the_first_rate_is_too_high() {
        let report = found(5_000.0, 1e9);
        assert_eq!((report.packets_per_second, report.tried.len()), (0.0, 1));
        assert!(report.best.is_none());
    }
}
