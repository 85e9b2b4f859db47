// Tables that sort and turn pages, with both in the address.
import { html } from "../lib/html.js";
import { grouped } from "../lib/format.js";
import { setQuery, withQuery, navigate } from "../lib/router.js";
import { Icon } from "./icons.js";

// readSort is the column and direction that the address asks for: sort=-loss is
// by loss, largest first.
export function readSort(query, fallback) {
  const text = query.get("sort") || fallback;
  return text.startsWith("-") ? { by: text.slice(1), down: true } : { by: text, down: false };
}

// Head is a column's title; with `by` it sorts.
export function Head({ by, sort, first = "up", numeric = false, children, ...rest }) {
  const cell = `${numeric ? "n" : ""} ${rest.class ?? ""}`.trim() || null;
  if (!by) return html`<th scope="col" ...${rest} class=${cell}>${children}</th>`;
  const active = sort.by === by;
  const down = active ? !sort.down : first === "down";
  return html`<th scope="col" ...${rest} class=${cell} aria-sort=${active ? (sort.down ? "descending" : "ascending") : "none"}>
    <button type="button" class="sort" onClick=${() => setQuery({ sort: (down ? "-" : "") + by, page: null })}>${children}<i aria-hidden="true">${active ? (sort.down ? "▼" : "▲") : ""}</i></button></th>`;
}

// order sorts by what `of` makes of each item; what is not known comes last.
export function order(items, of, down) {
  const known = (v) => v !== null && v !== undefined && !Number.isNaN(v);
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
  return items.map((item, i) => [item, of(item), i]).sort(([, a, i], [, b, k]) => {
    if (!known(a) || !known(b)) return known(a) ? -1 : known(b) ? 1 : i - k;
    return (down ? compare(b, a) : compare(a, b)) || i - k;
  }).map(([item]) => item);
}

export const PAGE = 50;

// pageOf is the page that the address asks for, within what there is.
export function pageOf(query, total) {
  const last = Math.max(Math.ceil(total / PAGE) - 1, 0);
  return Math.min(Math.max((parseInt(query.get("page"), 10) || 1) - 1, 0), last);
}

// Pager turns pages of PAGE rows.
export function Pager({ page, total, noun }) {
  if (total <= PAGE) return null;
  const last = Math.ceil(total / PAGE) - 1;
  const go = (to) => navigate(withQuery({ page: to === 0 ? null : to + 1 }), { replace: true });
  return html`<nav class="pager" aria-label=${`Pages of ${noun}s`}>
    <span class="number">${grouped(page * PAGE + 1)}–${grouped(Math.min((page + 1) * PAGE, total))} of ${grouped(total)} ${noun}s</span><span class="spring"></span>
    <button class="button icon" type="button" aria-label="Page before" disabled=${page === 0} onClick=${() => go(page - 1)}><${Icon} name="left" /></button>
    <button class="button icon" type="button" aria-label="Next page" disabled=${page === last} onClick=${() => go(page + 1)}><${Icon} name="right" /></button>
  </nav>`;
}
