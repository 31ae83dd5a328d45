/** The live page: what the server tells each second, as figures, charts and tables. */

import { Denied, ask, useToken } from "./api.js";
import { Charts } from "./charts.js";
import { states } from "./events.js";
import { Rates } from "./rates.js";
import { SessionTable } from "./sessions.js";
import { NOTHING, bitRate, duration, number, percent } from "./words.js";

const element = (id) => document.getElementById(id);
const table = new SessionTable(askToEnd);
const charts = new Charts();
let rates = new Rates();
let lastSeen = null;

follow();

/** Shows states for as long as the page is open, from whichever process is there. */
async function follow() {
  let pause = 1;
  for (;;) {
    try {
      for await (const state of states()) {
        pause = 1;
        lastSeen = new Date();
        say("live", "Live");
        show(state);
      }
    } catch (error) {
      if (error instanceof Denied) {
        say("denied", "A token is needed");
        useToken(await askForToken(error.message));
        continue;
      }
      console.warn(error);
    }
    // Counts of another process are no more than a beginning.
    rates = new Rates();
    say("lost", lastSeen ? `No connection since ${lastSeen.toLocaleTimeString()}` : "No connection");
    await new Promise((resolve) => setTimeout(resolve, pause * 1000));
    pause = Math.min(2 * pause, 5);
  }
}

function show({ time, process, parts, relay, gateway, backends, sessions }) {
  const a = rates.tell({ ...relay, ...gateway }, time);
  const bits = (bytes) => (bytes === null ? null : bytes * 8);
  const sum = (...values) => (values.includes(null) ? null : values.reduce((one, other) => one + other, 0));
  const perSecond = (value, digits) => (value === null ? NOTHING : `${number(value, digits)} /s`);
  const figures = {
    sessions: number(sessions.total),
    allocations: number(relay.allocations),
    up: bitRate(bits(a.bytes_to_peer)),
    down: bitRate(bits(a.bytes_to_client)),
    packets: perSecond(sum(a.packets_to_peer, a.packets_to_client)),
    dropped: perSecond(a.packets_dropped),
    offers: perSecond(sum(a.answered, a.refused, a.failed), 1),
    capacity: percent(relay.capacity_used),
  };
  for (const [name, text] of Object.entries(figures)) document.querySelector(`[data-figure="${name}"]`).textContent = text;
  element("version").textContent = `${process.version}, up ${duration(time - process.started_at)}`;
  showParts(parts, process.draining);
  charts.add(time, {
    bits: [bits(a.bytes_to_peer), bits(a.bytes_to_client)],
    counts: [sessions.total, relay.allocations],
    offers: [a.answered, a.refused, a.failed],
  });
  table.show(sessions, time);
  showBackends(backends);
}

function showParts(parts, isDraining) {
  const all = isDraining ? [...parts, { part: "draining", ready: false, reason: "offers are refused" }] : parts;
  element("parts").replaceChildren(
    ...all.map(({ part, ready, reason }) => {
      const item = document.createElement("li");
      item.dataset.ready = ready;
      item.textContent = ready ? part : `${part}: ${reason ?? "not ready"}`;
      return item;
    }),
  );
}

function showBackends(backends) {
  const body = document.querySelector("#backends tbody");
  body.replaceChildren(
    ...backends.map(({ name, url, state, ejected_for_seconds: left, sessions, requests, last_failure: failure }) => {
      const row = document.createElement("tr");
      const texts = [name, url, "", number(sessions), number(requests)];
      texts.push(failure ? `${failure.cause}, ${new Date(failure.at * 1000).toLocaleTimeString()}` : NOTHING);
      texts.forEach((text, index) => {
        const cell = row.insertCell();
        cell.textContent = text;
        if (index === 3 || index === 4) cell.className = "number";
      });
      const badge = row.cells[2].appendChild(document.createElement("span"));
      badge.className = "badge";
      badge.dataset.state = state;
      badge.textContent = left === undefined ? state : `${state} for ${left} s`;
      return row;
    }),
  );
}

function askToEnd({ id, user_id: user, client }) {
  const dialog = element("end");
  element("end-whose").textContent = `${user ?? "Anonymous"}, client ${client}, session ${id}`;
  element("end-refused").textContent = "";
  dialog.returnValue = "";
  dialog.onclose = async () => {
    if (dialog.returnValue !== "end") return;
    try {
      await ask(`sessions/${id}`, { method: "DELETE" });
    } catch (error) {
      element("end-refused").textContent = `Not ended: ${error.message}`;
      dialog.showModal();
    }
  };
  dialog.showModal();
}

/** Resolves with the token that somebody writes. */
function askForToken(why) {
  const dialog = element("token");
  element("token-refused").textContent = why;
  dialog.showModal();
  // Without one there is nothing to see.
  dialog.oncancel = (event) => event.preventDefault();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(element("token-value").value.trim());
  });
}

function say(state, words) {
  const connection = element("connection");
  if (connection.dataset.state === state && connection.textContent === words) return;
  connection.dataset.state = state;
  connection.textContent = words;
  document.body.classList.toggle("stale", state !== "live");
}
