// The trials, with mean ± std over folds and the folds' spread.
import { html, useMemo } from "../../lib/html.js";
import { clean, count, duration, grouped, shortNames, statText, valueText } from "../../lib/format.js";
import { jobPath, navigate, setQuery, trialPath } from "../../lib/router.js";
import { foldScores, goalOf, metricNames } from "../../lib/sweep.js";
import { Card, Choice, Empty, Scroll, State } from "../../parts/basics.js";
import { Head, PAGE, Pager, order, pageOf, readSort } from "../../parts/tables.js";
import { Strip, extent } from "../../parts/strip.js";

const STATES = ["running", "completed", "failed", "pruned", "paused", "canceled", "pending"];

// searched leaves out the parameters that are the same in all trials: they tell no
// two of them apart.
export function searched(sweep) {
  const paths = sweep.parameters ?? [];
  if (sweep.trials.length < 2) return paths;
  return paths.filter((path) => {
    const first = valueText(sweep.trials[0].parameters[path]);
    return sweep.trials.some((trial) => valueText(trial.parameters[path]) !== first);
  });
}

const seconds = (trial) => trial.folds.reduce((sum, fold) => sum + (fold.seconds || 0), 0);
const done = (trial) => trial.folds.filter((fold) => fold.state === "completed").length;

function keyOf(by) {
  if (by === "trial") return (t) => t.trial;
  if (by === "state") return (t) => t.state;
  if (by === "folds") return done;
  if (by === "seconds") return seconds;
  if (by.startsWith("p:")) return (t) => { const v = t.parameters[by.slice(2)]; return typeof v === "number" ? v : valueText(v); };
  return (t) => t.summary[by]?.mean;
}

export function Leaderboard({ sweep, query }) {
  const metrics = metricNames(sweep);
  const fallback = (sweep.metric.goal === "minimize" ? "" : "-") + sweep.metric.name;
  const sort = readSort(query, fallback);
  const state = query.get("state") ?? "";
  const pick = query.getAll("pick");
  const rows = useMemo(() => order(sweep.trials.filter((t) => !state || t.state === state), keyOf(sort.by), sort.down), [sweep.trials, sort.by, sort.down, state]);
  const paths = useMemo(() => searched(sweep), [sweep.parameters, sweep.trials.length]);
  const range = useMemo(() => extent(sweep.trials.map((t) => foldScores(t, sweep.metric.name))), [sweep.trials]);
  const page = pageOf(query, rows.length);
  const names = shortNames(paths);
  const tools = html`${pick.length > 0 && html`<button class="button primary" type="button" data-action="compare" onClick=${() => navigate(`/compare?${pick.map((n) => `of=${encodeURIComponent(`${sweep.sweep}/${n}`)}`).join("&")}`)}>Compare ${pick.length} ${pick.length === 1 ? "trial" : "trials"}</button>
      <button class="button quiet" type="button" onClick=${() => setQuery({ pick: null })}>Clear</button>`}
    <${Choice} label="State" value=${state} onChange=${(v) => setQuery({ state: v, page: null })} options=${[["", `all ${grouped(sweep.trials.length)}`], ...STATES.map((s) => [s, `${s} ${grouped(sweep.trials.filter((t) => t.state === s).length)}`]).filter(([s]) => s === state || sweep.trials.some((t) => t.state === s))]} />`;
  return html`<${Card} title="Leaderboard" tools=${tools} bare note=${html`Mean ± sample standard deviation over the folds that are complete. A dot is a fold, the bar their mean, the band one deviation${sweep.baseline && sweep.metric.name === "accuracy" ? ", the dashed line the baseline" : ""}. The folds share training pictures, so the deviation is no confidence interval: see Compare.`}>
    ${rows.length === 0 ? html`<${Empty} title=${sweep.trials.length === 0 ? "The search has proposed no trial yet" : "No trial is in this state"} />` : html`
    <${Scroll} label="Leaderboard"><table class="leaderboard dense"><caption class="hidden">Trials of the sweep</caption>
      <thead><tr><${Head} class="pin" by="trial" sort=${sort}>Trial<//><${Head} by="state" sort=${sort}>State<//>
        ${metrics.slice(0, 1).map((m) => html`<${Head} key=${m} by=${m} sort=${sort} numeric first=${first(sweep, m)}>${clean(m)}<//><th scope="col">Folds of ${clean(m)}</th>`)}
        ${metrics.slice(1).map((m) => html`<${Head} key=${m} by=${m} sort=${sort} numeric first=${first(sweep, m)}>${clean(m)}<//>`)}
        ${paths.map((path) => html`<${Head} key=${path} by=${`p:${path}`} sort=${sort} title=${clean(path)}><bdi>${clean(names.get(path))}</bdi><//>`)}
        <${Head} by="folds" sort=${sort} numeric first="down">Done<//><${Head} by="seconds" sort=${sort} numeric first="down">Device time<//></tr></thead>
      <tbody>${rows.slice(page * PAGE, (page + 1) * PAGE).map((trial) => html`<${Row} key=${trial.trial} sweep=${sweep} trial=${trial} metrics=${metrics} paths=${paths} range=${range} pick=${pick} />`)}</tbody></table><//>
    <${Pager} page=${page} total=${rows.length} noun="trial" />`}<//>`;
}

