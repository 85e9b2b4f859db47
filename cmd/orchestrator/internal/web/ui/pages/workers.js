// The hosts that take jobs, and what each does now.
import { html, useEffect } from "../lib/html.js";
import { api, useData } from "../lib/api.js";
import { useStream } from "../lib/live.js";
import { useThrottled } from "../lib/sweep.js";
import { ago, clean, count, moment } from "../lib/format.js";
import { jobPath } from "../lib/router.js";
import { useSession } from "../lib/session.js";
import { Empty, Loaded, Name, useTitle } from "../parts/basics.js";

const EVERY = 5000; // workers come and go without an event

export default function Workers() {
  useTitle("Workers");
  const session = useSession();
  const from = useData(api("workers"));
  const soon = useThrottled(from.reload, 1000);
  useStream(api("events"), ["sweeps"], { open: (again) => again && soon(), sweeps: soon });
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) from.reload(); }, EVERY);
    return () => clearInterval(timer);
  }, []);
  return html`<div class="page-head"><div class="title"><h1>Workers</h1>${from.data && html`<p class="small muted" role="status">${summary(from.data.workers)}</p>`}</div></div>
    <${Loaded} from=${from}>${({ workers }) => (workers.length === 0 ? html`<section class="card"><${Empty} title="No worker is at work">
      ${session?.queue ? html`<p>Start one on each host; it takes jobs until it is told to stop.</p><pre tabindex="0">orchestrator worker --slots 2</pre>` : html`<p>This server knows no queue. Sweeps of <code>orchestrator run</code> train in that command itself.</p>`}<//></section>`
    : html`<div class="workers">${workers.map((w) => html`<${Worker} key=${`${w.host} ${w.since}`} worker=${w} />`)}</div>`)}<//>`;
}

function summary(workers) {
  const slots = workers.reduce((n, w) => n + (w.slots || 0), 0);
  const busy = workers.reduce((n, w) => n + (w.running?.length ?? 0), 0);
  return `${count(workers.length, "worker")}, ${busy} of ${count(slots, "slot")} at work`;
}

function Worker({ worker: w }) {
  const running = w.running ?? [];
  return html`<section class="card" data-worker=${w.host}><header><h2><${Name} text=${w.host} /></h2><span class="small muted"><span title=${moment(w.seen)}>seen ${ago(w.seen)}</span></span></header>
    <div class="body stack" style="gap: 10px">
      <div><div class="slots" role="img" aria-label=${`${running.length} of ${w.slots} slots at work`}>${Array.from({ length: Math.min(w.slots, 64) }, (_, i) => html`<i class=${i < running.length ? "busy" : ""}></i>`)}</div>
        <p class="small muted">${running.length} of ${count(w.slots, "slot")} · up since ${moment(w.since)}</p></div>
      ${(w.devices?.length > 0 || w.labels?.length > 0) && html`<p>${[...(w.devices ?? []), ...(w.labels ?? [])].map((text) => html`<span class="tag">${clean(text)}</span> `)}</p>`}
      ${running.length > 0 && html`<ul class="stack" style="gap: 8px">${running.map((r) => html`<li key=${r.job}><a href=${jobPath(r.sweep, r.job)}><${Name} text=${r.sweep} /> · trial ${r.trial}, fold ${clean(r.fold)}</a>
        <div class="progress" role="img" aria-label=${`epoch ${r.epoch ?? 0} of ${r.epochs ?? "?"}`}><i class="running" style=${`width: ${r.epochs > 0 ? (r.epoch / r.epochs) * 100 : 0}%`}></i></div><span class="small muted number">epoch ${r.epoch ?? 0} of ${r.epochs ?? "?"}</span></li>`)}</ul>`}</div></section>`;
}
