/** The table of sessions: rows stay as long as their sessions do, so that what has the focus keeps it. */

import { addCells } from "./cells.js";
import { Rates } from "./rates.js";
import { NOTHING, duration, number, percent, visible, write } from "./words.js";

export class SessionTable {
  #body = document.querySelector("#sessions tbody");
  #labels = [...document.querySelectorAll("#sessions thead th")].map((head) => head.textContent);
  #filter = document.getElementById("filter");
  #states = document.getElementById("states");
  #rows = new Map();
  #leaving = new Set();
  #total = 0;
  #isFirst = true;

  /** `onEnd` is told which session is to end. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.#filter.addEventListener("input", () => this.#sift());
  }

  /** Shows sessions, the newest first. */
  show({ total, states, shown }, time) {
    this.#total = total;
    this.#dismiss(shown, shown.length < total);
    let place = this.#body.firstElementChild;
    for (const session of shown.slice(0, MOST_ROWS)) {
      // What leaves stays where it was, and what stays does not move: a row that moves loses the focus.
      while (place && this.#leaving.has(place)) place = place.nextElementSibling;
      const row = this.#rows.get(session.id) ?? this.#add(session);
      fill(row, session, time);
      if (row.element === place) place = place.nextElementSibling;
      else this.#body.insertBefore(row.element, place);
    }
    this.#isFirst = false;
    this.#showStates(states);
    this.#sift();
  }

  /** Lets go of the rows whose sessions are not there any more. */
  #dismiss(shown, isCut) {
    const ids = new Set(shown.map(({ id }) => id));
    const oldest = shown.at(-1)?.began_at ?? 0;
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      this.#rows.delete(id);
      // A list that is cut pushes the oldest ones out, which live on.
      const isPushedOut = isCut && row.session.began_at <= oldest;
      if (isPushedOut || this.#leaving.size >= MOST_LEAVING) remove(row.element);
      else this.#seeOff(row);
    }
  }

  #seeOff({ element, button, badge }) {
    element.dataset.change = "ended";
    badge.dataset.state = "ended";
    badge.textContent = "ended";
    // One that is disabled would lose the focus, and with it the place in the table.
    button.setAttribute("aria-disabled", "true");
    this.#leaving.add(element);
    setTimeout(() => {
      this.#leaving.delete(element);
      remove(element);
    }, LEAVING_MS);
  }

  #add(session) {
    const element = document.createElement("tr");
    element.dataset.session = session.id;
    // All are new when the page opens; then only those that come.
    if (!this.#isFirst) {
      element.dataset.change = "new";
      setTimeout(() => element.dataset.change === "new" && delete element.dataset.change, NEW_MS);
    }
    const cells = addCells(element, COLUMNS, this.#labels, NUMBERS, NAMES);
    const row = {
      element,
      cells,
      rates: new Rates(RATE_SECONDS),
      losses: new Rates(LOSS_SECONDS),
    };
    row.badge = row.cells.state.appendChild(document.createElement("span"));
    row.badge.className = "badge";
    row.button = row.cells.end.appendChild(document.createElement("button"));
    row.button.type = "button";
    row.button.textContent = "End";
    row.button.addEventListener("click", () => {
      if (row.button.getAttribute("aria-disabled") !== "true") this.onEnd(row.session);
    });
    this.#rows.set(session.id, row);
    return row;
  }

  /** How many sessions are in each state, as buttons that show those alone. */
  #showStates(states) {
    for (const state of STATES) {
      const count = states[state] ?? 0;
      let button = this.#states.querySelector(`[data-state="${state}"]`);
      if (!button) {
        button = this.#states.appendChild(document.createElement("button"));
        button.type = "button";
        button.className = "badge";
        button.dataset.state = state;
        button.addEventListener("click", () => {
          this.#filter.value = this.#filter.value === state ? "" : state;
          this.#sift();
        });
      }
      write(button, `${state} ${number(count)}`);
      button.hidden = count === 0 && this.#filter.value !== state;
    }
  }

  #sift() {
    const wanted = this.#filter.value.trim().toLowerCase();
    let seen = 0;
    for (const { element, text, session } of this.#rows.values()) {
      element.hidden = STATES.includes(wanted) ? session.state !== wanted : !text.includes(wanted);
      seen += !element.hidden;
    }
    for (const button of this.#states.children) button.setAttribute("aria-pressed", button.dataset.state === wanted);
    const shown = seen === this.#total ? number(seen) : `${number(seen)} of ${number(this.#total)}`;
    write(document.getElementById("shown"), shown);
    const none = document.getElementById("none");
    none.hidden = seen > 0 || this.#leaving.size > 0;
    write(none, wanted ? "No session is like that." : "No sessions. They appear here as they come.");
  }
}

