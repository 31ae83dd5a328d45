//! Loss, jitter, frames and bits of synthetic RTP.

use std::time::Duration;

use super::{Bench, FRAME, Source};

#[test]
fn a_whole_stream_has_its_frame_rate_and_no_loss_across_the_wrap() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    bench.send_video(&mut source, 300, |_| false);

    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost, leg.loss()), (900, 0, Some(0.0)));
    assert!((leg.frame_rate.unwrap() - 30.0).abs() < 0.01, "{leg:?}");
    assert!(leg.jitter.unwrap() < Duration::from_micros(1), "{leg:?}");
    assert!((leg.bits_per_second.unwrap() - 90.0 * 800.0).abs() < 400.0, "{leg:?}");
    assert_eq!(bench.whole().peer.packets, 0);
}

#[test]
fn what_is_missing_is_lost_and_nothing_else() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    // The last packet of a frame among them, and a whole frame.
    bench.send_video(&mut source, 300, |packet| packet % 50 == 20 || (600..603).contains(&packet));
    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost), (900 - 21, 21));
    assert!((leg.frame_rate.unwrap() - 30.0).abs() < 0.2, "{leg:?}");
}

#[test]
fn what_comes_late_or_twice_is_not_lost() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    for _ in 0..100 {
        let mut packets: Vec<_> = (0..10).map(|_| source.packet(false)).collect();
        packets.swap(2, 7);
        packets.insert(4, packets[0].clone());
        for packet in packets {
            bench.watch.from_client(&packet, bench.now);
        }
        bench.pass(FRAME);
    }
    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost), (1000, 0));
}

#[test]
fn a_packet_from_before_the_first_does_not_hide_a_loss() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    let early = source.packet(false);
    bench.watch.from_client(&source.packet(false), bench.now);
    bench.watch.from_client(&early, bench.now);
    source.packet(false);
    bench.watch.from_client(&source.packet(false), bench.now);
    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost), (2, 1));
}

#[test]
fn sources_are_counted_apart() {
    let (mut bench, mut video, mut sound) = (Bench::new(), Source::new(1), Source::new(2));
    for frame in 0..300 {
        for part in 0..3 {
            let packet = video.packet(part == 2);
            bench.watch.from_client(&packet, bench.now);
        }
        let packet = sound.packet(false);
        if frame % 10 != 5 {
            bench.watch.from_client(&packet, bench.now);
        }
        video.advance(3000);
        sound.advance(1600);
        bench.pass(FRAME);
    }
    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost), (900 + 270, 30));
    assert!((leg.frame_rate.unwrap() - 30.0).abs() < 0.01, "the video's: {leg:?}");
}

#[test]
fn sound_has_no_frame_rate() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    for _ in 0..200 {
        bench.watch.from_peer(&source.packet(false), bench.now);
        source.advance(960);
        bench.pass(Duration::from_millis(20));
    }
    let leg = bench.whole().peer;
    assert_eq!(leg.frame_rate, None);
    assert!(leg.jitter.unwrap() < Duration::from_micros(1), "its clock is 48 kHz: {leg:?}");
}

#[test]
fn of_simulcast_the_largest_counts() {
    let mut bench = Bench::new();
    let mut sources = [Source::new(1), Source::new(2), Source::new(3)];
    // The smallest at half the rate, the largest in five packets.
    for frame in 0..300 {
        for (source, parts) in sources.iter_mut().zip([1, 2, 5]) {
            if parts == 1 && frame % 2 == 1 {
                source.advance(3000);
                continue;
            }
            for part in 1..=parts {
                let packet = source.packet(part == parts);
                bench.watch.from_client(&packet, bench.now);
            }
            source.advance(3000);
        }
        bench.pass(FRAME);
    }
    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost), (150 + 600 + 1500, 0));
    assert!((leg.frame_rate.unwrap() - 30.0).abs() < 0.01, "{leg:?}");
}

#[test]
fn what_is_sent_again_under_another_name_repairs_no_count() {
    let (mut bench, mut video) = (Bench::new(), Source::new(1));
    let mut again = Source { payload_type: 97, ..Source::new(9) };
    bench.send_video(&mut video, 100, |packet| packet % 100 == 50);
    for _ in 0..3 {
        bench.watch.from_client(&again.packet(false), bench.now);
    }
    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost), (300 - 3 + 3, 3));
}

#[test]
fn a_source_that_begins_anew_has_lost_nothing() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    bench.send_video(&mut source, 60, |_| false);
    source.sequence = source.sequence.wrapping_add(20_000);
    source.advance(1 << 30);
    bench.send_video(&mut source, 60, |_| false);
    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost), (360, 0));
}

#[test]
fn another_source_takes_over_with_its_own_numbers() {
    let (mut bench, mut first) = (Bench::new(), Source::new(1));
    let mut second = Source { sequence: 7, timestamp: 77, ..Source::new(2) };
    bench.send_video(&mut first, 60, |_| false);
    bench.send_video(&mut second, 90, |_| false);
    let leg = bench.whole().client;
    assert_eq!((leg.packets, leg.lost), (450, 0));
    assert!((leg.frame_rate.unwrap() - 30.0).abs() < 0.01, "{leg:?}");
}

#[test]
fn jitter_is_what_rfc_3550_says() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    bench.send_video(&mut source, 60, |_| false);
    // Every other frame comes 8 ms late, so neighbours are 8 ms off.
    for frame in 0..600 {
        let late = Duration::from_millis(if frame % 2 == 0 { 0 } else { 8 });
        let packet = source.packet(true);
        bench.watch.from_client(&packet, bench.now + late);
        source.advance(3000);
        bench.pass(FRAME);
    }
    let jitter = bench.whole().client.jitter.unwrap();
    assert!((7.9..8.1).contains(&(jitter.as_secs_f64() * 1e3)), "{jitter:?}");
}

#[test]
fn a_look_shows_the_rates_since_the_last_one() {
    let (mut bench, mut source) = (Bench::new(), Source::new(1));
    bench.send_video(&mut source, 60, |_| false);
    let before = bench.watch.quality(bench.now).client;
    // The camera slows down to 10 frames a second.
    for _ in 0..20 {
        let packet = source.packet(true);
        bench.watch.from_client(&packet, bench.now);
        source.advance(9000);
        bench.pass(FRAME * 3);
    }
    let after = bench.watch.quality(bench.now).client;
    bench.pass(Duration::from_secs(1));
    let silent = bench.watch.quality(bench.now).client;

    assert!((before.frame_rate.unwrap() - 30.0).abs() < 0.1, "{before:?}");
    assert!((9.5..11.5).contains(&after.frame_rate.unwrap()), "{after:?}");
    assert!((after.bits_per_second.unwrap() - 8000.0).abs() < 100.0, "{after:?}");
    assert_eq!((silent.frame_rate, silent.bits_per_second), (Some(0.0), Some(0.0)));
}
