/** The page: joins a video, a session and the canvas, and says what goes on. */

import { Frames } from "./frames.js";
import { Meters } from "./meters.js";
import { drawFrame, drawPrediction } from "./overlay.js";
import { Session } from "./session.js";
import { syntheticVideo } from "./synthetic.js";

const element = (id) => document.getElementById(id);
const canvas = element("picture");
let running = null;

element("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
element("stop").addEventListener("click", () => {
  stop();
  say("idle", "Stopped.");
});
addEventListener("pagehide", () => stop());

// The key may come behind the address, where no server sees it.
const given = new URLSearchParams(location.hash.slice(1));
element("key").value = given.get("key") ?? sessionStorage.getItem("key") ?? "";
for (const name of ["source", "way", "user"]) {
  if (given.has(name)) element(name).value = given.get(name);
}
history.replaceState(null, "", location.pathname);
if (given.has("start")) start();

/** Starts a session; when its path breaks, another one takes its place. */
async function start() {
  stop();
  const run = (running = { isOver: false, attempts: 0 });
  toggle(true);
  sessionStorage.setItem("key", element("key").value);
  try {
    say("starting", "Asking for the video …");
    Object.assign(run, await video(element("source").value));
    if (run.isOver) return run.end();
    run.element = Object.assign(document.createElement("video"), { srcObject: run.stream, muted: true, playsInline: true });
    await run.element.play();
    run.frames = new Frames(run.element);
    run.meters = new Meters();
    run.timer = setInterval(() => show(run), 500);
    await connect(run);
  } catch (error) {
    if (running !== run) return;
    stop();
    say("failed", error.message);
  }
}

async function connect(run) {
  say("connecting", "Connecting through the relay …");
  const session = (run.session = new Session({
    gateway: location.origin,
    key: element("key").value.trim(),
    userId: element("user").value.trim(),
    way: element("way").value,
    stream: run.stream,
    onSender: (sender) => run.frames.follow(sender),
  }));
  session.addEventListener("prediction", ({ detail }) => predicted(run, detail));
  session.addEventListener("lost", () => reconnect(run));
  await session.open();
  if (run.isOver) return session.close();
  run.attempts = 0;
  element("session").value = session.id ?? "–";
  say("connected", "Connected: the boxes belong to the very frame that they are drawn on.");
}

/** The path is broken: once more, with new credentials and a new offer, after a while that grows. */
async function reconnect(run) {
  if (run.isOver || run.isReconnecting) return;
  run.isReconnecting = true;
  while (!run.isOver) {
    run.session.close();
    run.attempts += 1;
    if (run.attempts > MOST_ATTEMPTS) {
      stop();
      return say("failed", "The path broke, and there is no other. Start again when the network is back.");
    }
    say("connecting", `The path broke. Trying again (${run.attempts}) …`);
    await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** (run.attempts - 1)));
    try {
      if (!run.isOver) await connect(run);
      break;
    } catch (error) {
      console.warn(error);
    }
  }
  run.isReconnecting = false;
}

function stop() {
  const run = running;
  running = null;
  toggle(false);
  if (!run) return;
  run.isOver = true;
  clearInterval(run.timer);
  run.session?.close();
  run.frames?.close();
  run.end?.();
}

async function video(source) {
  if (source === "synthetic") return syntheticVideo();
  if (!navigator.mediaDevices) {
    throw new Error("Cameras are for secure pages only: open this page as https:// or at localhost.");
  }
  try {
    const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 }, facingMode: "environment" } };
    const stream = await navigator.mediaDevices.getUserMedia(wanted);
    return { stream, end: () => stream.getTracks().forEach((track) => track.stop()) };
  } catch (error) {
    throw new Error(CAMERA_ERRORS[error.name] ?? `The camera does not start: ${error.message}`);
  }
}

function predicted(run, prediction) {
  const now = performance.now();
  const frame = run.frames.of(prediction.rtp_timestamp);
  run.meters.prediction(now, frame?.time);
  run.lastPrediction = now;
  if (!frame) return;
  drawPrediction(canvas, frame.bitmap, prediction);
  element("boxes").value = prediction.boxes.length;
  canvas.dataset.frameId = prediction.frame_id;
  canvas.dataset.boxes = JSON.stringify(prediction.boxes.map(({ box }) => box));
}

async function show(run) {
  const now = performance.now();
  // Without boxes there is still a picture.
  const newest = run.frames.newest();
  if (newest && now - (run.lastPrediction ?? 0) > 1000) drawFrame(canvas, newest.bitmap);
  element("latency").value = run.meters.latency()?.toFixed(0) ?? "–";
  element("rate").value = run.meters.rate(now).toFixed(1);
  if (run.session?.connection?.connectionState !== "connected") return;
  const { bytesSent, candidateType, relayProtocol, roundTripMs } = await run.session.statistics();
  element("bitrate").value = run.meters.bitrate(now, bytesSent)?.toFixed(0) ?? "–";
  const trip = roundTripMs === null ? "" : `, ${roundTripMs.toFixed(0)} ms round trip`;
  element("path").value = candidateType === "relay" ? `relay over ${relayProtocol.toUpperCase()}${trip}` : `${candidateType}${trip}`;
}

function say(state, words) {
  element("status").dataset.state = state;
  element("status").textContent = words;
}

function toggle(isRunning) {
  element("start").disabled = isRunning;
  element("stop").disabled = !isRunning;
  for (const input of element("settings").querySelectorAll("input, select")) input.disabled = isRunning;
}

const CAMERA_ERRORS = {
  NotAllowedError: "The camera was refused. Allow it for this page in the browser's settings, or choose the drawn video.",
  NotFoundError: "There is no camera. Plug one in, or choose the drawn video.",
  NotReadableError: "Another program uses the camera. Close it, or choose the drawn video.",
  OverconstrainedError: "This camera has no suitable picture. Choose the drawn video.",
};
const MOST_ATTEMPTS = 6;
