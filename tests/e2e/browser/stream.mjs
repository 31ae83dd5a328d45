// Streams Chromium's fake camera through the relay and prints one JSON summary.
//
//   node stream.mjs '{"iceServers": [...], "offerUrl": "...", "apiKey": "...", "userId": "...", "predictions": 30}'

import { withPage } from "./browser.mjs";

const settings = JSON.parse(process.argv[2]);

await withPage(async (page) => {
  // Cameras are for secure pages only, and a page on localhost is one; this one is made up and never leaves the browser.
  // The gateway is of another origin, so that the browser asks it before it lets the page send the key.
  await page.route("http://localhost/", (route) => route.fulfill({ contentType: "text/html", body: "" }));
  await page.goto("http://localhost/");
  // As long as requests are intercepted, preflights never leave the browser either.
  await page.unrouteAll();
  console.log(JSON.stringify(await page.evaluate(stream, settings)));
});

/** Runs in the page: one session from the offer until enough predictions have come, or no path was found. */
async function stream({ iceServers, offerUrl, apiKey, userId, predictions, seconds = 30 }) {
  /** POSTs an offer to the gateway and returns the answer. */
  async function answerTo(offer) {
    const response = await fetch(offerUrl, {
      method: "POST",
      headers: { "content-type": "application/json", "api-key": apiKey },
      body: JSON.stringify({ ...offer, user_id: userId }),
    });
    if (response.status !== 200) {
      throw new Error(`the gateway answered ${response.status}: ${await response.text()}`);
    }
    if (!response.headers.get("x-session-id")) throw new Error("the page may not read the session's id");
    return response.json();
  }

  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
  const candidateErrors = [];
  connection.addEventListener("icecandidateerror", ({ errorCode, errorText, url }) => {
    candidateErrors.push({ errorCode, errorText, url });
  });
  const camera = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  camera.getTracks().forEach((track) => connection.addTrack(track, camera));
  const channel = connection.createDataChannel("results");
  const received = [];
  const enough = new Promise((resolve) => {
    channel.addEventListener("message", ({ data }) => {
      received.push(JSON.parse(data));
      if (received.length >= predictions) resolve();
    });
    setTimeout(resolve, seconds * 1000);
  });

  await connection.setLocalDescription();
  if (connection.iceGatheringState !== "complete") {
    await new Promise((resolve) => {
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState === "complete") resolve();
      });
    });
  }
  const candidates = connection.localDescription.sdp.match(/^a=candidate:.*$/gm) ?? [];
  if (candidates.length > 0) {
    const { type, sdp } = connection.localDescription;
    await connection.setRemoteDescription(await answerTo({ type, sdp }));
    await enough;
  }

  const reports = [...(await connection.getStats()).values()];
  const transport = reports.find((report) => report.type === "transport");
  const pair = reports.find((report) => report.id === transport?.selectedCandidatePairId);
  const local = reports.find((report) => report.id === pair?.localCandidateId);
  connection.close();
  return {
    candidates: candidates.length,
    candidateErrors,
    candidateType: local?.candidateType ?? null,
    relayProtocol: local?.relayProtocol ?? null,
    bytesSent: pair?.bytesSent ?? 0,
    predictions: received.length,
    firstFrameIds: received.slice(0, 3).map((prediction) => prediction.frame_id),
  };
}
