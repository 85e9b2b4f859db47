// Trials of any sweeps side by side: fold by fold, with tests that mind that folds
// share training pictures.
import { html, useState } from "../lib/html.js";
import { api, useData } from "../lib/api.js";
import { clean, pText, scoreText, statText, valueText } from "../lib/format.js";
import { setQuery, trialPath } from "../lib/router.js";
import { ranked } from "../lib/sweep.js";
import { Card, Choice, Empty, Loaded, Name, Scroll, useTitle } from "../parts/basics.js";
import { Icon } from "../parts/icons.js";
import { Strip, extent } from "../parts/strip.js";

export default function Compare({ query }) {
  useTitle("Compare");
  const of = query.getAll("of");
  const from = useData(of.length > 1 ? api("compare", { of, metric: query.get("metric") }) : null);
  return html`<div class="page-head"><div class="title"><h1>Compare trials</h1><p class="small muted">Of one sweep or of several. Tests need folds of the same pictures.</p></div></div>
    <${Chosen} of=${of} /><${Add} of=${of} />
    ${of.length < 2 ? html`<section class="card"><${Empty} title=${of.length === 0 ? "Nothing to compare yet" : "Add a second trial"}><p>Choose trials above, or mark them in a sweep's leaderboard.</p><//></section>`
    : html`<${Loaded} from=${from} lines="8">${(data) => html`<${Shown} data=${data} />`}<//>`}`;
}

const nameOf = (o) => `${o.sweep}/${o.trial}`;

function Chosen({ of }) {
  if (of.length === 0) return null;
  return html`<ul class="toolbar" aria-label="Chosen trials">${of.map((text, i) => {
    const cut = text.lastIndexOf("/");
    return html`<li key=${text} class="tag" style="display: inline-flex; align-items: center; gap: 4px; padding: 2px 2px 2px 8px; font-size: 13px"><b>${letter(i)}</b> <a href=${trialPath(text.slice(0, cut), text.slice(cut + 1))}><${Name} text=${text} /></a>
      <button type="button" class="button icon" style="min-height: 24px; width: 24px" aria-label=${`Take ${clean(text)} away`} onClick=${() => setQuery({ of: of.filter((o) => o !== text) })}><${Icon} name="close" size="12" /></button></li>`;
  })}</ul>`;
}

// letter names a column: A, B, and so on, so that tables stay narrow.
const letter = (i) => (i < 26 ? String.fromCharCode(65 + i) : `#${i + 1}`);

function Add({ of }) {
  const sweeps = useData(api("sweeps"));
  const [chosen, choose] = useState("");
  const sweep = useData(chosen ? api("sweeps", chosen) : null, { keep: false });
  const list = sweeps.data?.sweeps ?? [];
  const trials = sweep.data ? ranked(sweep.data) : [];
  const add = (n) => { if (n !== "") setQuery({ of: [...new Set([...of, `${chosen}/${n}`])] }); };
  return html`<div class="toolbar">
    <${Choice} label="Sweep" value=${chosen} onChange=${choose} options=${[["", "choose a sweep"], ...list.map((s) => [s.sweep, clean(s.sweep)])]} />
    ${chosen && html`<${Choice} key=${of.length} label="Trial" value="" onChange=${add} data-action="add" options=${[["", sweep.data ? (trials.length > 0 ? "add a trial" : "no trial has a result") : "loading"], ...trials.map((t) => [String(t.trial), `${t.trial} · ${statText(t.summary[sweep.data.metric.name])}`])]} />`}</div>`;
}

function Shown({ data }) {
  return html`${data.notes?.length > 0 && html`<div class="notice warn"><${Icon} name="warn" size="16" /><ul style="margin: 0">${data.notes.map((text) => html`<li>${clean(text)}</li>`)}</ul></div>`}
    <div class="stack"><${Folds} data=${data} /><${Settings} data=${data} />
    ${data.pairs?.length > 0 && html`<${Pairs} data=${data} />`}</div>`;
}

