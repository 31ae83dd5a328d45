import UIKit

/// Draws the boxes of the newest prediction. To be laid over a preview of the same shape as the frames.
final class BoxOverlayView: UIView {
    var prediction: Prediction? {
        didSet { setNeedsDisplay() }
    }

    override init(frame: CGRect) {
        super.init(frame: frame)
        isOpaque = false
        isUserInteractionEnabled = false
    }

    required init?(coder: NSCoder) {
        super.init(coder: coder)
        isOpaque = false
        isUserInteractionEnabled = false
    }

    override func draw(_ rect: CGRect) {
        guard let prediction else { return }
        let size = sizeOfFrame(prediction)
        let across = Double(bounds.width / size.width)
        let down = Double(bounds.height / size.height)
        UIColor.green.setStroke()
        for box in prediction.boxes {
            let place = CGRect(
                x: box.x * across, y: box.y * down, width: box.width * across, height: box.height * down)
            let line = UIBezierPath(rect: place)
            line.lineWidth = 2
            line.stroke()
            let label = NSAttributedString(string: box.className, attributes: [.foregroundColor: UIColor.green])
            label.draw(at: CGPoint(x: place.minX, y: place.minY - label.size().height))
        }
    }

    /// For backends that name no size: the camera's, which turns with the device as this view does.
    private func sizeOfFrame(_ prediction: Prediction) -> CGSize {
        if let width = prediction.width, let height = prediction.height { return CGSize(width: width, height: height) }
        return bounds.width > bounds.height ? CGSize(width: 640, height: 480) : CGSize(width: 480, height: 640)
    }
}
