/** The table of sessions: rows stay as long as their sessions do, so that what has the focus keeps it. */

import { Rates } from "./rates.js";
import { NOTHING, duration, number, percent } from "./words.js";

export class SessionTable {
  #body = document.querySelector("#sessions tbody");
  #filter = document.getElementById("filter");
  #rows = new Map();
  #total = 0;
  #isFirst = true;

  /** `onEnd` is told which session is to end. */
  constructor(onEnd) {
    this.onEnd = onEnd;
    this.#filter.addEventListener("input", () => this.#sift());
  }

  /** Shows sessions, the newest first. */
  show({ total, shown }, time) {
    this.#total = total;
    const left = new Set(this.#rows.keys());
    for (const [place, session] of shown.entries()) {
      left.delete(session.id);
      const row = this.#rows.get(session.id) ?? this.#add(session);
      this.#fill(row, session, time);
      if (this.#body.children[place] !== row.element) {
        this.#body.insertBefore(row.element, this.#body.children[place] ?? null);
      }
    }
    for (const id of left) {
      this.#rows.get(id).element.remove();
      this.#rows.delete(id);
    }
    this.#isFirst = false;
    this.#sift();
  }

  #add(session) {
    const element = document.createElement("tr");
    element.dataset.session = session.id;
    // All are new when the page opens; then only those that come.
    if (!this.#isFirst) element.classList.add("new");
    const cells = Array.from({ length: 12 }, (_, index) => {
      const cell = element.insertCell();
      if (index >= 3 && index <= 9) cell.className = "number";
      return cell;
    });
    const badge = cells[2].appendChild(document.createElement("span"));
    badge.className = "badge";
    const button = cells[11].appendChild(document.createElement("button"));
    button.textContent = "End";
    const row = { element, cells, badge, button, rates: new Rates(), text: "" };
    button.addEventListener("click", () => this.onEnd(row.session));
    this.#rows.set(session.id, row);
    return row;
  }

  #fill(row, session, time) {
    row.session = session;
    const { usage, quality } = session;
    const { up, down } = row.rates.tell({ up: usage.bytes_to_peer, down: usage.bytes_to_client }, time);
    const [client, peer] = [quality?.client, quality?.peer];
    const name = session.user_id ?? "anonymous";
    const trips = [client, peer].map((leg) => number(leg?.round_trip_ms));
    const kilobits = (bytes) => (bytes === null ? NOTHING : number((bytes * 8) / 1000));
    const texts = [
      name,
      session.client === session.key ? session.key : `${session.client}, ${session.key}`,
      null,
      duration(session.age_seconds),
      kilobits(up),
      kilobits(down),
      trips.every((trip) => trip === NOTHING) ? NOTHING : trips.join(" + "),
      client && client.packets + client.lost > 0 ? percent(client.lost / (client.packets + client.lost)) : NOTHING,
      number(client?.jitter_ms, 1),
      number(client?.frame_rate),
      session.backend ?? NOTHING,
    ];
    texts.forEach((text, index) => {
      if (text !== null && row.cells[index].textContent !== text) row.cells[index].textContent = text;
    });
    row.element.title = `session ${session.id}, from ${session.address}`;
    row.badge.textContent = session.state;
    row.badge.dataset.state = session.state;
    row.button.setAttribute("aria-label", `End the session of ${name}`);
    row.text = [name, session.client, session.key, session.state, session.backend, session.id].join(" ").toLowerCase();
  }

  #sift() {
    const wanted = this.#filter.value.trim().toLowerCase();
    let seen = 0;
    for (const { element, text } of this.#rows.values()) {
      element.hidden = !text.includes(wanted);
      seen += !element.hidden;
    }
    document.getElementById("none").hidden = seen > 0;
    document.getElementById("shown").textContent = seen === this.#total ? `${seen}` : `${seen} of ${this.#total}`;
  }
}
