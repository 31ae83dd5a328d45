/** What the page asks people: who they are, and whether they mean it. */

import { ask } from "./api.js";
import { visible } from "./words.js";

const element = (id) => document.getElementById(id);
/** The session that people are asked about, if they are. */
let asked = null;

/** Asks whether a session shall end, and ends it; says so where the server refuses. */
export function confirmEnd({ id, user_id: user, client, key, address }) {
  const dialog = element("end");
  const whose = { user: visible(user ?? "anonymous"), client, key, address, session: id };
  for (const [name, text] of Object.entries(whose)) element(`end-${name}`).textContent = text;
  element("end-refused").textContent = "";
  asked = id;
  element("end-it").disabled = false;
  element("end-form").onsubmit = async (event) => {
    if (event.submitter?.value !== "end") return;
    event.preventDefault();
    element("end-it").disabled = true;
    element("end-refused").textContent = "";
    const refused = await end(id).catch((error) => error);
    // By then they may have gone on to another one.
    if (asked !== id || !dialog.open) return;
    if (!refused) return dialog.close();
    element("end-it").disabled = false;
    element("end-refused").textContent = `Not ended: ${refused.message}`;
  };
  dialog.showModal();
}

/** Resolves with the token that somebody writes; with null once one has come behind the address. */
export function askForToken(why) {
  const [dialog, field] = [element("token"), element("token-value")];
  element("token-refused").textContent = why;
  // Without one there is nothing to see.
  dialog.oncancel = (event) => event.preventDefault();
  if (!dialog.open) dialog.showModal();
  field.select();
  return new Promise((resolve) => {
    let written = () => field.value.trim();
    const came = () => {
      written = () => null;
      dialog.close();
    };
    addEventListener("token", came, { once: true });
    dialog.onclose = () => {
      removeEventListener("token", came);
      resolve(written());
    };
  });
}

async function end(id) {
  try {
    await ask(`sessions/${encodeURIComponent(id)}`, { method: "DELETE", signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    const isNetwork = error.name === "TimeoutError" || error instanceof TypeError;
    throw isNetwork ? new Error("the server does not answer") : error;
  }
}

/** Ending a session takes no longer than a moment. */
const PATIENCE_MS = 10_000;
