// The importance of parameters, as soon as enough trials are complete.
import { html, useEffect } from "../../lib/html.js";
import { api, useData } from "../../lib/api.js";
import { clean, count } from "../../lib/format.js";
import { useThrottled } from "../../lib/sweep.js";
import { Card, Empty, Skeleton } from "../../parts/basics.js";
import { Importance, ImportanceNote } from "../../charts/importance.js";

const LEAST = 8; // complete trials, below which the server has no answer
const PAUSE = 15000; // between two fetches while trials complete, in ms

export function ImportanceCard({ sweep, metric, names, tools }) {
  const complete = sweep.trials.filter((trial) => trial.state === "completed").length;
  const from = useData(complete < LEAST ? null : api("sweeps", sweep.sweep, "importance", { metric }));
  const soon = useThrottled(from.reload, PAUSE);
  useEffect(() => { if (from.data) soon(); }, [complete]);
  const data = complete < LEAST ? null : from.data;
  return html`<${Card} title="Parameter importance" tools=${data && tools} note=${data && html`<${ImportanceNote} data=${data} />`}>
    ${data ? html`<${Importance} data=${data} names=${names} />` : html`<${Missing} complete=${complete} from=${from} />`}<//>`;
}

function Missing({ complete, from }) {
  if (complete < LEAST) return html`<${Empty} title="Not enough trials yet"><p>${count(complete, "trial")} of ${LEAST} that it takes at the least ${complete === 1 ? "is" : "are"} complete.</p><//>`;
  if (!from.error) return html`<${Skeleton} lines="4" />`;
  return html`<${Empty} title=${clean(from.error.message)}>${from.error.hint && html`<p>${clean(from.error.hint)}</p>`}<button class="button" type="button" onClick=${from.reload}>Look again</button><//>`;
}
