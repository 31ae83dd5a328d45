/** The admin API, from the same server as the page. */

/** The server does not take the token, or wants one. */
export class Denied extends Error {}

let token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("token") ?? "";
if (location.hash) history.replaceState(null, "", location.pathname);

export function useToken(text) {
  token = text;
  sessionStorage.setItem("token", text);
}

/** Sends a request; throws Denied, or an Error with the server's own words. */
export async function ask(path, options = {}) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(`admin/v1/${path}`, { cache: "no-store", ...options, headers });
  if (response.ok) return response;
  const { detail } = await response.json().catch(() => ({}));
  const words = typeof detail === "string" ? detail : `the server answered ${response.status}`;
  throw response.status === 401 || response.status === 403 ? new Denied(words) : new Error(words);
}
