// All sweeps: how each stands, live.
import { html, useMemo, useRef, useState } from "../lib/html.js";
import { api, useData } from "../lib/api.js";
import { useStream } from "../lib/live.js";
import { ago, clean, count, duration, grouped, moment, statText } from "../lib/format.js";
import { setQuery, sweepPath, useLocation } from "../lib/router.js";
import { Empty, Loaded, Name, Segments, State, useTick, useTitle } from "../parts/basics.js";
import { Head, PAGE, Pager, order, pageOf, readSort } from "../parts/tables.js";
import { Progress, over } from "../parts/progress.js";

const KEYS = {
  state: (s) => s.state,
  name: (s) => s.name ?? s.sweep,
  progress: (s) => (s.jobs ? (s.completed + s.failed) / s.jobs : 0),
  best: (s) => s.best?.mean,
  trials: (s) => s.trials,
  eta: (s) => s.eta_seconds || null,
  created: (s) => s.created,
};

const FILTERS = [["all", "All"], ["active", "Active"], ["completed", "Completed"], ["failed", "Failed"], ["stopped", "Stopped"]];
const GROUPS = { active: ["running", "pending", "paused"], completed: ["completed"], failed: ["failed"], stopped: ["canceled"] };

export default function Sweeps() {
  useTitle("Sweeps");
  const from = useData(api("sweeps"));
  const sweeps = useOverview(from);
  return html`<div class="page-head"><div class="title"><h1>Sweeps</h1></div></div>
    <${Loaded} from=${{ ...from, data: sweeps }} lines="8">${(list) => (list.length === 0 ? html`<${None} />` : html`<${List} sweeps=${list} />`)}<//>`;
}

// useOverview is the list with what the stream changed in it.
function useOverview(from) {
  const [changes, set] = useState(new Map());
  const fetched = useRef(null);
  if (from.data !== fetched.current) { fetched.current = from.data; if (changes.size > 0) changes.clear(); }
  useStream(api("events"), ["sweeps"], {
    open: (again) => again && from.reload(),
    sweeps: (data) => set((old) => {
      const next = new Map(old);
      for (const sweep of data.sweeps ?? []) next.set(sweep.sweep, sweep);
      return next;
    }),
  });
  return useMemo(() => {
    if (!from.data) return null;
    const known = new Map(from.data.sweeps.map((s) => [s.sweep, s]));
    for (const [id, sweep] of changes) known.set(id, { ...known.get(id), ...sweep });
    return [...known.values()];
  }, [from.data, changes]);
}

function None() {
  return html`<section class="card"><${Empty} title="No sweep yet">
    <p>A sweep appears here as soon as it is submitted. The quickstart draws its own pictures and takes under a minute:</p>
    <pre tabindex="0">orchestrator dataset example example-data${"\n"}orchestrator submit examples/quickstart.yaml</pre><//></section>`;
}

function List({ sweeps }) {
  const { query } = useLocation();
  useTick(30000);
  const text = (query.get("q") ?? "").toLowerCase();
  const state = query.get("state") ?? "all";
  const sort = readSort(query, "-created");
  const searched = sweeps.filter((s) => !text || `${s.name} ${s.sweep}`.toLowerCase().includes(text));
  const shown = order(searched.filter((s) => state === "all" || GROUPS[state]?.includes(s.state)), KEYS[sort.by] ?? KEYS.created, sort.down);
  const page = pageOf(query, shown.length);
  const options = FILTERS.map(([id, label]) => [id, `${label} ${searched.filter((s) => id === "all" || GROUPS[id].includes(s.state)).length}`]);
  return html`<div class="toolbar">
      <input type="search" aria-label="Filter by name" placeholder="Filter by name" value=${query.get("q") ?? ""} onInput=${(e) => setQuery({ q: e.target.value, page: null })} />
      <${Segments} label="State" options=${options} value=${state} onChange=${(v) => setQuery({ state: v === "all" ? null : v, page: null })} />
    </div>
    <section class="card">${shown.length === 0 ? html`<${Empty} title="No sweep is like that"><p>Clear the filter to see all ${grouped(sweeps.length)}.</p><button class="button" type="button" onClick=${() => setQuery({ q: null, state: null })}>Clear the filter</button><//>` : html`
      <table class="cards"><caption class="hidden">Sweeps</caption><thead><tr>
        <${Head} by="name" sort=${sort}>Sweep<//><${Head} by="state" sort=${sort}>State<//><${Head} by="progress" sort=${sort} first="down">Progress<//>
        <${Head} by="best" sort=${sort} first="down">Best<//><${Head} by="trials" sort=${sort} first="down" numeric>Trials<//>
        <${Head} by="eta" sort=${sort} numeric>Time left<//><${Head} by="created" sort=${sort} first="down" numeric>Submitted<//></tr></thead>
      <tbody>${shown.slice(page * PAGE, (page + 1) * PAGE).map((s) => html`<${Row} key=${s.sweep} sweep=${s} />`)}</tbody></table>
      <${Pager} page=${page} total=${shown.length} noun="sweep" />`}</section>
    <p class="hidden" role="status">${count(shown.length, "sweep")} shown</p>`;
}

function Row({ sweep: s }) {
  const counts = s.counts ?? { completed: s.completed, failed: s.failed };
  return html`<tr data-sweep=${s.sweep}>
    <th scope="row"><a href=${sweepPath(s.sweep)}><${Name} text=${s.name || s.sweep} /></a><div class="sha">${clean(s.sweep)}</div></th>
    <td class="end"><${State} state=${s.state} /></td>
    <td class="wide progress-cell"><${Progress} counts=${counts} total=${s.jobs} /><span class="small muted number">${grouped(over(counts))} of ${grouped(s.jobs)} jobs${s.failed > 0 ? ` · ${grouped(s.failed)} failed` : ""}</span></td>
    <td class="number wide">${s.best ? html`<span class="nowrap">${statText(s.best)}</span> <span class="small muted">${clean(s.metric?.name ?? "")}, trial ${s.best.trial}</span>` : html`<span class="muted">no trial is complete</span>`}</td>
    <td class="n off">${grouped(s.trials)}</td>
    <td class="n" data-label="left">${s.eta_seconds > 0 ? duration(s.eta_seconds) : "–"}</td>
    <td class="n end"><time datetime=${s.created} title=${moment(s.created)}>${ago(s.created)}</time></td></tr>`;
}
