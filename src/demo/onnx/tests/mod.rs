//! The detector as a whole, on models whose output is known.

mod models;
mod refusals;

use std::num::NonZeroUsize;
use std::sync::Arc;

use tract_onnx::pb::ModelProto;
use tract_onnx::pb::tensor_proto::DataType;

use super::{OnnxDetector, OnnxError, OnnxModel};
use crate::demo::inference::{Area, Detection, Detector};
use crate::demo::video::{Picture, Plane};
use models::{
    Length, SIDE, constant, red_or_blue, red_or_blue_of_half_floats, red_or_blue_with_one_built_in, saved,
    with_input, with_metadata,
};

const RED: [u8; 3] = [81, 90, 240];
const BLUE: [u8; 3] = [41, 240, 110];
const BLACK: [u8; 3] = [16, 128, 128];

fn picture(width: usize, height: usize, [y, u, v]: [u8; 3]) -> Arc<Picture> {
    let plane =
        |width: usize, height: usize, sample| Plane { stride: width, samples: vec![sample; width * height] };
    let (chroma_width, chroma_height) = (width.div_ceil(2), height.div_ceil(2));
    Arc::new(Picture {
        width,
        height,
        y: plane(width, height, y),
        u: plane(chroma_width, chroma_height, u),
        v: plane(chroma_width, chroma_height, v),
    })
}

fn load(model: &ModelProto, batch: usize) -> Result<Arc<OnnxModel>, OnnxError> {
    let file = saved(model);
    OnnxModel::load(file.path(), NonZeroUsize::new(batch).unwrap(), 0.25).map(Arc::new)
}

/// What a model that takes one picture at a time finds in a picture of twice the input's size.
fn found(model: &ModelProto) -> Vec<(String, [f32; 4], f32)> {
    let side = 2 * usize::try_from(SIDE).unwrap();
    let mut detector = OnnxDetector::new(load(model, 1).unwrap());
    let detections = detector.detect(&[picture(side, side, BLACK)]).unwrap();
    assert_eq!(detections.len(), 1);
    detections[0].iter().map(shown).collect()
}

fn shown(detection: &Detection) -> (String, [f32; 4], f32) {
    let Area { x, y, width, height } = detection.area;
    (detection.class.to_string(), [x, y, width, height], detection.score)
}

fn classes(detections: &[Vec<Detection>]) -> Vec<Vec<&str>> {
    detections.iter().map(|of_one| of_one.iter().map(|detection| &*detection.class).collect()).collect()
}

/// Rows in the order of columns.
fn transposed(rows: &[[f32; 6]]) -> Vec<f32> {
    (0..6).flat_map(|column| rows.iter().map(move |row| row[column])).collect()
}

#[test]
fn reads_rows_with_objectness() {
    let rows = [
        [32.0, 24.0, 16.0, 8.0, 0.9, 0.2, 0.8],
        [10.0, 10.0, 4.0, 4.0, 0.5, 0.9, 0.1],
        [50.0, 50.0, 4.0, 4.0, 0.5, 0.4, 0.4],
        [50.0, 50.0, 4.0, 4.0, 0.1, 1.0, 1.0],
    ];
    let model = constant(&[1, 4, 7], rows.as_flattened());
    let expected = [
        ("1".to_owned(), [48.0, 40.0, 32.0, 16.0], 0.9 * 0.8),
        ("0".to_owned(), [16.0, 16.0, 8.0, 8.0], 0.5 * 0.9),
    ];
    // Without names there have to be more rows than columns for these to be rows.
    let names = with_metadata(model, &[("names", "{0: 'a', 1: 'b'}")]);
    let named = expected
        .clone()
        .map(|(class, area, score)| (if class == "0" { "a" } else { "b" }.to_owned(), area, score));
    assert_eq!(found(&names), named);
    let padded: Vec<f32> = rows.as_flattened().iter().copied().chain([0.0; 7 * 6]).collect();
    assert_eq!(found(&constant(&[1, 10, 7], &padded)), expected);
}

#[test]
fn reads_columns_without_objectness() {
    let boxes = [
        [32.0, 24.0, 16.0, 8.0, 0.2, 0.8],
        [10.0, 10.0, 4.0, 4.0, 0.6, 0.1],
        [50.0, 50.0, 4.0, 4.0, 0.2, 0.25],
        [0.0; 6],
        [0.0; 6],
        [0.0; 6],
        [0.0; 6],
    ];
    let model = constant(&[1, 6, 7], &transposed(&boxes));
    let expected =
        [("1".to_owned(), [48.0, 40.0, 32.0, 16.0], 0.8), ("0".to_owned(), [16.0, 16.0, 8.0, 8.0], 0.6)];
    assert_eq!(found(&model), expected);
    let names = with_metadata(model, &[("names", "['a', 'b']"), ("task", "detect")]);
    assert_eq!(found(&names)[0].0, "b");
}

