// Trials that ended before their end, and why.
import { html } from "../../lib/html.js";
import { clean, count, shortNames, statText, valueText } from "../../lib/format.js";
import { trialPath } from "../../lib/router.js";
import { Card, Empty, Scroll } from "../../parts/basics.js";
import { PAGE, Pager, pageOf } from "../../parts/tables.js";
import { searched } from "./leaderboard.js";

export function Stopped({ sweep, query }) {
  const rows = sweep.trials.filter((trial) => trial.stopped || trial.state === "pruned");
  if (rows.length === 0) return html`<section class="card"><${Empty} title="No trial was stopped"><p>With <code>early_terminate</code> in the sweep file, trials that have little hope stop at rungs or after some of their folds, and say why here.</p><//></section>`;
  const paths = searched(sweep);
  const names = shortNames(paths);
  const page = pageOf(query, rows.length);
  return html`<${Card} title=${`${count(rows.length, "trial")} stopped`} bare note="A stopped trial's score is of the epochs and folds that it had then: it is not comparable with that of a complete trial.">
    <${Scroll} label="Stopped trials"><table class="dense"><thead><tr><th scope="col">Trial</th><th scope="col">Stopped</th><th scope="col">Why</th><th scope="col" class="n">${clean(sweep.metric.name)} then</th>${paths.map((path) => html`<th scope="col" title=${clean(path)}>${clean(names.get(path))}</th>`)}</tr></thead>
      <tbody>${rows.slice(page * PAGE, (page + 1) * PAGE).map((trial) => html`<tr key=${trial.trial}><th scope="row"><a href=${trialPath(sweep.sweep, trial.trial)}>${trial.trial}</a></th>
        <td class="nowrap">${when(trial.stopped)}</td><td><div style="min-width: 220px; max-width: 460px">${clean(trial.stopped?.reason ?? "")}</div></td><td class="n">${statText(trial.summary[sweep.metric.name])}</td>
        ${paths.map((path) => html`<td class="value"><bdi>${valueText(trial.parameters[path])}</bdi></td>`)}</tr>`)}</tbody></table><//>
    <${Pager} page=${page} total=${rows.length} noun="trial" /><//>`;
}

function when(stop) {
  if (!stop) return "–";
  return stop.epoch ? `at epoch ${stop.epoch}, ${count(stop.folds, "fold")} seen` : `across folds, after ${stop.folds}`;
}
