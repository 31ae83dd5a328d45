/** The live page: joins what the server tells each second with what shows it. */

import { Denied, Refused, useToken } from "./api.js";
import { BackendTable } from "./backends.js";
import { Charts } from "./charts.js";
import { askForToken, confirmEnd } from "./dialogs.js";
import { states } from "./events.js";
import { Figures } from "./figures.js";
import { Rates } from "./rates.js";
import { SessionTable } from "./sessions.js";
import { UserTable } from "./users.js";
import { clock, duration, write } from "./words.js";

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;
/** Offers are rare: of single seconds most have none. */
const OFFER_SECONDS = 10;

const element = (id) => document.getElementById(id);
const sessionTable = new SessionTable(confirmEnd);
const backendTable = new BackendTable();
const userTable = new UserTable();
const charts = new Charts();
const figures = new Figures();
let [traffic, offers] = newRates();
let lastSeen = null;

follow();

/** Shows states for as long as the page is open, from whichever process is there. */
async function follow() {
  const link = { lastId: "", retryMs: FIRST_PAUSE_MS };
  let failures = 0;
  for (;;) {
    let why = "";
    try {
      for await (const state of states(link)) {
        failures = 0;
        lastSeen = Date.now() / 1000;
        say("live", "Live");
        show(state);
      }
    } catch (error) {
      if (error instanceof Denied) {
        say("denied", "A token is needed");
        const token = await askForToken(error.isWrong ? error.message : "");
        if (token !== null) useToken(token);
        continue;
      }
      if (error instanceof Refused) why = `: ${error.message}`;
      console.warn(error);
    }
    // What comes next may be of another process, whose counts are a new beginning.
    [traffic, offers] = newRates();
    charts.breakOff();
    say("lost", lastSeen === null ? `No connection${why}` : `No connection since ${clock(lastSeen)}${why}`);
    document.title = "No connection · turnpike";
    const pause = Math.min(link.retryMs * 2 ** failures, LONGEST_PAUSE_MS);
    await new Promise((resolve) => setTimeout(resolve, pause));
    failures += 1;
  }
}

function show({ time, process, parts, relay, gateway, backends, sessions, users }) {
  const growth = { ...traffic.tell(relay, time), ...offers.tell(gateway, time) };
  const bits = (bytes) => (bytes === null ? null : bytes * 8);
  const [up, down] = [bits(growth.bytes_to_peer), bits(growth.bytes_to_client)];
  write(element("version"), `${process.version}, up ${duration(time - process.started_at)}`);
  document.title = `${sessions.total} ${sessions.total === 1 ? "session" : "sessions"} · turnpike`;
  showParts(parts, process.draining);
  figures.show({ relay, sessions, growth, up, down });
  charts.add(time, {
    bits: [up, down],
    counts: [sessions.total, relay.allocations],
    offers: [growth.answered, growth.refused, growth.failed],
  });
  backendTable.show(backends);
  userTable.show(users);
  sessionTable.show(sessions, time);
}

function newRates() {
  return [new Rates(), new Rates(OFFER_SECONDS)];
}

function showParts(parts, isDraining) {
  const items = parts.map(({ part, ready, reason }) => {
    return { state: ready ? "ready" : "waiting", text: ready ? part : `${part}: ${reason ?? "not ready"}` };
  });
  if (isDraining) items.push({ state: "draining", text: "draining: offers are refused" });
  const list = element("parts");
  while (list.children.length > items.length) list.lastElementChild.remove();
  for (const [place, { state, text }] of items.entries()) {
    const item = list.children[place] ?? list.appendChild(document.createElement("li"));
    item.dataset.state = state;
    write(item, text);
  }
}

/** People hear of it only when it changes. */
function say(state, words) {
  const connection = element("connection");
  connection.dataset.state = state;
  write(connection, words);
  document.body.classList.toggle("stale", state !== "live");
}
