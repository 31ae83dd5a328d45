/** The figures at the top: how much there is at the moment, and what it is made of. */

import { bitRate, number, perSecond, percent, write } from "./words.js";

export class Figures {
  #figures = new Map();
  #notes = new Map();
  #meter = document.getElementById("capacity-meter");

  constructor() {
    for (const place of document.querySelectorAll("[data-figure]")) {
      this.#figures.set(place.dataset.figure, inTwo(place));
    }
    for (const place of document.querySelectorAll("[data-note]")) {
      this.#notes.set(place.dataset.note, place);
    }
  }

  /** Shows counts and their growth per second; `up` and `down` are in bits a second. */
  show({ relay, sessions, growth, up, down }) {
    const offers = sum(growth.answered, growth.refused, growth.failed);
    this.#figure("sessions", number(sessions.total));
    this.#figure("allocations", number(relay.allocations));
    this.#figure("up", bitRate(up));
    this.#figure("down", bitRate(down));
    this.#figure("packets", perSecond(sum(growth.packets_to_peer, growth.packets_to_client)));
    this.#figure("dropped", perSecond(growth.packets_dropped), growth.packets_dropped > 0 ? "warm" : "");
    this.#figure("offers", perSecond(offers, 1));
    this.#figure("capacity", percent(relay.capacity_used), level(relay.capacity_used));
    this.#note("sessions", `${number(sessions.states.stalled ?? 0)} stalled`);
    this.#note("allocations", sessions.total > 0 ? `${number(relay.allocations / sessions.total, 1)} per session` : "");
    this.#note("up", sizes(growth.bytes_to_peer, growth.packets_to_peer));
    this.#note("down", sizes(growth.bytes_to_client, growth.packets_to_client));
    this.#note("packets", `${number(growth.packets_to_peer)} ↑ ${number(growth.packets_to_client)} ↓`);
    this.#note("dropped", `${number(relay.packets_dropped)} since the start`);
    this.#note("offers", `${few(sum(growth.refused, growth.failed))} not answered`);
    this.#meter.style.width = `${Math.min(relay.capacity_used ?? 0, 1) * 100}%`;
  }

  #figure(name, text, state = "") {
    const { value, unit } = this.#figures.get(name);
    const [first, ...rest] = text.split(" ");
    write(value, first);
    write(unit, rest.length > 0 ? ` ${rest.join(" ")}` : "");
    value.parentElement.dataset.level = state;
  }

  #note(name, text) {
    write(this.#notes.get(name), text);
  }
}

function inTwo(place) {
  const [value, unit] = ["value", "unit"].map((name) => {
    return Object.assign(document.createElement("span"), { className: name });
  });
  value.textContent = place.textContent;
  place.replaceChildren(value, unit);
  return { value, unit };
}

function few(value) {
  return number(value, value > 0 ? 1 : 0);
}

/** How large packets are, as a hint of what they carry. */
function sizes(bytes, packets) {
  return packets > 0 ? `${number(bytes / packets)} bytes a packet` : "no packets";
}

function sum(...values) {
  return values.includes(null) ? null : values.reduce((one, other) => one + other, 0);
}

function level(share) {
  if (share >= 0.9) return "wrong";
  return share >= 0.7 ? "warm" : "";
}
