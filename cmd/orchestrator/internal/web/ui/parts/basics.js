// Small parts that every page uses.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { clean } from "../lib/format.js";
import { withQuery } from "../lib/router.js";
import { Icon } from "./icons.js";

// State is a state in its colour, with the mark of its own.
export function State({ state, chip = false }) {
  return html`<span class="state ${state} ${chip ? "chip" : ""}"><${Icon} name=${state} size="13" />${state}</span>`;
}

// Name is text of the user's: one line, and its direction stays within it.
export function Name({ text, title }) {
  return html`<bdi title=${title ?? null}>${clean(text)}</bdi>`;
}

// Skeleton is the shape of what is being fetched.
export function Skeleton({ lines = 6, height = 16 }) {
  const widths = ["92%", "78%", "85%", "66%", "88%", "72%"];
  return html`<div class="stack" style="gap: 12px; padding: 14px" role="status"><span class="hidden">Loading</span>
    ${Array.from({ length: lines }, (_, i) => html`<div class="skeleton" style=${`height: ${height}px; width: ${widths[i % widths.length]}`}></div>`)}</div>`;
}

// Empty says why there is nothing, and what to do.
export function Empty({ title, children }) {
  return html`<div class="empty"><strong>${title}</strong>${children}</div>`;
}

// Failed says what went wrong and what to try.
export function Failed({ error, retry }) {
  return html`<div class="notice bad" role="alert"><${Icon} name="warn" size="16" />
    <div class="spring"><strong>${clean(error.message)}</strong>${error.hint && html`<div class="muted">${clean(error.hint)}</div>`}</div>
    ${retry && html`<button class="button" onClick=${retry}>Try again</button>`}</div>`;
}

// Loaded shows a child of the data, or how the fetching of it stands.
export function Loaded({ from, lines, children }) {
  if (from.data !== null) return children(from.data);
  if (from.error) return html`<${Failed} error=${from.error} retry=${from.reload} />`;
  return html`<${Skeleton} lines=${lines} />`;
}

export function Card({ title, tools, note, children, bare = false, level = "h2", ...rest }) {
  return html`<section class="card" ...${rest}>
    ${(title || tools) && html`<header>${level === "h2" ? html`<h2>${title}</h2>` : html`<h3>${title}</h3>`}${tools}</header>`}
    ${bare ? children : html`<div class="body">${children}</div>`}
    ${note && html`<p class="note">${note}</p>`}
  </section>`;
}

// Figure is one key figure: a term and its value.
export function Figure({ label, wide = false, children }) {
  return html`<div class=${wide ? "wide" : null}><dt>${label}</dt><dd>${children}</dd></div>`;
}

// Segments chooses one of a few: [[value, text], ...].
export function Segments({ label, options, value, onChange }) {
  return html`<div class="segments" role="group" aria-label=${label}>${options.map(([v, text]) => html`
    <button key=${v} type="button" aria-pressed=${v === value ? "true" : "false"} onClick=${() => onChange(v)}>${text}</button>`)}</div>`;
}

// Choice is a labelled select: [[value, text], ...].
export function Choice({ label, options, value, onChange, ...rest }) {
  return html`<label class="field">${label}<select value=${value} onChange=${(e) => onChange(e.target.value)} ...${rest}>
    ${options.map(([v, text]) => html`<option key=${v} value=${v} selected=${v === value}>${text}</option>`)}</select></label>`;
}

// Tabs are links: each view has an address.
export function Tabs({ label, tabs, current }) {
  return html`<nav class="tabs" aria-label=${label}>${tabs.map(([id, text, n]) => html`
    <a key=${id} href=${withQuery({ tab: id === tabs[0][0] ? null : id, sort: null, page: null })} aria-current=${id === current ? "page" : null}>${text}${n !== undefined && html`<span class="count">${n}</span>`}</a>`)}</nav>`;
}

// Scroll holds what may be wider than the page; the keyboard reaches it.
export function Scroll({ label, children }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${label}>${children}</div>`;
}

// Copy puts text on the clipboard.
export function Copy({ text, label }) {
  const [done, set] = useState(false);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = () => navigator.clipboard?.writeText(text).then(() => {
    set(true);
    timer.current = setTimeout(() => set(false), 1500);
  }, () => {});
  return html`<button class="button icon" type="button" aria-label=${done ? "Copied" : label} title=${label} onClick=${copy}><${Icon} name=${done ? "completed" : "copy"} /></button>`;
}

// Crumbs lead back up: [[address, text], ...].
export function Crumbs({ path }) {
  return html`<nav class="crumbs" aria-label="Breadcrumb">${path.map(([to, text], i) => html`
    ${i > 0 && html`<span aria-hidden="true">/</span>`}<a href=${to}><bdi>${clean(text)}</bdi></a>`)}</nav>`;
}

// useTitle names the page in the browser's tab.
export function useTitle(text) {
  useEffect(() => { document.title = text ? `${clean(text)} · orchestrator` : "orchestrator"; }, [text]);
}

// useTick renders again every so many ms, for times that pass.
export function useTick(ms) {
  const [, set] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => set((n) => n + 1), ms);
    return () => clearInterval(timer);
  }, [ms]);
}
