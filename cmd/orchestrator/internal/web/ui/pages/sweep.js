// One sweep: its head, and the views of it.
import { html, useRef, useState } from "../lib/html.js";
import { useSession, mayOperate } from "../lib/session.js";
import { clean, count, duration, grouped, statText } from "../lib/format.js";
import { bestTrial, useSweep } from "../lib/sweep.js";
import { address, sweepPath, trialPath } from "../lib/router.js";
import { Copy, Crumbs, Empty, Failed, Figure, Name, Skeleton, State, Tabs, useTitle } from "../parts/basics.js";
import { Icon } from "../parts/icons.js";
import { Progress, ProgressText } from "../parts/progress.js";
import { Controls } from "./sweep/controls.js";
import { Overview } from "./sweep/overview.js";
import { CurvesView } from "./sweep/curves.js";
import { Parameters } from "./sweep/parameters.js";
import { Stopped } from "./sweep/stopped.js";
import { Settings } from "./sweep/settings.js";

export default function Sweep({ parts: [id], query }) {
  const [changed, setChanged] = useState({ turn: 0, trials: [] });
  const turn = useRef(0);
  const { sweep, error, gone, reload } = useSweep(id, (trials) => { turn.current += 1; setChanged({ turn: turn.current, trials }); });
  useTitle(sweep?.name ?? id);
  if (gone) return html`<${Empty} title="This sweep is no more"><p>Somebody has removed it. <a href="/">All sweeps</a></p><//>`;
  if (!sweep && error) return html`<${Failed} error=${error} retry=${reload} />`;
  if (!sweep) return html`<${Skeleton} lines="10" />`;
  return html`<${Header} sweep=${sweep} reload=${reload} />
    ${error && html`<${Failed} error=${error} retry=${reload} />`}
    <${KeyFigures} sweep=${sweep} /><${Warnings} sweep=${sweep} />
    <${Views} sweep=${sweep} query=${query} changed=${changed} />`;
}

function Header({ sweep, reload }) {
  const session = useSession();
  return html`<div class="page-head"><div class="title"><${Crumbs} path=${[["/", "Sweeps"]]} />
      <div class="row"><h1><${Name} text=${sweep.name || sweep.sweep} /></h1><span data-sweep-state=${sweep.state}><${State} state=${sweep.state} chip /></span></div>
      <div class="row"><span class="sha">${clean(sweep.sweep)}</span><${Copy} text=${sweep.sweep} label="Copy the sweep's id" /></div></div>
    <div class="actions"><a class="button" href=${address("sweeps", sweep.sweep, "pictures")}><${Icon} name="pictures" />Pictures</a>
      ${mayOperate(session) && html`<${Controls} sweep=${sweep} reload=${reload} />`}</div></div>`;
}

const jobsOf = (sweep) => sweep.trials.reduce((n, trial) => n + trial.folds.length, 0);

function KeyFigures({ sweep }) {
  const best = bestTrial(sweep);
  const total = jobsOf(sweep);
  const metric = sweep.metric;
  return html`<dl class="figures">
    <${Figure} label="Progress" wide><${Progress} counts=${sweep.counts} total=${total} /><small data-figure="progress"><${ProgressText} counts=${sweep.counts} total=${total} /></small><//>
    <${Figure} label=${html`Best ${clean(metric.name)} (${metric.goal})`} wide>${best ? html`<a href=${trialPath(sweep.sweep, best.trial)}>${statText(best.summary[metric.name])}</a> <small>trial ${best.trial}</small>` : html`<small>no trial is complete</small>`}
      ${sweep.baseline && metric.name === "accuracy" && html`<div><small title="Always answering the most frequent class of the training pictures">baseline ${statText(sweep.baseline.accuracy)}</small></div>`}<//>
    <${Figure} label="Time left">${sweep.eta_seconds > 0 ? html`<span title="An estimate from the jobs that are over">≈ ${duration(sweep.eta_seconds)}</span>` : "–"}<//>
    <${Figure} label="Device time"><span data-figure="seconds" title="The sum of what all jobs took">${duration(sweep.seconds)}</span><//>
    <${Figure} label="Search">${clean(sweep.method)} <small>${count(sweep.trials.length, "trial")} × ${count(sweep.folds.length, "fold")}</small><//></dl>`;
}

const MOST = 4; // failures that are listed

function Warnings({ sweep }) {
  const failed = sweep.trials.flatMap((trial) => trial.folds.filter((fold) => fold.failure).map((fold) => ({ trial, fold })));
  return html`${(sweep.warnings ?? []).map((text) => html`<div class="notice warn"><${Icon} name="warn" size="16" /><div>${clean(text)}</div></div>`)}
    ${failed.length > 0 && html`<div class="notice bad"><${Icon} name="failed" size="16" /><div class="spring"><strong>${count(failed.length, "job")} failed</strong>
      <ul>${failed.slice(0, MOST).map(({ trial, fold }) => html`<li><a href=${`${address("jobs", fold.job)}?sweep=${encodeURIComponent(sweep.sweep)}`}>trial ${trial.trial}, fold ${clean(fold.name)}</a>: ${clean(fold.failure.reason)}${fold.failure.hint ? html` <span class="muted">${clean(fold.failure.hint)}</span>` : ""}</li>`)}
      ${failed.length > MOST && html`<li class="muted">and ${grouped(failed.length - MOST)} more: sort the leaderboard by state</li>`}</ul></div></div>`}`;
}

const VIEWS = { overview: Overview, curves: CurvesView, parameters: Parameters, stopped: Stopped, settings: Settings };

function Views({ sweep, query, changed }) {
  const stopped = sweep.trials.filter((trial) => trial.stopped || trial.state === "pruned").length;
  const tabs = [["overview", "Overview"], ["curves", "Curves"], ["parameters", "Parameters"], ["stopped", "Stopped trials", stopped], ["settings", "Settings"]];
  const current = query.get("tab") in VIEWS ? query.get("tab") : "overview";
  const View = VIEWS[current];
  return html`<${Tabs} label="Views of the sweep" tabs=${tabs} current=${current} /><${View} sweep=${sweep} query=${query} changed=${changed} base=${sweepPath(sweep.sweep)} />`;
}
