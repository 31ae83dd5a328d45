import AVFoundation
@preconcurrency import WebRTC

/// The camera at the back as a video track.
final class Camera {
    /// What a session sends. Add an `RTCMTLVideoView` to see it.
    let video: RTCVideoTrack
    private let capturer: RTCCameraVideoCapturer

    init(factory: RTCPeerConnectionFactory) {
        let source = factory.videoSource()
        video = factory.videoTrack(with: source, trackId: "camera")
        capturer = RTCCameraVideoCapturer(delegate: source)
    }

    /// Asks the user for the camera where that is still open.
    func start() async throws {
        guard await AVCaptureDevice.requestAccess(for: .video) else { throw CameraError.refused }
        let devices = RTCCameraVideoCapturer.captureDevices()
        guard let device = devices.first(where: { $0.position == .back }) ?? devices.first else {
            throw CameraError.missing
        }
        let formats = RTCCameraVideoCapturer.supportedFormats(for: device)
        guard let format = formats.min(by: { distance($0) < distance($1) }) else { throw CameraError.missing }
        try await capturer.startCapture(with: device, format: format, fps: 30)
    }

    func stop() async {
        await capturer.stopCapture()
    }

    /// How far a format's width is from 640 pixels.
    private func distance(_ format: AVCaptureDevice.Format) -> Int32 {
        abs(CMVideoFormatDescriptionGetDimensions(format.formatDescription).width - 640)
    }
}

/// There is no picture to send.
enum CameraError: LocalizedError {
    case refused, missing

    var errorDescription: String? {
        switch self {
        case .refused: return "The camera was refused. Allow it for this app in Settings."
        case .missing: return "There is no camera."
        }
    }
}
