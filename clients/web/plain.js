/** A whole client in one file: the camera's video out through the relay, boxes back. No library and no build. */

const [form, video, canvas, output] = ["form", "video", "canvas", "output"].map((name) => document.querySelector(name));
let predictions = 0;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.inert = true;
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    await stayConnected(Object.fromEntries(new FormData(form)));
  } catch (error) {
    output.value = error.message;
    video.srcObject?.getTracks().forEach((track) => track.stop());
    form.inert = false;
  }
});

/** Has one session follow another, with pauses that grow while none connects. Throws what no new session mends. */
async function stayConnected(settings) {
  let seconds = 1;
  for (;;) {
    try {
      await session(settings, () => (seconds = 1));
    } catch (error) {
      if (error.isFinal || seconds > LONGEST_PAUSE_SECONDS) throw error;
      const pause = error.retryAfterSeconds || seconds;
      output.value = `${error.message} Trying again in ${pause} s.`;
      await new Promise((resolve) => setTimeout(resolve, pause * 1000));
      seconds *= 2;
    }
  }
}

/** One session. It ends by throwing the reason. */
async function session({ gateway, key, userId }, onConnected) {
  output.value = "Connecting …";

  // 1. Credentials for the relay.
  const list = new URL("/skin/webrtc/ice-servers", gateway);
  if (userId) list.searchParams.set("user_id", userId);
  const { iceServers } = await ask(list, { headers: { "api-key": key } });

  // 2. A connection through the relay only, with the channel that the backend answers on.
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: "relay" });
  try {
    const results = connection.createDataChannel("results");
    results.addEventListener("message", ({ data }) => show(JSON.parse(data)));
    for (const track of video.srcObject.getVideoTracks()) connection.addTrack(track, video.srcObject);
    await connection.setLocalDescription();
    await reached(connection, "iceGatheringState", "complete");

    // 3. The offer, with all candidates, for the answer.
    const { sdp, type } = connection.localDescription;
    if (!sdp.includes("a=candidate:")) throw new Error("The relay cannot be reached, or refuses the credentials.");
    const answer = await ask(new URL("/skin/webrtc/offer", gateway), {
      method: "POST",
      headers: { "api-key": key, "content-type": "application/json" },
      body: JSON.stringify({ sdp, type, ...(userId && { user_id: userId }) }),
    });
    await connection.setRemoteDescription(answer);

    // 4. Predictions arrive from here on.
    await reached(connection, "connectionState", "connected");
    output.value = "Connected.";
    onConnected();
    // Nobody closes it but this function, so this ends by a failure.
    await Promise.race([
      reached(connection, "connectionState", "closed"),
      new Promise((_, reject) => {
        results.addEventListener("close", () => reject(new Error("The backend has ended the session.")));
      }),
    ]);
  } finally {
    connection.close();
  }
}

/** Resolves once a state has a value. Rejects once the path is broken. */
function reached(connection, state, value) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (connection[state] === value) resolve();
      if (connection.connectionState === "failed") reject(new Error("The path to the backend is broken."));
    };
    connection.addEventListener(`${state.toLowerCase()}change`, look);
    look();
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
  throw Object.assign(new Error(`The gateway answered ${response.status}: ${detail}.`), {
    isFinal: response.status < 500 && response.status !== 429,
    retryAfterSeconds: Number(response.headers.get("retry-after")),
  });
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

const LONGEST_PAUSE_SECONDS = 32;
