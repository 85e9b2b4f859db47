// What the parameters did: all of them at once, their importance, one, two.
import { html, useMemo } from "../../lib/html.js";
import { clean, scoreText, shortNames, valueText } from "../../lib/format.js";
import { navigate, setQuery, trialPath } from "../../lib/router.js";
import { goalOf, metricNames, ranked } from "../../lib/sweep.js";
import { Card, Choice, Empty, Segments } from "../../parts/basics.js";
import { Parallel } from "../../charts/parallel.js";
import { Scatter, scatterData } from "../../charts/scatter.js";
import { Heat, heatCells } from "../../charts/heat.js";
import { Data } from "../../charts/chart.js";
import { ImportanceCard } from "./importance.js";
import { searched } from "./leaderboard.js";

export function Parameters({ sweep, query }) {
  const metrics = metricNames(sweep);
  const metric = metrics.includes(query.get("metric")) ? query.get("metric") : sweep.metric.name;
  const goal = goalOf(sweep, metric);
  const paths = useMemo(() => searched(sweep), [sweep.parameters, sweep.trials]);
  const names = useMemo(() => shortNames(paths), [paths]);
  const rows = useMemo(() => ranked(sweep, metric).map((t) => ({ trial: t.trial, parameters: t.parameters, value: t.summary[metric].mean, stat: t.summary[metric], state: t.state })), [sweep.trials, metric]);
  if (paths.length === 0) return html`<section class="card"><${Empty} title="Nothing is searched"><p>All trials have the same parameters.</p><//></section>`;
  if (rows.length === 0) return html`<section class="card"><${Empty} title="No trial has a result yet"><p>Parameters are compared as soon as the first folds are complete.</p><//></section>`;
  const at = (name, i) => (paths.includes(query.get(name)) ? query.get(name) : paths[Math.min(i, paths.length - 1)]);
  const open = (n) => navigate(trialPath(sweep.sweep, n));
  return html`<div class="toolbar"><${Segments} label="Metric" options=${metrics.map((m) => [m, clean(m)])} value=${metric} onChange=${(v) => setQuery({ metric: v === sweep.metric.name ? null : v })} /></div>
    <div class="stack">
    <${Card} title="Parallel coordinates" bare note="A line is a trial; drag along an axis to keep those that pass there, click a line to open its trial. Trials that were stopped are drawn with the score that they had then.">
      <div class="body"><${Parallel} rows=${rows} names=${names} metric=${metric} goal=${goal} onTrial=${open} /></div>
      <${Data} head=${["trial", ...paths.map((p) => clean(names.get(p))), metric]} rows=${rows.slice(0, 200).map((r) => [r.trial, ...paths.map((p) => valueText(r.parameters[p])), scoreText(r.value)])} /><//>
    <div class="grid2"><${ImportanceCard} sweep=${sweep} metric=${metric} names=${names} />
      <${OneParameter} rows=${rows} paths=${paths} names=${names} path=${at("x", 0)} metric=${metric} onTrial=${open} /></div>
    ${paths.length > 1 && html`<${TwoParameters} rows=${rows} paths=${paths} names=${names} x=${at("x", 0)} y=${at("y", 1)} metric=${metric} goal=${goal} />`}</div>`;
}

const choices = (paths, names) => paths.map((path) => [path, clean(names.get(path))]);

function OneParameter({ rows, paths, names, path, metric, onTrial }) {
  const tools = html`<${Choice} label="Parameter" options=${choices(paths, names)} value=${path} onChange=${(v) => setQuery({ x: v })} />`;
  return html`<${Card} title="One parameter" tools=${tools} bare>
    <div class="body"><${Scatter} rows=${rows} path=${path} name=${clean(names.get(path))} metric=${metric} onTrial=${onTrial} /></div>
    <${Data} ...${scatterData(rows.slice(0, 200), path, clean(names.get(path)), metric)} /><//>`;
}

function TwoParameters({ rows, paths, names, x, y, metric, goal }) {
  const other = y === x ? paths.find((path) => path !== x) : y;
  const data = useMemo(() => heatCells(rows, x, other), [rows, x, other]);
  const tools = html`<${Choice} label="Across" options=${choices(paths, names)} value=${x} onChange=${(v) => setQuery({ x: v })} />
    <${Choice} label="Up" options=${choices(paths.filter((path) => path !== x), names)} value=${other} onChange=${(v) => setQuery({ y: v })} />`;
  return html`<${Card} title="Two parameters" tools=${tools} bare note="The mean of the trials in a cell. Cells with few trials say little, and a search visits good regions more often.">
    <div class="body"><${Heat} data=${data} names=${names} x=${x} y=${other} metric=${metric} goal=${goal} /></div>
    <${Data} head=${[clean(names.get(x)), clean(names.get(other)), `mean ${metric}`, "trials"]} rows=${data.cells.map((c) => [data.across[c.at[0]], data.up[c.at[1]], scoreText(c.value), c.trials.length])} /><//>`;
}
