// Nested settings as names and values.
import { html } from "../lib/html.js";
import { clean, valueText } from "../lib/format.js";

// flat is every leaf of a value with its dotted path; lists of plain values are
// leaves.
export function flat(value, path = "") {
  if (value === null || value === undefined || value === "") return [];
  if (Array.isArray(value)) return value.some((v) => typeof v === "object" && v !== null) ? value.flatMap((v, i) => flat(v, path ? `${path}[${i}]` : `[${i}]`)) : value.length > 0 ? [[path, value.map(valueText).join(", ")]] : [];
  if (typeof value === "object") return Object.entries(value).flatMap(([name, v]) => flat(v, path ? `${path}.${name}` : name));
  return [[path, valueText(value)]];
}

export function Pairs({ of }) {
  return html`<dl class="pairs">${flat(of).map(([name, text]) => html`<dt key=${`${name}-t`}><bdi>${clean(name)}</bdi></dt><dd key=${name}><bdi>${text}</bdi></dd>`)}</dl>`;
}

// Parameters are a trial's searched values on a line.
export function ParameterList({ parameters, names }) {
  const entries = Object.entries(parameters ?? {});
  if (entries.length === 0) return null;
  return html`<dl class="params">${entries.map(([path, value]) => html`<div key=${path} title=${clean(path)}><dt><bdi>${clean(names?.get(path) ?? path)}</bdi></dt><dd><bdi>${valueText(value)}</bdi></dd></div>`)}</dl>`;
}
