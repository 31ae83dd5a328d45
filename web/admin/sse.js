/** Server-sent events as WHATWG HTML §9.2.6 reads them, from text that comes in pieces. */

export class EventParser {
  /** What the server last named its events' id. */
  lastId = "";
  /** How long the server wants to be left alone before the next try, in milliseconds, if it has said so. */
  retryMs = null;
  #rest = "";
  #endedInReturn = false;
  #event = "";
  #data = [];
  #length = 0;

  /** Takes more text, and returns the events that are whole by now, as `{ event, data }`. */
  parse(text) {
    if (text === "") return [];
    // A line ends in CR, LF or both; LF of a pair may come in the next piece.
    const more = this.#endedInReturn && text.startsWith("\n") ? text.slice(1) : text;
    this.#endedInReturn = text.endsWith("\r");
    const lines = (this.#rest + more).split(/\r\n|\n|\r/);
    this.#rest = lines.pop();
    if (this.#rest.length + this.#length > MOST_CHARACTERS) throw new Error("an event has no end");
    return lines.map((line) => this.#take(line)).filter((event) => event !== null);
  }

  #take(line) {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    // One space belongs to the colon; a line that begins with one is a comment.
    const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") this.#event = value;
    if (field === "id" && !value.includes("\0")) this.lastId = value;
    if (field === "retry" && /^\d+$/.test(value)) this.retryMs = Number(value);
    if (field === "data") {
      this.#data.push(value);
      this.#length += value.length;
    }
    return null;
  }

  #dispatch() {
    const whole = this.#data.length > 0 ? { event: this.#event || "message", data: this.#data.join("\n") } : null;
    this.#event = "";
    this.#data = [];
    this.#length = 0;
    return whole;
  }
}

/** Many times what a server with the most sessions and backends tells at once. */
const MOST_CHARACTERS = 8 * 1024 * 1024;
