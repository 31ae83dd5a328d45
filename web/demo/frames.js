/**
 * Frames: keeps the last pictures of a local video, so that boxes can be drawn on the very frame that they were found in.
 *
 * A prediction names its frame by the RTP timestamp. A worker sees each frame as it leaves the encoder, with that timestamp;
 * the picture that was the newest one at that moment is the frame's.
 */

export class Frames {
  #video;
  #pictures = [];
  #encoded = new Map();
  #isOver = false;

  /** `video` plays what is sent. */
  constructor(video) {
    this.#video = video;
    this.#watch();
  }

  /** Looks at the frames of a sender, where the browser lets pages do that. */
  follow(sender) {
    if (!("RTCRtpScriptTransform" in window)) return;
    this.worker?.terminate();
    const worker = new Worker(new URL("encoded-frames.js", import.meta.url));
    worker.addEventListener("message", ({ data }) => {
      this.#encoded.set(data.rtpTimestamp, data.time - performance.timeOrigin);
      if (this.#encoded.size > MOST_FRAMES) this.#encoded.delete(this.#encoded.keys().next().value);
    });
    sender.transform = new RTCRtpScriptTransform(worker, {});
    this.worker = worker;
  }

  /** The picture of a frame and when it was taken; the newest one if nobody knows. */
  of(rtpTimestamp) {
    const encoded = this.#encoded.get(rtpTimestamp) ?? Infinity;
    return this.#pictures.findLast(({ time }) => time <= encoded) ?? null;
  }

  /** The newest picture. */
  newest() {
    return this.#pictures.at(-1) ?? null;
  }

  close() {
    this.#isOver = true;
    this.worker?.terminate();
    this.#pictures.splice(0).forEach(({ bitmap }) => bitmap.close());
  }

  #watch() {
    this.#video.requestVideoFrameCallback(async (now, { captureTime }) => {
      if (this.#isOver) return;
      this.#watch();
      const bitmap = await createImageBitmap(this.#video).catch(() => null);
      if (!bitmap || this.#isOver) return bitmap?.close();
      this.#pictures.push({ bitmap, time: captureTime ?? now });
      if (this.#pictures.length > MOST_FRAMES) this.#pictures.shift().bitmap.close();
    });
  }
}

/** A second at 30 frames a second: longer than a prediction takes. */
const MOST_FRAMES = 30;
