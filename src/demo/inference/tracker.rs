//! `Tracker`: detections of one picture after another → things that stay, with boxes that do not tremble.

use super::detector::{Area, Detection};

/// Knows the things in front of one client's camera.
#[derive(Debug, Default)]
pub(in crate::demo) struct Tracker {
    tracks: Vec<Track>,
    next_id: u32,
}

/// A thing that is shown.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::demo) struct Tracked {
    /// Its number, the same for as long as it stays.
    pub(super) id: u32,
    pub(super) detection: Detection,
}

#[derive(Debug)]
struct Track {
    id: u32,
    detection: Detection,
    /// Whether it was seen, one bit for each picture, the newest last.
    seen: u8,
}

impl Tracker {
    /// Takes what was found in the next picture, and returns what is shown for it.
    pub(in crate::demo) fn update(&mut self, mut found: Vec<Detection>) -> Vec<Tracked> {
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        for track in &mut self.tracks {
            track.seen <<= 1;
        }
        for detection in found {
            let of_class = self.tracks.iter_mut().filter(|track| track.detection.class == detection.class);
            let best = of_class
                .filter(|track| track.seen & 1 == 0)
                .map(|track| (track.detection.area.overlap(&detection.area), track))
                .max_by(|(a, _), (b, _)| a.total_cmp(b))
                .filter(|(overlap, _)| *overlap >= LEAST_OVERLAP);
            if let Some((_, track)) = best {
                track.follow(detection);
            } else if self.tracks.len() < MOST_TRACKS {
                self.tracks.push(Track { id: self.next_id, detection, seen: 1 });
                self.next_id = self.next_id.wrapping_add(1);
            }
        }
        self.tracks.retain(|track| track.seen & RECENT != 0);
        let shown = self.tracks.iter().filter(|track| track.is_shown());
        shown.map(|track| Tracked { id: track.id, detection: track.detection.clone() }).collect()
    }
}

impl Track {
    /// Goes where it is seen now; small steps are trembling, large ones are not.
    fn follow(&mut self, Detection { class, area: seen, score }: Detection) {
        let is = self.detection.area;
        let weight = (1.2 - is.overlap(&seen)).clamp(0.3, 1.0);
        let step = |from: f32, to: f32| from + (to - from) * weight;
        let area = Area {
            x: step(is.x, seen.x),
            y: step(is.y, seen.y),
            width: step(is.width, seen.width),
            height: step(is.height, seen.height),
        };
        self.detection = Detection { class, area, score };
        self.seen |= 1;
    }

    /// Seen twice in a row of three pictures, at any time since it came, it stays until it is forgotten.
    fn is_shown(&self) -> bool {
        (0..6).any(|shift| ((self.seen >> shift) & 0b111).count_ones() >= 2)
    }
}

const LEAST_OVERLAP: f32 = 0.25;
/// A thing is forgotten that was in none of the last four pictures.
const RECENT: u8 = 0b1111;
/// No body in front of a camera has more; a detector that has lost its way does.
const MOST_TRACKS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn lesion(x: f32, y: f32) -> Detection {
        Detection { class: "lesion".into(), area: Area { x, y, width: 40.0, height: 40.0 }, score: 0.9 }
    }

    #[test]
    fn a_thing_keeps_its_number_while_it_moves() {
        let mut tracker = Tracker::default();
        assert_eq!(tracker.update(vec![lesion(0.0, 0.0)]), [], "once may be a mistake");
        for step in 1..30_u8 {
            let at = f32::from(step) * 5.0;
            let shown = tracker.update(vec![lesion(at, 0.0), lesion(300.0, 300.0)]);
            let first = shown.iter().find(|tracked| tracked.id == 0).expect("it is there");
            assert!((first.detection.area.x - at).abs() < 12.0, "{} of {at}", first.detection.area.x);
            assert_eq!(shown.len(), if step == 1 { 1 } else { 2 });
        }
    }

    #[test]
    fn boxes_do_not_tremble() {
        let mut tracker = Tracker::default();
        let mut shown = Vec::new();
        for step in 0..40 {
            let at = if step % 2 == 0 { 100.0 } else { 103.0 };
            shown.extend(
                tracker.update(vec![lesion(at, 50.0)]).into_iter().map(|tracked| tracked.detection.area.x),
            );
        }
        let (low, high) =
            shown[10..].iter().fold((f32::MAX, 0_f32), |(low, high), &x| (low.min(x), high.max(x)));
        assert!(high - low < 1.5, "{low} to {high}");
    }

    #[test]
    fn a_thing_that_is_missed_stays_for_a_moment() {
        let mut tracker = Tracker::default();
        tracker.update(vec![lesion(0.0, 0.0)]);
        assert_eq!(tracker.update(vec![lesion(0.0, 0.0)]).len(), 1);
        for _ in 0..3 {
            assert_eq!(tracker.update(Vec::new()).len(), 1);
        }
        assert_eq!(tracker.update(Vec::new()), []);
        assert!(tracker.tracks.is_empty());
    }

    #[test]
    fn what_is_seen_once_now_and_then_is_never_shown() {
        let mut tracker = Tracker::default();
        for step in 0..40 {
            let found = if step % 4 == 0 { vec![lesion(0.0, 0.0)] } else { Vec::new() };
            assert_eq!(tracker.update(found), []);
        }
    }

    #[test]
    fn it_is_bounded() {
        let mut tracker = Tracker::default();
        let many = || (0..200_u8).map(|at| lesion(f32::from(at) * 100.0, 0.0)).collect::<Vec<_>>();
        tracker.update(many());
        assert_eq!(tracker.update(many()).len(), MOST_TRACKS);
    }
}