function Folds({ data }) {
  const names = [...new Set(data.of.flatMap((o) => o.folds.map((f) => f.name)))];
  const range = extent(data.of.map((o) => o.folds.filter((f) => typeof f.value === "number")));
  const value = (o, name) => o.folds.find((f) => f.name === name)?.value;
  return html`<${Card} title=${html`${clean(data.metric)} <span class="muted small">${data.goal}</span>`} bare><${Scroll} label="Scores of each fold"><table class="dense"><thead><tr><th scope="col">Trial</th><th scope="col" class="n">Mean ± std</th><th scope="col">Folds</th>${names.map((name) => html`<th scope="col" class="n"><bdi>${clean(name)}</bdi></th>`)}</tr></thead>
    <tbody>${data.of.map((o, i) => html`<tr key=${nameOf(o)}><th scope="row">${letter(i)} <a class="small" href=${trialPath(o.sweep, o.trial)}><${Name} text=${nameOf(o)} /></a></th><td class="n">${statText(o)}</td>
      <td><${Strip} scores=${o.folds.filter((f) => typeof f.value === "number")} stat=${o} range=${range} /></td>
      ${names.map((name) => html`<td class="n">${typeof value(o, name) === "number" ? scoreText(value(o, name)) : "–"}</td>`)}</tr>`)}</tbody></table><//><//>`;
}

// Settings shows the parameters that differ.
function Settings({ data }) {
  const paths = [...new Set(data.of.flatMap((o) => Object.keys(o.parameters ?? {})))].sort();
  const differ = paths.filter((path) => new Set(data.of.map((o) => valueText(o.parameters?.[path]))).size > 1);
  if (differ.length === 0) return null;
  return html`<${Card} title="What differs" bare><${Scroll} label="Parameters that differ"><table class="dense"><thead><tr><th scope="col">Parameter</th>${data.of.map((_, i) => html`<th scope="col">${letter(i)}</th>`)}</tr></thead>
    <tbody>${differ.map((path) => html`<tr><th scope="row"><bdi>${clean(path)}</bdi></th>${data.of.map((o) => html`<td class="value"><bdi>${valueText(o.parameters?.[path]) || "–"}</bdi></td>`)}</tr>`)}</tbody></table><//><//>`;
}

function Pairs({ data }) {
  const bounds = data.pairs.flatMap((p) => [p.low, p.high, p.difference]).filter((v) => typeof v === "number");
  const most = Math.max(1e-9, ...bounds.map(Math.abs));
  return html`<${Card} title="Differences" bare note="Interval and t: the corrected resampled t-test (Nadeau and Bengio, 2003), which widens the variance by what folds share. Wilcoxon: signed ranks of the folds' differences, which assumes no normal distribution but treats folds as independent. Holm: the p of t, corrected for the number of pairs. With few folds none of them finds small differences.">
    <${Scroll} label="Differences of pairs"><table class="dense"><thead><tr><th scope="col">Pair</th><th scope="col" class="n">Folds</th><th scope="col" class="n">Mean difference</th><th scope="col">95 % interval</th><th scope="col" class="n">t, p</th><th scope="col" class="n">Holm, p</th><th scope="col" class="n">Wilcoxon, p</th><th scope="col">Better, worse, equal</th><th scope="col">Mind</th></tr></thead>
    <tbody>${data.pairs.map((p) => html`<tr key=${`${p.a} ${p.b}`} data-pair=${`${p.a}-${p.b}`}><th scope="row" class="nowrap">${letter(p.a)} − ${letter(p.b)}</th><td class="n">${p.folds}</td><td class="n">${signed(p.difference)}</td>
      <td><${Forest} pair=${p} most=${most} /><span class="number small nowrap">${typeof p.low === "number" ? `${signed(p.low)} to ${signed(p.high)}` : "–"}</span></td>
      <td class="n">${pText(p.t_p)}</td><td class="n">${pText(p.holm_p)}</td><td class="n">${pText(p.wilcoxon_p)}</td><td class="nowrap">${p.sign ? `${p.sign.better}, ${p.sign.worse}, ${p.sign.equal}` : "–"}</td>
      <td><ul class="small muted" style="min-width: 220px; max-width: 420px">${(p.notes ?? []).map((text) => html`<li>${clean(text)}</li>`)}</ul></td></tr>`)}</tbody></table><//><//>`;
}

const signed = (x) => (typeof x === "number" ? (x > 0 ? "+" : "") + scoreText(x) : "–");

// Forest is the interval on a scale that all pairs share; the dashed line is none.
function Forest({ pair, most }) {
  if (typeof pair.difference !== "number") return null;
  const x = (v) => 100 + (v / most) * 92;
  const text = `difference ${signed(pair.difference)}${typeof pair.low === "number" ? `, interval ${signed(pair.low)} to ${signed(pair.high)}` : ""}`;
  return html`<svg class="forest" viewBox="0 0 200 26" preserveAspectRatio="none" role="img" aria-label=${text}>
    <line class="zero" x1="100" x2="100" y1="2" y2="24" />
    ${typeof pair.low === "number" && html`<line class="interval" x1=${x(pair.low)} x2=${x(pair.high)} y1="13" y2="13" />`}
    <circle cx=${x(pair.difference)} cy="13" r="4" /></svg>`;
}
