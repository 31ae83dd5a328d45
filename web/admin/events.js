/** Server-sent events (WHATWG HTML §9.2) by fetch, since EventSource cannot show a token. */

import { ask } from "./api.js";

/** Yields the data of each event `state`, until the stream ends. */
export async function* states(signal) {
  const response = await ask("events", { signal });
  const parse = parser();
  for await (const text of chunks(response.body.pipeThrough(new TextDecoderStream()))) {
    for (const { event, data } of parse(text)) {
      if (event === "state") yield JSON.parse(data);
    }
  }
}

/** Safari's streams are not iterable yet. */
async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Returns a function that takes text as it comes and returns the events that are whole. */
function parser() {
  let rest = "";
  let event = "";
  let data = [];
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    const whole = [];
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) whole.push({ event: event || "message", data: data.join("\n") });
        [event, data] = ["", []];
        continue;
      }
      const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (field === "event") event = value;
      if (field === "data") data.push(value);
    }
    return whole;
  };
}
