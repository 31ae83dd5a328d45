/**
 * One session: credentials, offer and answer, video out through the relay, predictions in.
 *
 *   const session = new Session({ gateway: location.origin, key, userId, way: "udp", stream });
 *   session.addEventListener("prediction", ({ detail }) => draw(detail.boxes));
 *   session.addEventListener("lost", () => reconnect());
 *   await session.open();
 *
 * Events: `prediction` with what the backend found in a frame, `connected`, and `lost` once the path is broken.
 */

import { answerTo, iceServers } from "./api.js";

/** No way to the relay. */
export class RelayError extends Error {
  constructor(message) {
    super(message);
    this.name = "RelayError";
  }
}

export class Session extends EventTarget {
  /** What the gateway calls it, once it has the answer. */
  id = null;

  /**
   * `way` is udp, tcp or tls: how this client reaches the relay. `onSender` is told who sends the video, before any is sent;
   * only who looks at encoded frames needs that.
   */
  constructor({ gateway, key, userId, way, stream, onSender }) {
    super();
    Object.assign(this, { gateway, key, userId, way, stream, onSender });
  }

  /** Returns once video can flow. Throws GatewayError or RelayError. */
  async open() {
    const servers = ofWay(await iceServers(this.gateway, this.key, this.userId), this.way);
    // Through the relay and no other way, as from behind a firewall.
    this.connection = new RTCPeerConnection({ iceServers: servers, iceTransportPolicy: "relay" });
    const errors = [];
    this.connection.addEventListener("icecandidateerror", (error) => errors.push(error));
    // The backend answers on a channel that its client opens.
    this.channel = this.connection.createDataChannel("results");
    this.channel.addEventListener("message", ({ data }) => this.#tell("prediction", JSON.parse(data)));
    for (const track of this.stream.getVideoTracks()) {
      this.onSender?.(this.connection.addTrack(track, this.stream));
    }
    await this.connection.setLocalDescription();
    await gathered(this.connection);
    if (!this.connection.localDescription.sdp.includes("a=candidate:")) throw noCandidate(errors, this.way);
    const { answer, session } = await answerTo(this.connection.localDescription, this.gateway, this.key, this.userId);
    this.id = session;
    await this.connection.setRemoteDescription(answer);
    await connected(this.connection);
    this.#tell("connected");
    this.connection.addEventListener("connectionstatechange", () => this.#watch());
    this.channel.addEventListener("close", () => this.#tell("lost"));
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.silence);
    this.connection?.close();
  }

  /** The selected path, and what was sent so far. */
  async statistics() {
    const reports = [...(await this.connection.getStats()).values()];
    const transport = reports.find(({ type }) => type === "transport");
    const pair = reports.find(({ id }) => id === transport?.selectedCandidatePairId);
    const local = reports.find(({ id }) => id === pair?.localCandidateId);
    return {
      bytesSent: pair?.bytesSent ?? 0,
      roundTripMs: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1000,
      candidateType: local?.candidateType ?? null,
      relayProtocol: local?.relayProtocol ?? null,
    };
  }

  /** A path that is silent for a while is lost; browsers would wait for half a minute. */
  #watch() {
    clearTimeout(this.silence);
    if (this.connection.connectionState === "failed") this.#tell("lost");
    if (this.connection.connectionState === "disconnected") this.silence = setTimeout(() => this.#tell("lost"), SILENCE_MS);
  }

  #tell(type, detail) {
    if (!this.isClosed) this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The URLs that lead one way to the relay, for whichever servers have one. */
function ofWay(servers, way) {
  const leads = {
    udp: (url) => url.startsWith("turn:") && !url.includes("transport=tcp"),
    tcp: (url) => url.startsWith("turn:") && url.includes("transport=tcp"),
    tls: (url) => url.startsWith("turns:"),
  }[way];
  const chosen = servers.map((server) => ({ ...server, urls: [server.urls].flat().filter(leads) }));
  const useful = chosen.filter(({ urls }) => urls.length > 0);
  if (useful.length === 0) throw new RelayError(`The gateway names no relay that is reached over ${way.toUpperCase()}.`);
  return useful;
}

/** All candidates go into the offer: the gateway sees by them whose the relayed addresses are. */
function gathered(connection) {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") resolve();
    });
  });
}

function connected(connection) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (connection.connectionState === "connected") resolve();
      if (["failed", "closed"].includes(connection.connectionState)) {
        reject(new RelayError("The relay was reached, but no path leads on to the backend."));
      }
    };
    connection.addEventListener("connectionstatechange", look);
    look();
  });
}

function noCandidate(errors, way) {
  const { errorCode, errorText, url } = errors.at(-1) ?? {};
  if (errorCode === 401) return new RelayError(`The relay at ${url} does not take these credentials (401).`);
  if (errorCode === 701 || errorCode === undefined) {
    const hint = way === "tls" ? " Does this browser trust its certificate?" : " Does a firewall stand in between?";
    return new RelayError(`The relay cannot be reached over ${way.toUpperCase()}.${hint}`);
  }
  return new RelayError(`The relay at ${url} gave no address: ${errorCode} ${errorText}`);
}

/** Longer than it takes to change from one network to another and back. */
const SILENCE_MS = 4_000;
