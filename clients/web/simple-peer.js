/** The same client with simple-peer, which makes the offer and waits for its candidates. */

const [form, video, canvas, output] = ["form", "video", "canvas", "output"].map((name) => document.querySelector(name));
let predictions = 0;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.inert = true;
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    await session(Object.fromEntries(new FormData(form)), video.srcObject);
  } catch (error) {
    output.value = error.message;
    video.srcObject?.getTracks().forEach((track) => track.stop());
    form.inert = false;
  }
});

/** One session. It ends by throwing the reason. */
async function session({ gateway, key, userId }, stream) {
  output.value = "Connecting …";

  // 1. Credentials for the relay.
  const list = new URL("/skin/webrtc/ice-servers", gateway);
  if (userId) list.searchParams.set("user_id", userId);
  const { iceServers } = await ask(list, { headers: { "api-key": key } });

  // 2. A connection through the relay only, with the channel that the backend answers on.
  const peer = new SimplePeer({
    initiator: true,
    // One offer with all candidates: the gateway takes no more of them later.
    trickle: false,
    channelName: "results",
    config: { iceServers, iceTransportPolicy: "relay" },
    stream,
    // A prediction a message, never two in one piece.
    objectMode: true,
  });

  await new Promise((_, reject) => {
    // 3. The offer for the answer.
    peer.on("signal", (offer) => {
      answerTo(offer, gateway, key, userId).then(
        (answer) => peer.signal(answer),
        (error) => peer.destroy(error),
      );
    });

    // 4. Predictions arrive from here on.
    peer.on("connect", () => (output.value = "Connected."));
    peer.on("data", (message) => show(JSON.parse(message)));
    peer.on("error", reject);
    peer.on("close", () => reject(new Error("The backend has ended the session.")));
  });
}

function answerTo({ sdp, type }, gateway, key, userId) {
  return ask(new URL("/skin/webrtc/offer", gateway), {
    method: "POST",
    headers: { "api-key": key, "content-type": "application/json" },
    body: JSON.stringify({ sdp, type, ...(userId && { user_id: userId }) }),
  });
}

/** What the gateway answers; its refusals are thrown. */
async function ask(url, request) {
  const response = await fetch(url, { ...request, signal: AbortSignal.timeout(30_000) }).catch(() => {
    throw new Error(`${url.origin} cannot be reached, or does not let this page in.`);
  });
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const detail = typeof body.detail === "string" ? body.detail : JSON.stringify(body.detail ?? "");
  throw new Error(`The gateway answered ${response.status}: ${detail}.`);
}

/** Boxes are in pixels of the frame that the backend saw. They lie on the live picture, so they lag a little. */
function show({ boxes, width = video.videoWidth, height = video.videoHeight }) {
  predictions += 1;
  output.value = `Connected. Predictions: ${predictions}, boxes in the newest one: ${boxes.length}.`;
  Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.strokeStyle = context.fillStyle = "#00ff88";
  context.font = "16px system-ui, sans-serif";
  for (const { class: name, box: [x, y, w, h] } of boxes) {
    context.strokeRect(x, y, w, h);
    context.fillText(name, x, y - 4);
  }
}
