/** What a client says to the gateway: who wants credentials for the relay, and who has an offer. */

/** The gateway says no. `message` is for people; `status` is HTTP's. */
export class GatewayError extends Error {
  constructor(status, detail, retryAfter) {
    super(explain(status, detail, retryAfter));
    this.name = "GatewayError";
    this.status = status;
  }
}

/** The servers to gather candidates from, as RTCPeerConnection takes them, with credentials that expire. */
export async function iceServers(gateway, key, userId) {
  const url = new URL("/skin/webrtc/ice-servers", gateway);
  if (userId) url.searchParams.set("user_id", userId);
  const { iceServers } = await answerOf(await ask(url, { headers: { "api-key": key } }));
  return iceServers;
}

/** The answer to an offer, and the name that the gateway gives the session. */
export async function answerTo(offer, gateway, key, userId) {
  const response = await ask(new URL("/skin/webrtc/offer", gateway), {
    method: "POST",
    headers: { "api-key": key, "content-type": "application/json" },
    body: JSON.stringify({ sdp: offer.sdp, type: offer.type, ...(userId && { user_id: userId }) }),
  });
  const { sdp, type } = await answerOf(response);
  return { answer: { sdp, type }, session: response.headers.get("x-session-id") };
}

async function ask(url, request) {
  try {
    return await fetch(url, { ...request, cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    const why = error.name === "TimeoutError" ? "does not answer" : "cannot be reached";
    throw new GatewayError(0, `${url.origin} ${why}`);
  }
}

async function answerOf(response) {
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const detail = typeof body.detail === "string" ? body.detail : JSON.stringify(body.detail ?? "");
  throw new GatewayError(response.status, detail, response.headers.get("retry-after"));
}

function explain(status, detail, retryAfter) {
  const later = retryAfter ? ` Try again in ${retryAfter} s.` : "";
  switch (status) {
    case 0:
      return `The gateway ${detail}.`;
    case 401:
    case 403:
      return `The gateway does not take this API key (${status}): ${detail}`;
    case 429:
      return `Too many requests.${later}`;
    case 503:
      return `No room at present: ${detail}.${later}`;
    default:
      return `The gateway answered ${status}: ${detail}`;
  }
}

/** Longer than the gateway gives its backends. */
const PATIENCE_MS = 30_000;
