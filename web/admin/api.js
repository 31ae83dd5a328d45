/** The admin API, from the same server as the page. */

/** The server does not take the token, or wants one. */
export class Denied extends Error {
  /** `isWrong`: what was shown will not do; else nothing was shown. */
  constructor(words, isWrong) {
    super(words);
    this.isWrong = isWrong;
  }
}

/** The server answers, but not with what was asked for. */
export class Refused extends Error {}

// The token may come behind the address, where no server sees it, and where it must not stay.
addEventListener("hashchange", takeFromAddress);
let token = sessionStorage.getItem("token") ?? "";
takeFromAddress();

/** Shows this token from now on, for as long as the tab is open. */
export function useToken(text) {
  token = text;
  sessionStorage.setItem("token", text);
}

/** Sends a request; throws Denied or Refused with the server's own words, or what `fetch` throws. */
export async function ask(path, options = {}) {
  const headers = { ...options.headers, ...(token && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`admin/v1/${path}`, { cache: "no-store", ...options, headers });
  if (response.ok) return response;
  const { detail } = await response.json().catch(() => ({}));
  const words = typeof detail === "string" ? detail : `the server answered ${response.status}`;
  if (response.status === 403) throw new Denied(words, true);
  throw response.status === 401 ? new Denied(words, token !== "") : new Refused(words);
}

function takeFromAddress() {
  if (!location.hash) return;
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  history.replaceState(null, "", location.pathname);
  if (!given) return;
  useToken(given);
  dispatchEvent(new Event("token"));
}
