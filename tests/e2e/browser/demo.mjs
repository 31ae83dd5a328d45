// Uses the demo page as its visitor does, looks at what it draws, and prints one JSON summary.
//
//   node demo.mjs '{"page": "http://…/demo/", "key": "…", "source": "synthetic", "way": "udp", "picture": "boxes.png"}'

import { withPage } from "./browser.mjs";

const settings = JSON.parse(process.argv[2]);
const summary = await withPage(visit, { viewport: settings.viewport ?? { width: 1280, height: 800 } });
console.log(JSON.stringify(summary));

async function visit(page) {
  const complaints = [];
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  if (settings.codec) await page.addInitScript(prefer, settings.codec);
  if (settings.noCamera) {
    await page.addInitScript(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("refused", "NotAllowedError"));
    });
  }
  await page.goto(settings.page);
  await page.getByLabel("API key").fill(settings.key);
  await page.getByLabel("User id").fill("visitor");
  await page.getByLabel("Video", { exact: true }).selectOption(settings.source);
  await page.getByLabel("Way to the relay").selectOption(settings.way);
  await page.getByRole("button", { name: "Start" }).click();
  const firstBoxesMs = await page.evaluate(boxes, settings.patienceMs ?? 30_000);
  const looks = [];
  if (firstBoxesMs !== null) {
    await page.waitForTimeout((settings.seconds ?? 0) * 1000);
    for (let look = 0; look < 10; look += 1) {
      looks.push(await page.evaluate(spotsAndBoxes));
      await page.waitForTimeout(100);
    }
    await page.waitForFunction(() => document.getElementById("bitrate").value !== "–");
  }
  const again = settings.sessions && (await endSession(page));
  if (settings.picture) await page.screenshot({ path: settings.picture, fullPage: true });
  const measured = await page.evaluate(() =>
    Object.fromEntries([...document.querySelectorAll("output")].map(({ id, value }) => [id, value])),
  );
  const status = page.locator("#status");
  return {
    firstBoxesMs,
    looks,
    measured,
    state: await status.getAttribute("data-state"),
    words: await status.textContent(),
    again,
    complaints,
  };
}

/** Ends the session as an administrator does; resolves with the name of the one that takes its place. */
async function endSession(page) {
  const session = await page.evaluate(() => document.getElementById("session").value);
  const response = await fetch(`${settings.sessions}/${session}`, { method: "DELETE" });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  await page.waitForFunction((ended) => document.getElementById("session").value !== ended, session);
  const frame = () => document.getElementById("picture").dataset.frameId;
  await page.waitForFunction((last) => document.getElementById("picture").dataset.frameId !== last, await page.evaluate(frame));
  return page.evaluate(() => document.getElementById("session").value);
}

/** Resolves with how long the first boxes have taken; null if none come, or the page gives up. */
function boxes(patienceMs) {
  const began = performance.now();
  return new Promise((resolve) => {
    const look = () => {
      const found = JSON.parse(document.getElementById("picture").dataset.boxes ?? "[]");
      if (found.length > 0) return resolve(performance.now() - began);
      const isOver = performance.now() - began > patienceMs;
      if (isOver || document.getElementById("status").dataset.state === "failed") return resolve(null);
      setTimeout(look, 10);
    };
    look();
  });
}

/** What the canvas shows at this moment: for each box where the dark spot within ends, and how much of the box is drawn. */
function spotsAndBoxes() {
  const canvas = document.getElementById("picture");
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const at = (x, y) => data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3);
  const isDark = (x, y) => at(x, y)[0] < 135 && at(x, y)[1] < 100;
  const isDrawn = (x, y) => at(x, y)[1] > 200 && at(x, y)[0] < 90;
  return JSON.parse(canvas.dataset.boxes).map(([x, y, w, h]) => {
    const [columns, rows] = [[], []];
    // Not above the box, where its label is.
    for (let row = Math.ceil(y); row < Math.min(height, y + h + 24); row += 1) {
      for (let column = Math.max(0, Math.floor(x - 24)); column < Math.min(width, x + w + 24); column += 1) {
        if (isDark(column, row)) columns.push(column), rows.push(row);
      }
    }
    const [left, right, bottom] = [Math.min(...columns), Math.max(...columns) + 1, Math.max(...rows) + 1];
    let drawn = 0;
    for (let column = 0; column < w; column += 1) drawn += isDrawn(Math.round(x + column), Math.round(y + h));
    return { box: { left: x, right: x + w, bottom: y + h }, spot: { left, right, bottom }, drawn: drawn / w };
  });
}

/** Has the browser offer one codec before all others. */
function prefer(codec) {
  const addTrack = RTCPeerConnection.prototype.addTrack;
  RTCPeerConnection.prototype.addTrack = function (...parameters) {
    const sender = addTrack.apply(this, parameters);
    const transceiver = this.getTransceivers().find((each) => each.sender === sender);
    const { codecs } = RTCRtpSender.getCapabilities("video");
    transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === `video/${codec}`));
    return sender;
  };
}
