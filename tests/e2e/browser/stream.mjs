// Streams Chromium's fake camera through the relay and prints one JSON summary.
//
//   node stream.mjs '{"iceServers": [...], "offerUrl": "...", "apiKey": "...", "userId": "...", "predictions": 30}'

import { rm, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { chromium } from "playwright-core";

const settings = JSON.parse(process.argv[2]);

const profile = await mkdtemp(join(tmpdir(), "turnpike-chromium-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: "/usr/bin/chromium",
  args: [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    ...(settings.chromiumFlags ?? []),
  ],
});
try {
  const page = await context.newPage();
  // Signaling from here: a page without an origin could not read the answer.
  await page.exposeFunction("answerTo", answerTo);
  // Cameras are for secure pages only; this one is made up and never leaves the browser.
  await page.route("https://client.test/", (route) => route.fulfill({ contentType: "text/html", body: "" }));
  await page.goto("https://client.test/");
  console.log(JSON.stringify(await page.evaluate(stream, settings)));
} finally {
  await context.close();
  await rm(profile, { recursive: true, force: true });
}

/** POSTs an offer to the gateway and returns the answer. */
async function answerTo(offer) {
  const response = await fetch(settings.offerUrl, {
    method: "POST",
    headers: { "content-type": "application/json", "api-key": settings.apiKey },
    body: JSON.stringify({ ...offer, user_id: settings.userId }),
  });
  if (response.status !== 200) {
    throw new Error(`the gateway answered ${response.status}: ${await response.text()}`);
  }
  return response.json();
}

/** Runs in the page: one session from the offer until enough predictions have come, or no path was found. */
async function stream({ iceServers, predictions, seconds = 30 }) {
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
