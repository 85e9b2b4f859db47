// The JSON API, and what to do with its errors.
import { useCallback, useEffect, useRef, useState } from "./html.js";
import { address, navigate } from "./router.js";

const BASE = "/api/v1";

// ApiError is what the server said of a request that it did not answer.
export class ApiError extends Error {
  constructor(status, message, hint) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

// api is a path below the API: api("sweeps", id, "curves", {metric: "loss"}).
export function api(...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : {};
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const v of Array.isArray(value) ? value : [value]) {
      if (v !== null && v !== undefined && v !== "") search.append(name, v);
    }
  }
  const text = search.toString();
  return BASE + address(...parts) + (text ? `?${text}` : "");
}

// request fetches JSON (or text); it throws ApiError.
export async function request(url, { method = "GET", body, signal, text = false } = {}) {
  let response;
  try {
    response = await fetch(url, {
      method, signal, credentials: "same-origin",
      headers: body === undefined ? { Accept: "application/json" } : { Accept: "application/json", "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server does not answer.", "Is orchestrator serve still running, and is the network up?");
  }
  if (response.ok) {
    if (response.status === 204) return null;
    return text ? response.text() : response.json();
  }
  throw await failure(response);
}

async function failure(response) {
  let said = {};
  try { said = await response.json(); } catch { /* a proxy's page, or nothing */ }
  if (response.status === 401 && location.pathname !== "/login") {
    navigate(`/login?to=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
  }
  return new ApiError(response.status, said.error || `The server answered ${response.status}.`, said.hint);
}

// useData fetches a URL, again whenever it changes and on reload(). The data of
// before stay until the new ones are there, unless keep is false. url null: nothing.
export function useData(url, { keep = true, text = false } = {}) {
  const [state, set] = useState({ data: null, error: null, url: null });
  const [turn, again] = useState(0);
  const running = useRef(null);
  useEffect(() => {
    if (url === null) return undefined;
    const control = new AbortController();
    running.current = control;
    request(url, { signal: control.signal, text }).then(
      (data) => set({ data, error: null, url }),
      (error) => { if (error.name !== "AbortError") set((old) => ({ ...(keep ? old : { data: null }), error, url })); },
    );
    return () => control.abort();
  }, [url, turn]);
  const reload = useCallback(() => again((n) => n + 1), []);
  const stale = state.url !== url;
  const data = stale && !keep ? null : state.data;
  return { data, error: stale ? null : state.error, loading: url !== null && stale, reload };
}
