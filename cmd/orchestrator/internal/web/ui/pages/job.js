// One job: a trial on a fold, its attempts, its log, its answers.
import { html, useState } from "../lib/html.js";
import { api, useData } from "../lib/api.js";
import { clean, cleanLines, count, duration, moment, scoreText } from "../lib/format.js";
import { useStream } from "../lib/live.js";
import { useThrottled } from "../lib/sweep.js";
import { setQuery, sweepPath, trialPath } from "../lib/router.js";
import { Card, Choice, Copy, Crumbs, Empty, Failed, Figure, Loaded, Skeleton, State, useTitle } from "../parts/basics.js";
import { Icon } from "../parts/icons.js";
import { Pairs } from "../parts/pairs.js";
import { Evaluation } from "../parts/evaluation.js";
import { History, noteOf } from "./trial.js";

const PAUSE = 1500; // between two fetches while the job runs, in ms

export default function Job({ parts: [id], query }) {
  const sweep = query.get("sweep");
  useTitle(`job ${id.slice(0, 12)}`);
  const from = useData(api("jobs", id, { sweep }));
  const soon = useThrottled(from.reload, PAUSE);
  useStream(sweep && from.data ? api("events", { sweep }) : null, ["sweep"], {
    open: (again) => again && soon(),
    sweep: (patch) => { if ((patch.trials ?? []).some((t) => (t.folds ?? []).some((f) => f.job === id))) soon(); },
  });
  return html`<${Loaded} from=${from} lines="10">${(job) => html`<${Shown} job=${job} query=${query} />`}<//>`;
}

function Shown({ job, query }) {
  const fold = job.fold_result ?? {};
  return html`<div class="page-head"><div class="title"><${Crumbs} path=${[["/", "Sweeps"], [sweepPath(job.sweep), job.sweep], [trialPath(job.sweep, job.trial), `trial ${job.trial}`]]} />
      <div class="row"><h1>Trial ${job.trial}, fold <bdi>${clean(job.name)}</bdi></h1><${State} state=${job.state} chip /></div>
      <div class="row"><span class="sha">${clean(job.job)}</span><${Copy} text=${job.job} label="Copy the job's id" /></div></div></div>
    ${job.failure && html`<div class="notice bad" role="alert"><${Icon} name="failed" size="16" /><div><strong>${clean(job.failure.reason)}</strong>${job.failure.hint && html`<div>${clean(job.failure.hint)}</div>`}<div class="muted small">given up after ${count(job.failure.attempts, "attempt")}, ${moment(job.failure.finished)}</div></div></div>`}
    <dl class="figures">${Object.entries(fold.metrics ?? {}).map(([name, value]) => html`<${Figure} key=${name} label=${clean(name)}>${scoreText(value)}<//>`)}
      <${Figure} label="Epochs">${fold.epochs ?? 0}${fold.progress?.epochs ? html` <small>of ${fold.progress.epochs}</small>` : ""}<//>
      <${Figure} label="Device time">${duration(fold.seconds)}<//>
      ${job.outcome?.host && html`<${Figure} label="Trained on"><small>${clean(job.outcome.host)}, ${clean(job.outcome.device)}</small><//>`}
      ${job.state === "running" && html`<${Figure} label="Now" wide><small>${noteOf({ ...fold, progress: job.progress ?? fold.progress }) || "starting"}</small><//>`}</dl>
    <div class="stack"><${History} folds=${[{ name: job.name, ...fold }]} label="job" />
      <div class="grid2"><${Attempts} attempts=${job.attempts ?? []} /><${Outcome} job=${job} /></div>
      <${Log} job=${job} query=${query} />
      ${job.outcome ? html`<${Answers} job=${job} />` : html`<${Evaluation} evaluation=${null}><${Config} job=${job} /><//>`}</div>`;
}

const ENDS = { completed: "completed", interrupted: "paused", failed: "failed", canceled: "canceled", paused: "paused" };

function Attempts({ attempts }) {
  return html`<${Card} title=${count(attempts.length, "attempt")} bare>${attempts.length === 0 ? html`<${Empty} title="No worker has taken this job yet" />` : html`<ol>${attempts.map((a) => html`
    <li key=${a.attempt} class="attempt"><span class="number muted">${a.attempt}</span><div><span class="state ${ENDS[a.end] ?? (a.ended ? "failed" : "running")}"><${Icon} name=${ENDS[a.end] ?? (a.ended ? "failed" : "running")} size="13" />${endText(a)}</span>
      <span class="muted"> ${clean(a.host)} ${clean(a.device)} · <time datetime=${a.started}>${moment(a.started)}</time>${a.ended ? ` · ${duration((Date.parse(a.ended) - Date.parse(a.started)) / 1000)}` : ""}</span></div>
      ${(a.detail || a.given_up) && html`<span class="detail">${clean(a.detail)}${a.given_up ? " The job was given up." : ""}</span>`}</li>`)}</ol>`}<//>`;
}

function endText(attempt) {
  return attempt.end || (attempt.ended ? "ended" : "running, or its worker died");
}

function Outcome({ job }) {
  const o = job.outcome;
  return html`<${Card} title="Outcome">${o ? html`<${Pairs} of=${{ host: o.host, device: o.device, finished: moment(o.finished), seconds: o.seconds, ...o.versions }} />
    <p class="sha" style="margin-top: 10px">${Object.entries(o.objects ?? {}).map(([name, ref]) => html`<div>${clean(name)}: ${clean(ref.key ?? ref)}</div>`)}</p>` : html`<${Empty} title="No outcome yet"><p>It is written once, when the job is complete.</p><//>`}<//>`;
}

function Answers({ job }) {
  const from = useData(api("jobs", job.job, "evaluation", { sweep: job.sweep }));
  if (from.error) return html`<${Failed} error=${from.error} retry=${from.reload} />`;
  return from.data ? html`<${Evaluation} evaluation=${from.data}><${Config} job=${job} /><//>` : html`<section class="card"><${Skeleton} /></section>`;
}

function Config({ job }) {
  return html`<${Card} title="Settings of this job"><${Pairs} of=${job.config} /><//>`;
}

function Log({ job, query }) {
  const attempts = job.attempts ?? [];
  const last = attempts.at(-1)?.attempt;
  const chosen = Number(query.get("attempt")) || last;
  const over = attempts.find((a) => a.attempt === chosen)?.ended;
  const [open, setOpen] = useState(query.has("attempt") || job.state === "failed");
  const from = useData(open && over ? api("jobs", job.job, "log", { sweep: job.sweep, attempt: chosen }) : null, { keep: false, text: true });
  if (!chosen) return null;
  const tools = html`${attempts.length > 1 && html`<${Choice} label="Attempt" options=${attempts.map((a) => [String(a.attempt), String(a.attempt)])} value=${String(chosen)} onChange=${(v) => { setOpen(true); setQuery({ attempt: v }); }} />`}
    ${!open && html`<button type="button" class="button" data-action="log" onClick=${() => setOpen(true)}>Show</button>`}`;
  return html`<${Card} title="Log" tools=${tools} bare>${open && !over && html`<${Empty} title="The attempt is not over"><p>Its log is stored when it ends.</p><//>`}${open && over && (from.error ? html`<${Empty} title=${clean(from.error.message)}>${from.error.hint && html`<p>${clean(from.error.hint)}</p>`}<//>` : from.data === null ? html`<${Skeleton} lines="4" />` : html`<pre class="log" tabindex="0" aria-label="Log of the attempt">${cleanLines(from.data) || "The log is empty."}</pre>`)}<//>`;
}
