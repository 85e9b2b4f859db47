// What a reader wants first: the best curves, what mattered, and the table.
import { html } from "../../lib/html.js";
import { withQuery } from "../../lib/router.js";
import { shortNames } from "../../lib/format.js";
import { BestCurves } from "./curves.js";
import { ImportanceCard } from "./importance.js";
import { Leaderboard } from "./leaderboard.js";

export function Overview({ sweep, query, changed }) {
  return html`<div class="stack"><div class="grid21">
      <${BestCurves} sweep=${sweep} changed=${changed} />
      <${ImportanceCard} sweep=${sweep} metric=${sweep.metric.name} names=${shortNames(sweep.parameters ?? [])} tools=${html`<a class="small" href=${withQuery({ tab: "parameters" })}>more</a>`} /></div>
    <${Leaderboard} sweep=${sweep} query=${query} /></div>`;
}
