/** What is measured of a session: how long boxes take, how many come, what is sent. */

export class Meters {
  #latencies = [];
  #arrivals = [];
  #bytes = null;

  /** A prediction came, for a frame that was taken then. */
  prediction(now, taken) {
    this.#arrivals.push(now);
    while (this.#arrivals[0] < now - WINDOW_MS) this.#arrivals.shift();
    if (taken === undefined) return;
    this.#latencies.push(now - taken);
    if (this.#latencies.length > 60) this.#latencies.shift();
  }

  /** The median, in milliseconds; null before there is one. */
  latency() {
    if (this.#latencies.length === 0) return null;
    return this.#latencies.toSorted((a, b) => a - b)[Math.floor(this.#latencies.length / 2)];
  }

  /** Predictions a second. */
  rate(now) {
    return this.#arrivals.filter((arrival) => arrival > now - WINDOW_MS).length / (WINDOW_MS / 1000);
  }

  /** Kilobits a second since it was asked last; null the first time. */
  bitrate(now, bytes) {
    const before = this.#bytes;
    this.#bytes = { now, bytes };
    return before ? ((bytes - before.bytes) * 8) / (now - before.now) : null;
  }
}

const WINDOW_MS = 2000;
