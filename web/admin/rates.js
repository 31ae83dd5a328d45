/** What becomes of counts over time. */

/** How fast a count grows, in units a second, as it is told now and then. */
export class Rate {
  #last = null;

  /** Returns the rate since it was told last; null the first time, and after the count began anew. */
  tell(count, time) {
    const last = this.#last;
    this.#last = { count, time };
    if (!last || time <= last.time || count < last.count) return null;
    return (count - last.count) / (time - last.time);
  }
}

/** The rates of several counts of one thing. */
export class Rates {
  #rates = new Map();

  tell(counts, time) {
    return Object.fromEntries(
      Object.entries(counts).map(([name, count]) => {
        if (!this.#rates.has(name)) this.#rates.set(name, new Rate());
        return [name, this.#rates.get(name).tell(count, time)];
      }),
    );
  }
}
