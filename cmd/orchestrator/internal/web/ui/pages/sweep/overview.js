// What a reader wants first: the best curves, what mattered, and the table.
import { html } from "../../lib/html.js";
import { api, useData } from "../../lib/api.js";
import { withQuery } from "../../lib/router.js";
import { shortNames } from "../../lib/format.js";
import { Card, Skeleton } from "../../parts/basics.js";
import { Importance, ImportanceNote } from "../../charts/importance.js";
import { BestCurves } from "./curves.js";
import { Leaderboard } from "./leaderboard.js";

export function Overview({ sweep, query, changed }) {
  return html`<div class="stack"><div class="grid21">
      <${BestCurves} sweep=${sweep} changed=${changed} />
      <${Importances} sweep=${sweep} /></div>
    <${Leaderboard} sweep=${sweep} query=${query} /></div>`;
}

function Importances({ sweep }) {
  const complete = sweep.counts.completed;
  const from = useData(api("sweeps", sweep.sweep, "importance", { metric: sweep.metric.name }));
  const more = html`<a class="small" href=${withQuery({ tab: "parameters" })}>more</a>`;
  return html`<${Card} title="Parameter importance" tools=${from.data && more} note=${from.data && html`<${ImportanceNote} data=${from.data} />`} data-complete=${complete}>
    ${from.data ? html`<${Importance} data=${from.data} names=${shortNames(sweep.parameters ?? [])} />` : from.error ? html`<${Missing} error=${from.error} reload=${from.reload} />` : html`<${Skeleton} lines="4" />`}<//>`;
}

// Missing is the importance that too few trials do not allow yet.
export function Missing({ error, reload }) {
  return html`<div class="empty"><strong>${error.message}</strong>${error.hint && html`<p>${error.hint}</p>`}<button class="button" type="button" onClick=${reload}>Look again</button></div>`;
}
