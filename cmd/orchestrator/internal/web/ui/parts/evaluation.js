// What a network answered to pictures that it had not seen: of a job, or pooled
// over a trial's folds.
import { html, useState } from "../lib/html.js";
import { clean, grouped, scoreText } from "../lib/format.js";
import { seriesStyle, useTheme } from "../lib/theme.js";
import { Card, Empty, Scroll } from "./basics.js";
import { Confusion } from "../charts/confusion.js";
import { Calibration, Rates } from "../charts/rates.js";
import { Data } from "../charts/chart.js";

const MOST = 8; // curves that are drawn before the reader chooses
const ROWS = 3000; // classes whose scores are in the table

// Evaluation shows all of it. pooled: the answers are of several networks. The
// children are shown beside the last chart.
export function Evaluation({ evaluation, pooled, children }) {
  if (!evaluation?.confusion && !evaluation?.confusion_cells) return html`<div class="stack"><section class="card"><${Empty} title="No predictions yet"><p>They are there when ${pooled ? "the first fold is" : "the job is"} complete.</p><//></section>${children}</div>`;
  const { classes } = evaluation;
  return html`<div class="stack"><div class="grid2">
      <${Card} title="Confusion matrix" note=${pooled ? "Out-of-fold answers of all complete folds together: each picture is counted once, by a network that had not seen it." : "Of this fold's test pictures."}><${Confusion} classes=${classes} confusion=${evaluation.confusion} cells=${evaluation.confusion_cells} /><//>
      <${PerClass} rows=${evaluation.per_class ?? []} /></div>
    ${(evaluation.roc ?? []).length > 0 && html`<${RateCards} evaluation=${evaluation} pooled=${pooled} />`}
    <div class=${evaluation.calibration?.bins ? "grid2" : "stack"}>${evaluation.calibration?.bins && html`<${CalibrationCard} calibration=${evaluation.calibration} />`}${children}</div></div>`;
}

function CalibrationCard({ calibration }) {
  const rows = calibration.bins.map((bin) => [`${scoreText(bin.low, 2)} – ${scoreText(bin.high, 2)}`, grouped(bin.count), bin.count ? scoreText(bin.confidence) : "–", bin.count ? scoreText(bin.accuracy) : "–"]);
  return html`<${Card} title=${html`Calibration <span class="muted small">expected error ${scoreText(calibration.error)}</span>`} bare note="A dot is a bin of confidence, larger with more pictures. On the dashed line a confidence of 0.8 is right in 80 % of the cases; below it the network is too sure. Bins with few pictures scatter.">
    <div class="body"><${Calibration} calibration=${calibration} /></div><${Data} head=${["confidence", "pictures", "mean confidence", "right"]} rows=${rows} /><//>`;
}

function PerClass({ rows }) {
  const note = rows.length > ROWS ? `The ${grouped(ROWS)} classes with the lowest F1 of ${grouped(rows.length)}.` : null;
  if (note) rows = [...rows].sort((a, b) => (a.f1 ?? 2) - (b.f1 ?? 2)).slice(0, ROWS);
  return html`<${Card} title="Scores of each class" note=${note} bare><${Scroll} label="Scores of each class"><table class="dense"><thead><tr><th scope="col">Class</th><th scope="col" class="n">Precision</th><th scope="col" class="n">Recall</th><th scope="col" class="n">F1</th><th scope="col" class="n">Pictures</th></tr></thead>
    <tbody>${rows.map((r) => html`<tr key=${r.class}><th scope="row"><bdi>${clean(r.class)}</bdi></th><td class="n">${score(r.precision)}</td><td class="n">${score(r.recall)}</td><td class="n">${score(r.f1)}</td><td class="n">${grouped(r.support)}</td></tr>`)}</tbody></table><//><//>`;
}

const score = (x) => (x === null || x === undefined ? "–" : scoreText(x));

function RateCards({ evaluation, pooled }) {
  useTheme();
  const names = evaluation.roc.map((c) => c.class);
  const [on, setOn] = useState(null);
  const drawn = on ?? new Set(names.slice(0, MOST));
  const flip = (name) => { const next = new Set(drawn); if (!next.delete(name)) next.add(name); setOn(next); };
  const styled = (curves) => (curves ?? []).map((c) => ({ ...c, style: names.indexOf(c.class) })).filter((c) => drawn.has(c.class));
  const caveat = pooled ? " Pooled over folds: confidences of different networks are compared as if they were one's." : "";
  const table = (curves) => html`<${Data} head=${["class", "area"]} rows=${(curves ?? []).map((c) => [clean(c.class), scoreText(c.area)])} />`;
  return html`<div class="grid2">
      <${Card} title="ROC" bare note=${`Each class against the rest. The dashed line is chance.${caveat}`}><div class="body"><${Rates} kind="roc" curves=${styled(evaluation.roc)} /><${Choose} curves=${evaluation.roc} drawn=${drawn} flip=${flip} /></div>${table(evaluation.roc)}<//>
      <${Card} title="Precision and recall" bare note="Each class against the rest. Where a class is rare this says more than ROC; chance is the class's share of the pictures."><div class="body"><${Rates} kind="pr" curves=${styled(evaluation.pr)} /><${Choose} curves=${evaluation.pr ?? []} drawn=${drawn} flip=${flip} /></div>${table(evaluation.pr)}<//></div>`;
}

function Choose({ curves, drawn, flip }) {
  return html`<div class="legend" style="max-height: 110px; overflow-y: auto; margin-top: 8px">${curves.map((c, i) => {
    const look = seriesStyle(i);
    return html`<label key=${c.class}><input type="checkbox" checked=${drawn.has(c.class)} onChange=${() => flip(c.class)} /><i class="swatch ${look.dash}" style=${`border-top-color: var(${look.variable})`}></i><bdi>${clean(c.class)}</bdi> <span class="muted number">${scoreText(c.area)}</span></label>`;
  })}</div>`;
}
