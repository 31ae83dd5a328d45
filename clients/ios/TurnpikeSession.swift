import Foundation
@preconcurrency import WebRTC

/// Sends a video through the relay to the backend, which answers with predictions.
final class TurnpikeSession: @unchecked Sendable {
    private let api: TurnpikeAPI
    private let factory: RTCPeerConnectionFactory
    private let video: RTCVideoTrack

    init(api: TurnpikeAPI, factory: RTCPeerConnectionFactory, video: RTCVideoTrack) {
        self.api = api
        self.factory = factory
        self.video = video
    }

    /// One session: it begins at once, and ends with the task that iterates, or when the stream is let go.
    /// Throws `GatewayError`, `URLError` or `SessionError` when it cannot begin or breaks.
    /// Whoever iterates too slowly gets the newest predictions.
    func predictions() -> AsyncThrowingStream<Prediction, Error> {
        stream { try await self.run(into: $0) }
    }

    /// As `predictions`, but whenever a session breaks, another one follows, after a pause that grows until one works.
    func predictionsOfManySessions() -> AsyncThrowingStream<Prediction, Error> {
        stream { continuation in
            var failures = 0
            while !Task.isCancelled {
                do {
                    for try await prediction in self.predictions() {
                        failures = 0
                        continuation.yield(prediction)
                    }
                } catch {
                    let refusal = error as? GatewayError
                    if refusal?.isFinal == true || failures == mostFailures { throw error }
                    let pause = refusal?.retryAfterSeconds ?? 1 << failures
                    try await Task.sleep(nanoseconds: UInt64(pause) * 1_000_000_000)
                    failures += 1
                }
            }
        }
    }

    private typealias Continuation = AsyncThrowingStream<Prediction, Error>.Continuation

    private func stream(
        _ work: @escaping @Sendable (Continuation) async throws -> Void
    ) -> AsyncThrowingStream<Prediction, Error> {
        AsyncThrowingStream(bufferingPolicy: .bufferingNewest(keptPredictions)) { continuation in
            let task = Task {
                do {
                    try await work(continuation)
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func run(into predictions: Continuation) async throws {
        let observer = Observer(predictions: predictions)
        let none = RTCMediaConstraints(mandatoryConstraints: nil, optionalConstraints: nil)
        let configuration = relayOnly(try await api.iceServers())
        guard let connection = factory.peerConnection(
            with: configuration, constraints: none, delegate: observer
        ) else { throw SessionError.iceServersRefused }
        defer { connection.close() }

        // The backend answers on a channel that its client opens, and that must be in the offer.
        guard let results = connection.dataChannel(
            forLabel: "results", configuration: RTCDataChannelConfiguration()
        ) else { throw SessionError.noChannel }
        results.delegate = observer
        // WebRTC holds the one only weakly, and forgets the observer of the other when that is let go.
        defer { withExtendedLifetime((observer, results)) {} }

        connection.add(video, streamIds: ["camera"])
        try await connection.setLocalDescription()
        _ = await observer.gathered.first { _ in true }

        let offer = connection.localDescription?.sdp ?? ""
        guard offer.contains("a=candidate:") else { throw SessionError.noRelay }
        let answer = try await api.answer(to: offer)
        try await connection.setRemoteDescription(RTCSessionDescription(type: .answer, sdp: answer))

        if let failure = await observer.failures.first(where: { _ in true }) { throw failure }
    }

    private func relayOnly(_ servers: [IceServer]) -> RTCConfiguration {
        let configuration = RTCConfiguration()
        configuration.iceServers = servers.map {
            RTCIceServer(urlStrings: $0.urls, username: $0.username, credential: $0.credential)
        }
        configuration.iceTransportPolicy = .relay
        configuration.sdpSemantics = .unifiedPlan
        // Else gathering never completes.
        configuration.continualGatheringPolicy = .gatherOnce
        return configuration
    }
}

/// A session cannot begin, or has ended.
enum SessionError: LocalizedError {
    case iceServersRefused, noChannel, noRelay, pathBroken, endedByBackend
    case notAPrediction(String)

    var errorDescription: String? {
        switch self {
        case .iceServersRefused: return "This device refuses the ICE servers of the gateway."
        case .noChannel: return "This device opens no data channel."
        case .noRelay: return "The relay cannot be reached, or refuses the credentials."
        case .pathBroken: return "The path to the backend is broken."
        case .endedByBackend: return "The backend has ended the session."
        case .notAPrediction(let why): return "The backend sends what is no prediction: \(why)"
        }
    }
}

/// Passes on predictions, and knows when all candidates are gathered and when the session fails.
/// WebRTC calls it on a thread of its own.
private final class Observer: NSObject, RTCPeerConnectionDelegate, RTCDataChannelDelegate {
    let gathered: AsyncStream<Void>
    let failures: AsyncStream<SessionError>
    private let gathering: AsyncStream<Void>.Continuation
    private let failing: AsyncStream<SessionError>.Continuation
    private let predictions: AsyncThrowingStream<Prediction, Error>.Continuation

    init(predictions: AsyncThrowingStream<Prediction, Error>.Continuation) {
        self.predictions = predictions
        (gathered, gathering) = AsyncStream.makeStream(of: Void.self)
        (failures, failing) = AsyncStream.makeStream(of: SessionError.self)
    }

    func dataChannel(_ dataChannel: RTCDataChannel, didReceiveMessageWith buffer: RTCDataBuffer) {
        do {
            predictions.yield(try JSONDecoder().decode(Prediction.self, from: buffer.data))
        } catch {
            failing.yield(.notAPrediction("\(error)"))
        }
    }

    func dataChannelDidChangeState(_ dataChannel: RTCDataChannel) {
        if dataChannel.readyState == .closed { failing.yield(.endedByBackend) }
    }

    func peerConnection(_ peerConnection: RTCPeerConnection, didChange newState: RTCIceGatheringState) {
        if newState == .complete { gathering.yield() }
    }

    func peerConnection(_ peerConnection: RTCPeerConnection, didChange newState: RTCPeerConnectionState) {
        if newState == .failed { failing.yield(.pathBroken) }
    }

    // The protocol wants these as well.
    func peerConnection(_ peerConnection: RTCPeerConnection, didChange stateChanged: RTCSignalingState) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didChange newState: RTCIceConnectionState) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didAdd stream: RTCMediaStream) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didRemove stream: RTCMediaStream) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didGenerate candidate: RTCIceCandidate) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didRemove candidates: [RTCIceCandidate]) {}
    func peerConnection(_ peerConnection: RTCPeerConnection, didOpen dataChannel: RTCDataChannel) {}
    func peerConnectionShouldNegotiate(_ peerConnection: RTCPeerConnection) {}
}

/// Two seconds at 30 frames a second.
private let keptPredictions = 60

/// The last pause takes half a minute.
private let mostFailures = 6
