// The address is the state of a view: paths choose pages, queries what they show.
import { useEffect, useState } from "./html.js";

const listeners = new Set();
const tell = () => listeners.forEach((listener) => listener());

// navigate goes to another address of these pages.
export function navigate(to, { replace = false } = {}) {
  if (to === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  tell();
}

// useLocation is the address, and renders again when it changes.
export function useLocation() {
  const read = () => ({ path: location.pathname, search: location.search });
  const [at, set] = useState(read);
  useEffect(() => {
    const update = () => set(read());
    listeners.add(update);
    addEventListener("popstate", update);
    update();
    return () => { listeners.delete(update); removeEventListener("popstate", update); };
  }, []);
  return { path: at.path, query: new URLSearchParams(at.search) };
}

// withQuery is this page's address with some of its query changed; null and ""
// take a name away, a list gives it several times.
export function withQuery(changes, path = location.pathname) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    if (Array.isArray(value)) value.forEach((v) => query.append(name, v));
    else if (value !== null && value !== undefined && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

// setQuery changes the query in place, without a step in the history.
export function setQuery(changes) {
  navigate(withQuery(changes), { replace: true });
}

// address makes a path of parts that may hold any character.
export function address(...parts) {
  return `/${parts.map((part) => encodeURIComponent(part)).join("/")}`;
}

export const sweepPath = (sweep) => address("sweeps", sweep);
export const trialPath = (sweep, trial) => address("sweeps", sweep, "trials", trial);
export const jobPath = (sweep, job) => `${address("jobs", job)}?sweep=${encodeURIComponent(sweep)}`;
export const picturesPath = (sweep, trial) => `${address("sweeps", sweep, "pictures")}?trial=${trial}`;

// followLinks keeps plain clicks on links to these pages within them. /queues and
// the API are other programs' pages.
export function followLinks() {
  addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download")) return;
    if (/^\/(queues|api|login\/oidc|metrics|assets)(\/|$)/.test(link.pathname)) return;
    if (link.hash && link.pathname === location.pathname && link.search === location.search) return;
    event.preventDefault();
    navigate(link.pathname + link.search);
  });
}
