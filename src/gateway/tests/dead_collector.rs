//! A collector that takes no traces: offers go on, and the log says so once.

use super::harness::{OFFER, TestBackend, nobody, start_traced};
use super::log::Log;
use crate::telemetry::{Metrics, TestCollector, TraceId, TraceSettings, start_traces};

#[tokio::test]
async fn a_dead_collector_harms_no_offer_and_is_told_of_once() {
    let (log, _guard) = Log::capture();
    let (backend, metrics) = (TestBackend::agreeable().await, Metrics::new());
    let dead = TraceSettings::to(format!("http://{}/", nobody().await).parse().unwrap());
    let traces = start_traces(&dead, metrics.traces());
    let gateway = start_traced(backend.address, traces.clone(), |_| {}).await;

    for _ in 0..400 {
        assert_eq!(gateway.offer(&[], OFFER).await.status, 200);
    }
    traces.close().await;

    let lost = metrics.exposition().unwrap();
    assert!(lost.contains("turnpike_traces_spans_exported_total 0\n"));
    // Of each offer the request and the attempt; the sessions go on.
    assert!(lost.contains("turnpike_traces_spans_lost_total{cause=\"export_failed\"} 800\n"), "{lost}");
    let warning = log.only("the collector of traces fails; spans wait, and some may be lost");
    assert_eq!(warning["level"], "WARN");
    assert!(warning["error"].as_str().unwrap().contains("Connection refused"), "{warning}");
}

#[tokio::test]
async fn a_collector_that_takes_spans_again_is_told_of() {
    let (log, _guard) = Log::capture();
    let (collector, metrics) = (TestCollector::start().await, Metrics::new());
    let traces = collector.traces(metrics.traces());
    for _ in 0..2 {
        collector.answer_status(500);
    }

    // Three batches.
    for _ in 0..1100 {
        traces.serve("request", TraceId::random(), None).end();
    }
    traces.close().await;

    assert_eq!(collector.spans().len(), 76);
    log.only("the collector of traces fails; spans wait, and some may be lost");
    assert_eq!(log.only("the collector of traces takes spans again")["lost"], 1024);
}
