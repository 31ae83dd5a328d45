/** How fast counts grow. */

/** The rates of several counts of one thing, in units a second. */
export class Rates {
  #windowSeconds;
  #told = new Map();

  /** Rates are over so many seconds. */
  constructor(windowSeconds = LEAST_SECONDS) {
    this.#windowSeconds = windowSeconds;
  }

  /** Takes counts as they are at a time in seconds; a rate is null the first time, and after its count began anew. */
  tell(counts, time) {
    const rates = Object.entries(counts).map(([name, count]) => [name, this.#rate(name, count, time)]);
    return Object.fromEntries(rates);
  }

  #rate(name, count, time) {
    if (!Number.isFinite(count)) return null;
    let told = this.#told.get(name) ?? [];
    const last = told.at(-1);
    if (last && (time <= last.time || count < last.count)) told = [];
    told.push({ count, time });
    while (told.length > 2 && (told[1].time <= time - this.#windowSeconds || told.length > MOST_TOLD)) told.shift();
    this.#told.set(name, told);
    const seconds = time - told[0].time;
    return seconds < LEAST_SECONDS ? null : (count - told[0].count) / seconds;
  }
}

/** A stream begins with a state at once, and what grows until the next one may be a single packet. */
const LEAST_SECONDS = 0.5;
/** A state comes each second, and no window is longer than a few. */
const MOST_TOLD = 60;
