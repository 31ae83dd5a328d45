import Foundation

/// What a client says to the gateway.
struct TurnpikeAPI: Sendable {
    private let gateway: URL
    private let key: String
    private let userId: String?

    /// `gateway` is its address, such as `https://gateway.example.org`.
    init(gateway: URL, key: String, userId: String? = nil) {
        self.gateway = gateway
        self.key = key
        self.userId = userId
    }

    /// The servers to gather candidates from, with credentials that expire.
    func iceServers() async throws -> [IceServer] {
        var url = URLComponents(url: endpoint("ice-servers"), resolvingAgainstBaseURL: true)!
        if let userId {
            url.queryItems = [URLQueryItem(name: "user_id", value: userId)]
            // URLComponents leaves a plus as it is, and servers read it as a space.
            url.percentEncodedQuery = url.percentEncodedQuery?.replacingOccurrences(of: "+", with: "%2B")
        }
        let list: IceServerList = try await ask(URLRequest(url: url.url!))
        return list.iceServers
    }

    /// The SDP of the backend's answer to an offer's SDP.
    func answer(to offer: String) async throws -> String {
        var request = URLRequest(url: endpoint("offer"))
        request.httpMethod = "POST"
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        request.httpBody = try JSONEncoder().encode(Offer(sdp: offer, type: "offer", user_id: userId))
        let answer: Answer = try await ask(request)
        return answer.sdp
    }

    private func endpoint(_ name: String) -> URL {
        gateway.appendingPathComponent("skin/webrtc").appendingPathComponent(name)
    }

    private func ask<Reply: Decodable>(_ request: URLRequest) async throws -> Reply {
        var request = request
        request.timeoutInterval = patience
        request.cachePolicy = .reloadIgnoringLocalCacheData
        request.setValue(key, forHTTPHeaderField: "api-key")
        let (data, response) = try await URLSession.shared.data(for: request)
        guard let response = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        guard response.statusCode == 200 else { throw GatewayError(response, body: data) }
        return try JSONDecoder().decode(Reply.self, from: data)
    }
}

/// A server for ICE, as the gateway names it.
struct IceServer: Decodable, Sendable {
    let urls: [String]
    let username: String?
    let credential: String?
}

/// The gateway says no. `localizedDescription` is for people.
struct GatewayError: LocalizedError {
    let status: Int
    let detail: String
    /// How long the gateway asks to wait, if it says so.
    let retryAfterSeconds: Int?

    /// Whether the same request gets the same answer later.
    var isFinal: Bool { status < 500 && status != 429 }

    var errorDescription: String? {
        let later = retryAfterSeconds.map { " Try again in \($0) s." } ?? ""
        switch status {
        case 401, 403: return "The gateway does not take this API key (\(status)): \(detail)."
        case 429: return "Too many requests.\(later)"
        case 503: return "No room at present: \(detail).\(later)"
        default: return "The gateway answered \(status): \(detail)."
        }
    }

    init(_ response: HTTPURLResponse, body: Data) {
        status = response.statusCode
        retryAfterSeconds = response.value(forHTTPHeaderField: "Retry-After").flatMap { Int($0) }
        let refusal = try? JSONSerialization.jsonObject(with: body) as? [String: Any]
        detail = refusal?["detail"].map { "\($0)" } ?? String(decoding: body, as: UTF8.self)
    }
}

private struct Offer: Encodable {
    let sdp: String
    let type: String
    /// Left out of the JSON if there is none.
    let user_id: String?
}

private struct Answer: Decodable {
    let sdp: String
}

private struct IceServerList: Decodable {
    let iceServers: [IceServer]
}

/// In seconds: longer than the gateway gives its backends.
private let patience: TimeInterval = 30
