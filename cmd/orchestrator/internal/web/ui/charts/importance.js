// How much of the metric's variation a parameter explains.
import { html } from "../lib/html.js";
import { clean, count, percent, scoreText } from "../lib/format.js";

// Importance draws what the API says: bars are of elements, so that they read as text.
export function Importance({ data, names }) {
  const short = (name) => names?.get(name) ?? name;
  const pairs = (data.pairs ?? []).filter((pair) => pair.importance > 0.01).slice(0, 5);
  const rows = [...data.parameters.map((p) => ({ name: short(p.name), full: p.name, ...pick(p) })), ...pairs.map((p) => ({ name: p.names.map(short).join(" × "), full: p.names.join(" × "), ...pick(p) }))];
  const largest = Math.max(0.0001, ...rows.map((r) => r.importance + (r.std ?? 0)));
  return html`<div class="bars" role="list" aria-label="Parameter importance">${rows.map((r) => html`
    <div role="listitem" style="display: contents"><span class="name" title=${clean(r.full)}><bdi>${clean(r.name)}</bdi></span>
      <span class="track"><i class="fill" style=${`width: ${(Math.max(r.importance, 0) / largest) * 100}%`}></i>${r.std > 0 && html`<i class="error" style=${`left: ${(Math.max(r.importance - r.std, 0) / largest) * 100}%; width: ${((r.importance + r.std - Math.max(r.importance - r.std, 0)) / largest) * 100}%`}></i>`}</span>
      <span class="number" title=${direction(r.direction)}>${percent(r.importance)}${arrow(r.direction)}</span></div>`)}</div>`;
}

const pick = ({ importance, std, direction: d }) => ({ importance, std, direction: d });

// arrow says which way the metric goes with the parameter, where ranks agree at all.
const arrow = (rho) => (typeof rho !== "number" || Math.abs(rho) < 0.2 ? "" : rho > 0 ? " ↗" : " ↘");
const direction = (rho) => (typeof rho === "number" ? `rank correlation with the metric: ${scoreText(rho, 2)}` : null);

// ImportanceNote is where the figures come from, and what they do not say.
export function ImportanceNote({ data }) {
  return html`${data.method === "fanova" ? "fANOVA" : "Permutation importance"} of ${count(data.trials, "trial")}, ${clean(data.metric)}${typeof data.explained === "number" ? `, R² ${scoreText(data.explained, 2)}` : ""}. ${data.note && `${clean(data.note)} `}<span>Source: ${clean(data.source)}</span>`;
}
