/** The state of the server as it tells it, by fetch, since EventSource cannot show a token. */

import { ask } from "./api.js";
import { EventParser } from "./sse.js";

/**
 * Yields each state until the stream ends; throws when it breaks, or when nothing comes for a while.
 *
 * `link` outlives streams: it has `lastId`, from which a server may go on, and `retryMs`, after which it wants the next
 * try.
 */
export async function* states(link) {
  const stop = new AbortController();
  let silence;
  // A network that goes away says nothing.
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => stop.abort(new Error("the server is silent")), SILENCE_MS);
  };
  const giveUp = () => stop.abort(new Error("another token came"));
  addEventListener("token", giveUp);
  try {
    heard();
    const headers = link.lastId ? { "last-event-id": link.lastId } : {};
    const response = await ask("events", { headers, signal: stop.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new EventParser();
    for (;;) {
      // Safari's streams cannot be iterated yet.
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      const events = parser.parse(value);
      link.lastId = parser.lastId || link.lastId;
      link.retryMs = parser.retryMs ?? link.retryMs;
      for (const { event, data } of events) {
        if (event === "state") yield JSON.parse(data);
      }
    }
  } finally {
    clearTimeout(silence);
    removeEventListener("token", giveUp);
    stop.abort();
  }
}

/** A state comes each second. */
const SILENCE_MS = 5_000;
