// One trial: its folds, curves, pooled answers and settings.
import { html, useMemo } from "../lib/html.js";
import { api, useData } from "../lib/api.js";
import { clean, count, duration, scoreText, shortNames, statText } from "../lib/format.js";
import { curveOf, meanOf, namesIn } from "../lib/history.js";
import { useStream } from "../lib/live.js";
import { useThrottled } from "../lib/sweep.js";
import { jobPath, picturesPath, setQuery, sweepPath, useLocation } from "../lib/router.js";
import { Card, Crumbs, Empty, Figure, Loaded, Scroll, Segments, State, useTitle } from "../parts/basics.js";
import { Icon } from "../parts/icons.js";
import { Pairs, ParameterList } from "../parts/pairs.js";
import { Evaluation } from "../parts/evaluation.js";
import { Curves } from "../charts/curves.js";
import { Data } from "../charts/chart.js";

const PAUSE = 1500; // between two fetches while folds run, in ms

export default function Trial({ parts: [sweep, n] }) {
  const number = Number(n);
  useTitle(`trial ${number} of ${sweep}`);
  const from = useData(api("sweeps", sweep, "trials", n), { keep: true });
  const soon = useThrottled(from.reload, PAUSE);
  useStream(from.data ? api("events", { sweep }) : null, ["sweep"], {
    open: (again) => again && soon(),
    sweep: (patch) => { if ((patch.trials ?? []).some((t) => t.trial === number)) soon(); },
  });
  return html`<${Loaded} from=${from} lines="10">${(data) => html`<${Shown} sweep=${sweep} data=${data} />`}<//>`;
}

function Shown({ sweep, data }) {
  const { trial } = data;
  const done = trial.folds.filter((fold) => fold.state === "completed").length;
  const names = shortNames(Object.keys(trial.parameters));
  const seconds = trial.folds.reduce((sum, fold) => sum + (fold.seconds || 0), 0);
  return html`<div class="page-head"><div class="title"><${Crumbs} path=${[["/", "Sweeps"], [sweepPath(sweep), sweep]]} />
      <div class="row"><h1>Trial ${trial.trial}</h1><${State} state=${trial.state} chip /></div><${ParameterList} parameters=${trial.parameters} names=${names} /></div>
    <div class="actions"><a class="button" href=${picturesPath(sweep, trial.trial)}><${Icon} name="pictures" />Pictures</a><a class="button" href=${`/compare?of=${encodeURIComponent(`${sweep}/${trial.trial}`)}`}>Compare</a></div></div>
    ${trial.stopped && html`<div class="notice warn"><${Icon} name="pruned" size="16" /><div><strong>Stopped ${trial.stopped.epoch ? `at epoch ${trial.stopped.epoch}` : "across folds"}.</strong> ${clean(trial.stopped.reason)}</div></div>`}
    <dl class="figures">${Object.entries(trial.summary).map(([name, stat]) => html`<${Figure} key=${name} label=${clean(name)}><span data-figure=${name}>${statText(stat)}</span><//>`)}
      <${Figure} label="Folds complete">${done} <small>of ${trial.folds.length}</small><//><${Figure} label="Device time">${duration(seconds)}<//></dl>
    <div class="stack"><${History} folds=${trial.folds} /><${Folds} sweep=${sweep} trial=${trial} />
      <${Evaluation} evaluation=${data.evaluation} pooled><${Card} title="Settings of this trial"><${Pairs} of=${data.config} /><//><//></div>`;
}

// History draws the folds' curves and their mean; the metric is in the address.
export function History({ folds, label = "trial" }) {
  const { query } = useLocation();
  const histories = folds.map((fold) => fold.history ?? []);
  const names = namesIn(histories);
  const metric = names.includes(query.get("metric")) ? query.get("metric") : names[0];
  const several = folds.length > 1;
  const curves = useMemo(() => folds.map((fold, i) => ({ name: fold.name, ...curveOf(histories[i], metric) })), [folds, metric]);
  const drawn = several
    ? [{ trial: 0, label: "mean", style: 0, mean: meanOf(curves), folds: [] }, ...curves.map((c, i) => ({ trial: i + 1, label: `fold ${c.name}`, style: i + 1, mean: { epoch: c.epoch, value: c.value }, folds: [] }))]
    : [{ trial: 0, label, style: 0, mean: curves[0], folds: [] }];
  const some = curves.some((c) => c.epoch.length > 0);
  return html`<${Card} title="Learning curves" bare tools=${some && html`<${Segments} label="Metric" options=${names.map((m) => [m, clean(m)])} value=${metric} onChange=${(v) => setQuery({ metric: v === names[0] ? null : v })} />`}>
    ${some ? html`<div class="body"><${Curves} trials=${drawn} metric=${metric} height="300" /></div>
      <${Data} head=${["epoch", ...curves.map((c) => (several ? `fold ${clean(c.name)}` : metric))]} rows=${rowsOf(curves)} />` : html`<${Empty} title="No epoch is over yet"><p>Curves begin with the first epoch.</p><//>`}<//>`;
}

function rowsOf(curves) {
  const epochs = [...new Set(curves.flatMap((c) => c.epoch))].sort((a, b) => a - b);
  return epochs.map((epoch) => [epoch, ...curves.map((c) => { const i = c.epoch.indexOf(epoch); return i < 0 ? "–" : scoreText(c.value[i]); })]);
}

function Folds({ sweep, trial }) {
  const metrics = [...new Set(trial.folds.flatMap((fold) => Object.keys(fold.metrics ?? {})))].sort();
  return html`<${Card} title=${count(trial.folds.length, "fold")} bare><${Scroll} label="Folds"><table class="dense"><thead><tr><th scope="col">Fold</th><th scope="col">State</th>${metrics.map((m) => html`<th scope="col" class="n">${clean(m)}</th>`)}<th scope="col" class="n">Epochs</th><th scope="col" class="n">Attempts</th><th scope="col" class="n">Device time</th><th scope="col">Note</th></tr></thead>
    <tbody>${trial.folds.map((fold) => html`<tr key=${fold.fold} data-fold=${fold.fold}><th scope="row"><a href=${jobPath(sweep, fold.job)}>fold <bdi>${clean(fold.name)}</bdi></a></th><td><${State} state=${fold.state} /></td>
      ${metrics.map((m) => html`<td class="n">${m in fold.metrics ? scoreText(fold.metrics[m]) : "–"}</td>`)}
      <td class="n" data-epochs=${fold.epochs}>${fold.progress && !fold.progress.stage ? `${fold.progress.epoch}/${fold.progress.epochs}` : fold.epochs}</td><td class="n">${fold.attempts}</td><td class="n">${duration(fold.seconds)}</td><td>${noteOf(fold)}</td></tr>`)}</tbody></table><//><//>`;
}

// noteOf is what the status command says of a fold.
export function noteOf(fold) {
  if (fold.failure) return html`<span class="reason">${clean(fold.failure.reason)}${fold.failure.hint ? ` ${clean(fold.failure.hint)}` : ""}</span>`;
  if (fold.cached) return html`<span class="muted">in the store already: trained by another sweep</span>`;
  const p = fold.progress;
  if (!p) return fold.c ? html`<span class="muted">C ${scoreText(fold.c)}</span>` : "";
  if (p.stage) return html`<span class="muted">${clean(p.stage)}: ${p.step} of ${p.steps} pictures on ${clean(p.host)} ${clean(p.device)}</span>`;
  return html`<span class="muted">loss ${scoreText(p.loss)} on ${clean(p.host)} ${clean(p.device)}${p.eta > 0 ? `, ${duration(p.eta)} left` : ""}</span>`;
}
