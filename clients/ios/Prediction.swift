import Foundation

/// What the backend found in one frame.
struct Prediction: Decodable, Sendable {
    let frameId: Int
    let boxes: [Box]
    /// Size of the frame that the backend saw, in pixels; nil if it does not say.
    let width: Double?
    let height: Double?
    /// The frame's RTP timestamp; nil if the backend does not say.
    let rtpTimestamp: UInt32?

    private enum CodingKeys: String, CodingKey {
        case frameId = "frame_id"
        case boxes, width, height
        case rtpTimestamp = "rtp_timestamp"
    }
}

/// A rectangle in pixels of the frame; `x` and `y` are its upper left corner.
struct Box: Decodable, Sendable {
    let className: String
    let x: Double
    let y: Double
    let width: Double
    let height: Double
    /// How sure the backend is, from 0 to 1; nil if it does not say.
    let score: Double?

    private enum CodingKeys: String, CodingKey {
        case className = "class"
        case box, score
    }

    init(from decoder: Decoder) throws {
        let found = try decoder.container(keyedBy: CodingKeys.self)
        className = try found.decode(String.self, forKey: .className)
        score = try found.decodeIfPresent(Double.self, forKey: .score)
        var box = try found.nestedUnkeyedContainer(forKey: .box)
        x = try box.decode(Double.self)
        y = try box.decode(Double.self)
        width = try box.decode(Double.self)
        height = try box.decode(Double.self)
    }
}
