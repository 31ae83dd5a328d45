// Looks at the live page as an operator does, and prints one JSON summary for each command of standard input.
//
//   node admin.mjs '{"page": "http://…/", "viewport": {…}, "scheme": "dark"}'
//
// Commands, one a line: {"do": "look"}, {"do": "picture", "path": "…"}, {"do": "end", "session": "…"}, {"do": "filter", "text": "…"},
// {"do": "token", "text": "…"}.

import { createInterface } from "node:readline";

import { withPage } from "./browser.mjs";

const settings = JSON.parse(process.argv[2]);
async function use(page) {
  const complaints = [];
  // A refused request is one that the page has an answer to, and so is a server that is gone.
  const isExpected = (text) => /401|ERR_CONNECTION|ERR_INCOMPLETE|Failed to fetch|network error/.test(text);
  page.on("console", (message) => message.type() === "error" && !isExpected(message.text()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(settings.page);
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    await COMMANDS[command.do](page, command);
    console.log(JSON.stringify({ ...(await page.evaluate(look)), complaints }));
  }
}

const COMMANDS = {
  async look() {},
  async picture(page, { path }) {
    await page.screenshot({ path, fullPage: true });
  },
  async end(page, { session }) {
    await page.locator(`tr[data-session="${session}"] button`).click();
    await page.getByRole("button", { name: "End it" }).click();
    await page.locator(`tr[data-session="${session}"]`).waitFor({ state: "detached" });
  },
  async filter(page, { text }) {
    await page.getByLabel("Filter").fill(text);
  },
  async token(page, { text }) {
    await page.getByLabel("The admin token").fill(text);
    await page.getByRole("button", { name: "Go on" }).click();
  },
};

/** What the page shows. */
function look() {
  const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent);
  const rows = [...document.querySelectorAll("#sessions tbody tr")].filter((row) => !row.hidden);
  return {
    state: document.getElementById("connection").dataset.state,
    parts: texts("#parts li"),
    figures: Object.fromEntries(
      [...document.querySelectorAll("[data-figure]")].map((figure) => [figure.dataset.figure, figure.textContent]),
    ),
    sessions: rows.map((row) => ({ id: row.dataset.session, cells: [...row.cells].map((cell) => cell.textContent) })),
    shown: document.getElementById("shown").textContent,
    users: [...document.querySelectorAll("#users tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)),
    backends: [...document.querySelectorAll("#backends tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)),
    charts: document.querySelectorAll("#charts canvas").length,
    overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth,
    asksForToken: document.getElementById("token").open,
  };
}

// Behind what it uses.
await withPage(use, {
  viewport: settings.viewport ?? { width: 1360, height: 900 },
  colorScheme: settings.scheme ?? "light",
});