function fill(row, session, time) {
  row.session = session;
  const { cells, badge, button } = row;
  const { usage, quality } = session;
  const { up, down } = row.rates.tell({ up: usage.bytes_to_peer, down: usage.bytes_to_client }, time);
  const [client, peer] = [quality?.client, quality?.peer];
  const loss = lossOf(row, client, time);
  const name = visible(session.user_id ?? "anonymous");
  const trips = [client?.round_trip_ms, peer?.round_trip_ms];
  const isOneName = session.client === session.key;
  write(cells.user, name);
  write(cells.origin, isOneName ? session.key : `${session.client} / ${session.key}`);
  write(badge, session.state);
  write(cells.age, duration(session.age_seconds));
  write(cells.up, kilobits(up));
  write(cells.down, kilobits(down));
  write(cells.trip, trips.some((trip) => trip !== undefined) ? trips.map((trip) => number(trip)).join(" + ") : NOTHING);
  write(cells.loss, percent(loss));
  write(cells.jitter, number(client?.jitter_ms, 1));
  write(cells.frames, number(client?.frame_rate));
  write(cells.backend, session.backend ?? NOTHING);
  badge.dataset.state = session.state;
  cells.user.classList.toggle("quiet", session.user_id === undefined);
  cells.trip.dataset.level = level(Math.max(...trips.map((trip) => trip ?? 0)), 200, 500);
  cells.loss.dataset.level = level(loss ?? 0, 0.02, 0.05);
  cells.jitter.dataset.level = level(client?.jitter_ms ?? 0, 30, 100);
  const title = `${name}, session ${session.id}, from ${session.address}`;
  if (cells.user.title !== title) {
    cells.user.title = title;
    button.setAttribute("aria-label", `End the session of ${name}`);
  }
  cells.origin.title = isOneName ? "" : `client ${session.client}, key ${session.key}`;
  const { id, user_id: user, client: owner, key, state, backend } = session;
  row.text = [user ?? name, owner, key, state, backend, id].join("\n").toLowerCase();
}

/** The share that was lost of what the client has sent lately. */
function lossOf({ losses }, client, time) {
  if (!client) return null;
  const { lost, packets } = losses.tell({ lost: client.lost, packets: client.packets }, time);
  // Packets that come late are lost no more, and so the count may fall.
  return lost === null || !(lost + packets > 0) ? null : lost / (lost + packets);
}

function kilobits(bytes) {
  return bytes === null ? NOTHING : number((bytes * 8) / 1000);
}

function level(value, warm, wrong) {
  if (value >= wrong) return "wrong";
  return value >= warm ? "warm" : "";
}

/** Removes a row; what had the focus in it leaves it to its neighbour. */
function remove(element) {
  const hasFocus = element.contains(document.activeElement);
  const heirs = [element.nextElementSibling, element.previousElementSibling].filter((row) => row && !row.hidden);
  element.remove();
  if (hasFocus) (heirs[0]?.querySelector("button") ?? document.getElementById("filter")).focus();
}

const COLUMNS = ["user", "origin", "state", "age", "up", "down", "trip", "loss", "jitter", "frames", "backend", "end"];
const NUMBERS = new Set(["age", "up", "down", "trip", "loss", "jitter", "frames"]);
const NAMES = new Set(["user", "origin"]);
const STATES = ["media", "stalled", "connected", "claimed", "answered", "offered"];
/** As many as the server tells. */
const MOST_ROWS = 200;
/** More at once is no news of single sessions. */
const MOST_LEAVING = 20;
const LEAVING_MS = 2_000;
const NEW_MS = 3_000;
/** The server counts about once a second, so that a single second may hold two counts or none. */
const RATE_SECONDS = 3;
/** Long enough that one packet is not a percent. */
const LOSS_SECONDS = 10;