const first = (sweep, metric) => (goalOf(sweep, metric) === "minimize" ? "up" : "down");

function Row({ sweep, trial, metrics, paths, range, pick }) {
  const best = sweep.best?.trial === trial.trial;
  const id = String(trial.trial);
  const picked = pick.includes(id);
  const toggle = () => setQuery({ pick: picked ? pick.filter((n) => n !== id) : [...pick, id] });
  const main = metrics[0];
  return html`<tr class="${best ? "best" : ""} ${picked ? "selected" : ""} ${trial.state === "completed" ? "" : "partial"}" data-trial=${trial.trial}>
    <td class="pin nowrap"><label class="check"><input type="checkbox" checked=${picked} onChange=${toggle} aria-label=${`Compare trial ${trial.trial}`} /><a href=${trialPath(sweep.sweep, trial.trial)}>${trial.trial}</a></label>${best && html` <span class="star" title="The best trial">★<span class="hidden">best</span></span>`}</td>
    <td><${State} state=${trial.state} /><${Why} sweep=${sweep} trial=${trial} /></td>
    <td class="n" data-metric=${main}>${statText(trial.summary[main])}</td>
    <td><${Strip} scores=${foldScores(trial, main)} stat=${trial.summary[main]} range=${range} baseline=${main === "accuracy" ? sweep.baseline?.accuracy.mean : null} /></td>
    ${metrics.slice(1).map((m) => html`<td class="n" key=${m}>${statText(trial.summary[m])}</td>`)}
    ${paths.map((path) => html`<td class="value" key=${path} title=${valueText(trial.parameters[path])}><bdi>${valueText(trial.parameters[path])}</bdi></td>`)}
    <td class="n">${done(trial)}/${trial.folds.length}${progress(trial)}</td><td class="n">${duration(seconds(trial))}</td></tr>`;
}

// progress is how far the running folds are, in epochs.
function progress(trial) {
  const running = trial.folds.filter((f) => f.progress?.epochs > 0);
  if (running.length === 0) return "";
  const [now, all] = running.reduce(([a, b], f) => [a + f.progress.epoch, b + f.progress.epochs], [0, 0]);
  return html` <span class="muted" title=${`${count(running.length, "fold")} running: ${now} of ${all} epochs`}>${Math.round((now / all) * 100)} %</span>`;
}

// Why says why a trial was stopped, or which of its folds failed.
function Why({ sweep, trial }) {
  if (trial.stopped) return html`<div class="reason" title=${clean(trial.stopped.reason)}>${trial.stopped.epoch ? `at epoch ${trial.stopped.epoch}` : `after ${count(trial.stopped.folds, "fold")}`}</div>`;
  const failed = trial.folds.find((fold) => fold.failure);
  return failed ? html`<div class="reason"><a href=${jobPath(sweep.sweep, failed.job)}>fold ${clean(failed.name)}</a>: ${clean(failed.failure.reason)}</div>` : null;
}
