//! How far a flow has come, and its round trips.

use std::time::Duration;

use super::{Bench, FRAME, REQUEST, SUCCESS, Source, check};
use crate::media::{FlowWatch, Stage};

const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn an_answered_check_connects_and_media_follows() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    assert_eq!(bench.watch.from_client(&check(REQUEST, 1), bench.now), None);
    assert_eq!(bench.watch.from_peer(&check(SUCCESS, 1), bench.now), Some(Stage::Connected));
    assert_eq!(bench.watch.from_client(&check(SUCCESS, 2), bench.now), None);
    assert_eq!(bench.watch.from_client(&[22, 254, 253, 0], bench.now), None, "DTLS");
    assert_eq!(bench.watch.from_client(&source.packet(true), bench.now), Some(Stage::Media));
    assert_eq!(bench.watch.from_peer(&source.packet(true), bench.now), None);
    assert_eq!(bench.watch.stage(), Stage::Media);
}

#[test]
fn a_client_that_falls_silent_has_stalled_until_it_sends_again() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    bench.send_video(&mut source, 30, |_| false);
    assert_eq!(bench.watch.look(bench.now - FRAME + PATIENCE - FRAME, PATIENCE), None);
    bench.pass(PATIENCE);
    assert_eq!(bench.watch.look(bench.now, PATIENCE), Some(Stage::Stalled));
    assert_eq!(bench.watch.look(bench.now, PATIENCE), None, "it is told once");
    assert_eq!(bench.watch.from_peer(&source.packet(false), bench.now), None);
    assert_eq!(bench.watch.from_client(&source.packet(false), bench.now), Some(Stage::Media));
}

#[test]
fn media_of_a_peer_alone_does_not_stall() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    assert_eq!(bench.watch.from_peer(&source.packet(false), bench.now), Some(Stage::Media));
    bench.pass(PATIENCE * 2);
    assert_eq!(bench.watch.look(bench.now, PATIENCE), None);
    assert_eq!(FlowWatch::default().look(bench.now, PATIENCE), None);
}

#[test]
fn round_trips_are_told_apart_by_who_answers() {
    let mut bench = Bench::new();
    for number in 0..50 {
        bench.watch.from_client(&check(REQUEST, number), bench.now);
        bench.watch.from_peer(&check(REQUEST, number), bench.now);
        bench.pass(Duration::from_millis(10));
        bench.watch.from_peer(&check(SUCCESS, number), bench.now);
        bench.pass(Duration::from_millis(30));
        bench.watch.from_client(&check(SUCCESS, number), bench.now);
    }
    let quality = bench.whole();
    assert_eq!(quality.peer.round_trip.unwrap().as_millis(), 10);
    assert_eq!(quality.client.round_trip.unwrap().as_millis(), 40);
}

#[test]
fn an_answer_to_one_of_two_requests_times_neither() {
    let mut bench = Bench::new();
    bench.watch.from_client(&check(REQUEST, 1), bench.now);
    bench.pass(Duration::from_millis(500));
    bench.watch.from_client(&check(REQUEST, 1), bench.now);
    bench.watch.from_peer(&check(SUCCESS, 1), bench.now);
    assert_eq!(bench.whole().peer.round_trip, None);
}

#[test]
fn requests_without_answers_make_room_for_others() {
    let mut bench = Bench::new();
    for number in 0..100 {
        bench.watch.from_client(&check(REQUEST, number), bench.now);
    }
    bench.watch.from_peer(&check(SUCCESS, 3), bench.now);
    assert_eq!(bench.whole().peer.round_trip, None, "it was forgotten");
    bench.watch.from_peer(&check(SUCCESS, 99), bench.now);
    assert_eq!(bench.whole().peer.round_trip, Some(Duration::ZERO));
}