#[test]
fn reads_columns_with_masks_after_the_classes() {
    let boxes =
        [[32.0, 24.0, 16.0, 8.0, 0.8, 9.0], [0.0; 6], [0.0; 6], [0.0; 6], [0.0; 6], [0.0; 6], [0.0; 6]];
    let model = with_metadata(
        constant(&[1, 6, 7], &transposed(&boxes)),
        &[("names", "{0: 'mole'}"), ("task", "segment")],
    );
    assert_eq!(found(&model), [("mole".to_owned(), [48.0, 40.0, 32.0, 16.0], 0.8)]);
}

#[test]
fn reads_boxes_that_the_model_has_suppressed_itself() {
    let rows = [
        [10.0, 10.0, 20.0, 30.0, 0.5, 1.0],
        [10.0, 10.0, 20.0, 30.0, 0.9, 1.0],
        [10.0, 10.0, 20.0, 30.0, 0.2, 0.0],
        [10.0, 10.0, 20.0, 30.0, 0.9, 2.0],
        [10.0, 10.0, 20.0, 30.0, 0.9, 0.5],
        [10.0, 10.0, 20.0, 30.0, 0.9, f32::NAN],
    ];
    let model = with_metadata(constant(&[1, 6, 6], rows.as_flattened()), &[("names", "{0: 'a', 1: 'b'}")]);
    let area = [20.0, 20.0, 20.0, 40.0];
    assert_eq!(found(&model), [("b".to_owned(), area, 0.9), ("b".to_owned(), area, 0.5)]);
}

#[test]
fn tells_one_class_of_rows_from_suppressed_boxes() {
    // 64×64 pixels have 3 × (8×8 + 4×4 + 2×2) boxes.
    let mut values = vec![0.0; 252 * 6];
    values[..6].copy_from_slice(&[32.0, 24.0, 16.0, 8.0, 0.9, 0.5]);
    let by_centre = [("0".to_owned(), [48.0, 40.0, 32.0, 16.0], 0.45)];
    assert_eq!(found(&constant(&[1, 252, 6], &values)), by_centre);

    values.truncate(100 * 6);
    values[..6].copy_from_slice(&[10.0, 10.0, 20.0, 30.0, 0.9, 0.0]);
    let by_corners = [("0".to_owned(), [20.0, 20.0, 20.0, 40.0], 0.9)];
    assert_eq!(found(&constant(&[1, 100, 6], &values)), by_corners);
}

#[test]
fn suppresses_boxes_of_the_same_thing() {
    let boxes = [
        [32.0, 24.0, 16.0, 8.0, 0.7, 0.0],
        [33.0, 24.0, 16.0, 8.0, 0.8, 0.0],
        [34.0, 24.0, 16.0, 8.0, 0.6, 0.0],
        [32.0, 24.0, 16.0, 8.0, 0.0, 0.5],
        [0.0; 6],
        [0.0; 6],
        [0.0; 6],
    ];
    let scores: Vec<_> =
        found(&constant(&[1, 6, 7], &transposed(&boxes))).iter().map(|found| found.2).collect();
    assert_eq!(scores, [0.8, 0.5]);
}

#[test]
fn ignores_what_is_not_finite() {
    let boxes = [
        [f32::NAN, 24.0, 16.0, 8.0, 0.7, 0.0],
        [32.0, f32::INFINITY, 16.0, 8.0, 0.7, 0.0],
        [32.0, 24.0, 16.0, f32::NAN, 0.7, 0.0],
        [32.0, 24.0, 16.0, 8.0, f32::INFINITY, 0.0],
        [32.0, 24.0, 16.0, 8.0, f32::NAN, f32::NAN],
        [32.0, 24.0, -16.0, 8.0, 0.7, 0.0],
        [500.0, 24.0, 16.0, 8.0, 0.7, 0.0],
    ];
    assert_eq!(found(&constant(&[1, 6, 7], &transposed(&boxes))), []);
    let with_objectness: Vec<f32> =
        boxes.iter().flat_map(|row| [row[0], row[1], row[2], row[3], 1.0, row[4], row[5]]).collect();
    let names = [("names", "['a', 'b']")];
    assert_eq!(found(&with_metadata(constant(&[1, 7, 7], &with_objectness), &names)), []);
    assert_eq!(found(&with_metadata(constant(&[1, 7, 6], boxes.as_flattened()), &names)), []);
}

