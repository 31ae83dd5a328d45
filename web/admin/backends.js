/** The table of backends: one row each, for as long as the configuration has it. */

import { addCells } from "./cells.js";
import { NOTHING, clock, number, write } from "./words.js";

export class BackendTable {
  #body = document.querySelector("#backends tbody");
  #labels = [...document.querySelectorAll("#backends thead th")].map((head) => head.textContent);
  #rows = new Map();

  /** Shows backends in their order. */
  show(backends) {
    const names = new Set(backends.map(({ name }) => name));
    for (const [name, { element }] of this.#rows) {
      if (names.has(name)) continue;
      element.remove();
      this.#rows.delete(name);
    }
    for (const [place, backend] of backends.entries()) {
      const row = this.#rows.get(backend.name) ?? this.#add(backend.name);
      fill(row, backend);
      const there = this.#body.children[place] ?? null;
      if (there !== row.element) this.#body.insertBefore(row.element, there);
    }
    document.getElementById("no-backend").hidden = backends.length > 0;
  }

  #add(name) {
    const element = document.createElement("tr");
    element.dataset.backend = name;
    const cells = addCells(element, COLUMNS, this.#labels, NUMBERS);
    const row = { element, cells };
    row.badge = row.cells.state.appendChild(document.createElement("span"));
    row.badge.className = "badge";
    this.#rows.set(name, row);
    return row;
  }
}

function fill({ cells, badge }, backend) {
  const { name, url, weight, state, ejected_for_seconds: left, sessions, requests, last_failure: failure } = backend;
  write(cells.name, name);
  write(cells.url, url);
  cells.url.title = url;
  badge.dataset.state = state;
  write(badge, left === undefined ? state : `${state} for ${left} s`);
  write(cells.sessions, number(sessions));
  write(cells.requests, number(requests));
  write(cells.weight, number(weight));
  write(cells.failure, failure ? `${failure.cause.replaceAll("_", " ")}, ${clock(failure.at)}` : NOTHING);
}

const COLUMNS = ["name", "url", "state", "sessions", "requests", "weight", "failure"];
const NUMBERS = new Set(["sessions", "requests", "weight"]);
