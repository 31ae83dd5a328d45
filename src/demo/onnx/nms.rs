//! Non-maximum suppression: of boxes that mean the same thing, the surest stays.

use super::output::Candidate;

/// Returns the boxes that stay, the surest first: each class by itself, and no two of one class that overlap by more than
/// `MOST_OVERLAP`.
pub(super) fn suppress(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        if kept.len() == MOST_BOXES {
            break;
        }
        let is_known = |known: &Candidate| {
            known.class == candidate.class && known.area.overlap(&candidate.area) > MOST_OVERLAP
        };
        if !kept.iter().any(is_known) {
            kept.push(candidate);
        }
    }
    kept
}

/// Intersection over union of two boxes that may both stay; what YOLO's own tools have used since its fifth version.
const MOST_OVERLAP: f32 = 0.45;

/// Boxes of a picture. A page cannot show more sensibly, and a message with so many has some 8 KB.
pub(super) const MOST_BOXES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::inference::Area;

    fn candidate(class: usize, score: f32, x: f32) -> Candidate {
        Candidate { class, score, area: Area { x, y: 0.0, width: 10.0, height: 10.0 } }
    }

    #[test]
    fn keeps_the_surest_of_boxes_that_overlap() {
        let kept = suppress(vec![candidate(0, 0.5, 0.0), candidate(0, 0.9, 1.0), candidate(0, 0.7, 2.0)]);
        assert_eq!(kept, [candidate(0, 0.9, 1.0)]);
    }

    #[test]
    fn keeps_boxes_that_overlap_little() {
        // 10 × 10 boxes at a distance of 3.7 share 6.3 of 13.7 (0.46), at 3.9 share 6.1 of 13.9 (0.44).
        assert_eq!(suppress(vec![candidate(0, 0.9, 0.0), candidate(0, 0.8, 3.7)]).len(), 1);
        assert_eq!(suppress(vec![candidate(0, 0.9, 0.0), candidate(0, 0.8, 3.9)]).len(), 2);
    }

    #[test]
    fn a_box_that_went_does_not_take_others_with_it() {
        let kept = suppress(vec![candidate(0, 0.9, 0.0), candidate(0, 0.8, 3.0), candidate(0, 0.7, 6.0)]);
        assert_eq!(kept, [candidate(0, 0.9, 0.0), candidate(0, 0.7, 6.0)]);
    }

    #[test]
    fn does_not_compare_classes() {
        let kept = suppress(vec![candidate(0, 0.5, 0.0), candidate(1, 0.9, 0.0)]);
        assert_eq!(kept, [candidate(1, 0.9, 0.0), candidate(0, 0.5, 0.0)]);
    }

    #[test]
    fn keeps_so_many_at_most() {
        let many: Vec<_> = (0..3 * MOST_BOXES).map(|index| candidate(0, 0.5, 20.0 * index as f32)).collect();
        assert_eq!(suppress(many).len(), MOST_BOXES);
    }
}