#[test]
fn finds_at_most_a_hundred_boxes_and_the_surest_first() {
    let count = 5000;
    let rows: Vec<[f32; 6]> = (0..count)
        .map(|index| {
            let (x, y) = ((index % 64) as f32, (index / 64 % 64) as f32);
            [x + 0.5, y + 0.5, 1.0, 1.0, 0.3 + index as f32 / 10_000.0, 0.0]
        })
        .collect();
    let found = found(&constant(&[1, 6, count], &transposed(&rows)));
    assert_eq!(found.len(), 100);
    assert!(found.is_sorted_by(|a, b| a.2 >= b.2));
    assert_eq!(found[0].2, rows[count - 1][4]);
}

#[test]
fn sees_the_colours_of_pictures_of_different_sizes() {
    for model in [red_or_blue(Length::Fixed(1)), red_or_blue(Length::Open("batch"))] {
        for batch in [1, 2, 8] {
            let mut detector = OnnxDetector::new(load(&model, batch).unwrap());
            let pictures = [
                picture(64, 64, RED),
                picture(128, 64, BLUE),
                picture(32, 16, RED),
                picture(9, 9, BLACK),
                picture(640, 640, BLUE),
            ];
            let detections = detector.detect(&pictures).unwrap();
            assert_eq!(classes(&detections), [vec!["red"], vec!["blue"], vec!["red"], vec![], vec!["blue"]]);
            let areas: Vec<_> =
                detections.iter().filter_map(|of_one| of_one.first()).map(|first| shown(first).1).collect();
            assert_eq!(
                areas,
                [
                    [24.0, 20.0, 16.0, 8.0],
                    [48.0, 8.0, 32.0, 16.0],
                    [12.0, 2.0, 8.0, 4.0],
                    [240.0, 200.0, 160.0, 80.0]
                ]
            );
            assert_eq!(detector.detect(&[]).unwrap(), [] as [Vec<Detection>; 0]);
        }
    }
}

#[test]
fn takes_as_many_pictures_at_once_as_the_model_allows() {
    let open = red_or_blue(Length::Open("batch"));
    assert_eq!(load(&open, 1).unwrap().pictures_at_once(), 1);
    assert_eq!(load(&open, 4).unwrap().pictures_at_once(), 4);
    assert_eq!(load(&open, 1000).unwrap().pictures_at_once(), 64);
    assert_eq!(load(&red_or_blue(Length::Fixed(1)), 4).unwrap().pictures_at_once(), 1);
    assert_eq!(load(&red_or_blue(Length::Fixed(3)), 1).unwrap().pictures_at_once(), 3);
}

#[test]
fn fills_up_a_fixed_batch() {
    let mut detector = OnnxDetector::new(load(&red_or_blue(Length::Fixed(3)), 1).unwrap());
    let pictures = [RED, BLUE, RED, BLUE].map(|colour| picture(64, 64, colour));
    assert_eq!(classes(&detector.detect(&pictures).unwrap()), [["red"], ["blue"], ["red"], ["blue"]]);
}

#[test]
fn takes_one_picture_at_a_time_where_one_is_built_in() {
    let model = load(&red_or_blue_with_one_built_in(), 4).unwrap();
    assert_eq!(model.pictures_at_once(), 1);
    let pictures = [RED, BLUE].map(|colour| picture(64, 64, colour));
    assert_eq!(classes(&OnnxDetector::new(model).detect(&pictures).unwrap()), [["red"], ["blue"]]);
}

#[test]
fn takes_models_of_half_floats() {
    let mut detector = OnnxDetector::new(load(&red_or_blue_of_half_floats(), 1).unwrap());
    assert_eq!(classes(&detector.detect(&[picture(64, 64, BLUE)]).unwrap()), [["blue"]]);
}

#[test]
fn an_open_size_is_the_metadatas_or_640() {
    let open = [Length::Open("batch"), Length::Fixed(3), Length::Open("height"), Length::Open("width")];
    let model = with_input(red_or_blue(Length::Fixed(1)), DataType::Float, &open);
    let area = |model: &ModelProto| {
        let mut detector = OnnxDetector::new(load(model, 2).unwrap());
        shown(&detector.detect(&[picture(64, 64, RED)]).unwrap()[0][0]).1
    };
    let expected = [2.4, 2.0, 1.6, 0.8];
    assert!(area(&model).iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5));
    // 64×64 in the middle of 128×64.
    let sized = with_metadata(model, &[("imgsz", "[64, 128]")]);
    assert_eq!(area(&sized), [0.0, 20.0, 8.0, 8.0]);
}

#[test]
fn threads_share_a_model() {
    let model = load(&red_or_blue(Length::Open("batch")), 2).unwrap();
    let threads: Vec<_> = [RED, BLUE]
        .into_iter()
        .map(|colour| {
            let mut detector = OnnxDetector::new(Arc::clone(&model));
            std::thread::spawn(move || detector.detect(&[picture(64, 64, colour)]).unwrap())
        })
        .collect();
    let found: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(found.iter().map(|found| classes(found)).collect::<Vec<_>>(), [[["red"]], [["blue"]]]);
}
