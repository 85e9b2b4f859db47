// The pages of orchestrator serve: the frame around them, and which page an
// address is.
import { html, render, useEffect, useErrorBoundary, useRef, useState } from "./lib/html.js";
import { followLinks, useLocation } from "./lib/router.js";
import { useLiveStatus } from "./lib/live.js";
import { toggleTheme, useTheme } from "./lib/theme.js";
import { Session, loadSession, logout } from "./lib/session.js";
import { clean } from "./lib/format.js";
import { Empty, Failed, Skeleton } from "./parts/basics.js";
import { Toasts, toast } from "./parts/dialogs.js";
import { Icon, Mark } from "./parts/icons.js";

const PAGES = [
  [/^\/$/, "sweeps"],
  [/^\/sweeps\/([^/]+)$/, "sweep"],
  [/^\/sweeps\/([^/]+)\/trials\/(\d+)$/, "trial"],
  [/^\/sweeps\/([^/]+)\/pictures$/, "pictures"],
  [/^\/jobs\/([^/]+)$/, "job"],
  [/^\/compare$/, "compare"],
  [/^\/workers$/, "workers"],
  [/^\/login$/, "login"],
];

function route(path) {
  for (const [pattern, page] of PAGES) {
    const found = pattern.exec(path);
    if (!found) continue;
    try {
      return { page, parts: found.slice(1).map(decodeURIComponent) };
    } catch {
      break; // a broken escape is no page
    }
  }
  return { page: null, parts: [] };
}

function App() {
  const { path, query } = useLocation();
  const [session, setSession] = useState(null);
  const [error, setError] = useState(null);
  const { page, parts } = route(path);
  const load = () => loadSession().then((s) => { setSession(s); setError(null); }, (e) => (e.status === 401 ? setSession({ user: null, role: null }) : setError(e)));
  useEffect(() => { load(); }, []);
  useFocusOnMove(path);

  if (error && !session) return html`<main><${Failed} error=${error} retry=${load} /></main>`;
  return html`<${Session.Provider} value=${session}>
    <a class="skip" href="#main">Skip to the content</a>
    ${page !== "login" && html`<${Top} path=${path} session=${session} reload=${load} />`}
    <main id="main" tabindex="-1"><${Guard} key=${path}>${session ? html`<${Page} page=${page} parts=${parts} query=${query} reloadSession=${load} />` : html`<${Skeleton} />`}<//></main>
    <${Toasts} /><//>`;
}

// Page imports the page's file when it is first asked for.
const loaded = new Map();

function Page({ page, ...rest }) {
  const [, ready] = useState(0);
  const [error, setError] = useState(null);
  useEffect(() => {
    if (!page || loaded.has(page)) return;
    import(`./pages/${page}.js`).then((module) => { loaded.set(page, module.default); ready((n) => n + 1); }, setError);
  }, [page]);
  if (!page) return html`<${Empty} title="There is no such page"><p>The address names none of the pages. <a href="/">All sweeps</a></p><//>`;
  if (error) return html`<${Failed} error=${{ message: "A part of this page could not be loaded.", hint: String(error.message) }} retry=${() => location.reload()} />`;
  const View = loaded.get(page);
  return View ? html`<${View} ...${rest} />` : html`<${Skeleton} />`;
}

// Guard keeps the frame when a page fails.
function Guard({ children }) {
  const [error] = useErrorBoundary((e) => console.error(e));
  return error ? html`<${Failed} error=${{ message: "This page failed to show what it was given.", hint: String(error.message ?? error) }} retry=${() => location.reload()} />` : children;
}

// After a move to another page the reader, and a screen reader, begin at its top.
function useFocusOnMove(path) {
  const first = useRef(true);
  useEffect(() => {
    if (first.current) { first.current = false; return; }
    scrollTo(0, 0);
    document.getElementById("main")?.focus({ preventScroll: true });
  }, [path]);
}

function Top({ path, session, reload }) {
  const theme = useTheme();
  const at = (test) => (test ? "page" : null);
  const leave = async () => {
    try { await logout(); } catch (e) { toast(e.message, true); return; }
    location.assign("/login");
  };
  return html`<header class="top">
    <a class="brand" href="/"><${Mark} />orchestrator</a>
    <nav aria-label="Main">
      <a href="/" aria-current=${at(path === "/" || path.startsWith("/sweeps") || path.startsWith("/jobs"))}>Sweeps</a>
      <a href="/compare" aria-current=${at(path === "/compare")}>Compare</a>
      <a href="/workers" aria-current=${at(path === "/workers")}>Workers</a>
      ${session?.queues && session.role === "admin" && html`<a href="/queues">Queues</a>`}
    </nav>
    <span class="spring"></span>
    <div class="tools"><${Live} />
      ${session?.user && html`<span class="who" title=${`${clean(session.user)}, may ${session.role}`}><bdi>${clean(session.user)}</bdi></span>`}
      <button class="button icon" type="button" aria-label=${theme === "dark" ? "Switch to the light theme" : "Switch to the dark theme"} onClick=${toggleTheme}><${Icon} name=${theme === "dark" ? "sun" : "moon"} size="16" /></button>
      ${session?.auth === "required" && session.user && html`<button class="button icon" type="button" aria-label="Log out" title="Log out" onClick=${leave}><${Icon} name="logout" size="16" /></button>`}
    </div></header>`;
}

const SIGNS = { live: "live", connecting: "connecting", reconnecting: "reconnecting" };

function Live() {
  const status = useLiveStatus();
  return html`<span class="live is-${status}" role="status" data-live=${status}>${SIGNS[status] && html`<i></i>${SIGNS[status]}`}</span>`;
}

followLinks();
render(html`<${App} />`, document.getElementById("app"));
