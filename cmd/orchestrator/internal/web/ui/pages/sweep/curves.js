// Learning curves of several trials, thinned by the server, live.
import { html, useEffect, useMemo, useState } from "../../lib/html.js";
import { api, useData } from "../../lib/api.js";
import { clean, scoreText, statText } from "../../lib/format.js";
import { setQuery, trialPath, withQuery } from "../../lib/router.js";
import { metricNames, ranked, useThrottled } from "../../lib/sweep.js";
import { seriesStyle, useTheme } from "../../lib/theme.js";
import { Card, Choice, Empty, Failed, Segments, Skeleton } from "../../parts/basics.js";
import { Curves } from "../../charts/curves.js";
import { Data } from "../../charts/chart.js";

const POINTS = 120; // of each curve; a screen shows no more
const PAUSE = 2500; // between two fetches while trials run, in ms

// useCurves is the API's curves, fetched again when a trial changes.
function useCurves(sweep, metric, trials, changed) {
  const from = useData(api("sweeps", sweep.sweep, "curves", { metric, points: POINTS, trials: trials?.join(",") }));
  const soon = useThrottled(from.reload, PAUSE);
  useEffect(() => { if (changed.turn > 0) soon(); }, [changed.turn]);
  return from;
}

// labelled gives each trial its name and look. The looks follow the trials' places
// in the answer, so that neighbours differ.
function labelled(data) {
  return data.trials.map((trial, i) => ({ ...trial, label: `trial ${trial.trial}`, style: i }));
}

export function BestCurves({ sweep, changed }) {
  const best = useMemo(() => ranked(sweep).slice(0, 5).map((t) => t.trial), [sweep.trials]);
  const from = useCurves(sweep, sweep.metric.name, best.length > 0 ? best : null, changed);
  const trials = from.data ? labelled(from.data).slice(0, 5) : [];
  return html`<${Card} title=${html`Learning curves <span class="muted small">best ${trials.length > 1 ? trials.length : ""}</span>`} tools=${html`<a class="small" href=${withQuery({ tab: "curves" })}>all curves</a>`}>
    <${Drawn} from=${from} sweep=${sweep}>${() => html`<${Curves} trials=${trials} metric=${sweep.metric.name} folds=${false} height="270" name="best-curves" /><${Legend} trials=${trials} sweep=${sweep} />`}<//><//>`;
}

function Drawn({ from, children }) {
  if (from.error && !from.data) return html`<${Failed} error=${from.error} retry=${from.reload} />`;
  if (!from.data) return html`<${Skeleton} lines="8" />`;
  if (!from.data.trials.some((t) => t.folds.some((f) => f.epoch.length > 0))) {
    return html`<${Empty} title="No epoch is over yet"><p>Curves begin with the first epoch of the first job.</p><//>`;
  }
  return children();
}

function Legend({ trials, sweep }) {
  useTheme();
  return html`<ul class="legend">${trials.map((t) => html`<li><${Swatch} style=${t.style} /><a href=${trialPath(sweep.sweep, t.trial)}>${t.label}</a></li>`)}</ul>`;
}

function Swatch({ style }) {
  const look = seriesStyle(style);
  return html`<i class="swatch ${look.dash}" style=${`border-top-color: var(${look.variable})`}></i>`;
}

const FEW = 5; // trials whose folds are drawn, unless the reader says otherwise

const HOW_MANY = [[String(FEW), `best ${FEW}`], ["10", "best 10"], ["20", "best 20"]];

// readChoice is which trials the address asks for: trials=0,3,7, or top=10.
function readChoice(query, sweep) {
  const chosen = (query.get("trials") ?? "").split(",").filter((text) => /^\d+$/.test(text)).map(Number);
  const top = Number(query.get("top")) || FEW;
  if (chosen.length > 0) return { chosen, top, trials: chosen };
  const best = ranked(sweep).slice(0, top).map((t) => t.trial);
  return { chosen, top, trials: best.length > 0 ? best : null };
}

export function CurvesView({ sweep, query, changed }) {
  useTheme();
  const metrics = [...metricNames(sweep), "train_loss"].filter((name, i, all) => all.indexOf(name) === i);
  const metric = metrics.includes(query.get("metric")) ? query.get("metric") : sweep.metric.name;
  const { chosen, top, trials } = readChoice(query, sweep);
  const [off, setOff] = useState(new Set());
  const few = (trials?.length ?? 0) <= FEW;
  const folds = query.has("folds") ? query.get("folds") === "on" : few, band = query.get("band") !== "off";
  const from = useCurves(sweep, metric, trials, changed);
  const all = from.data ? labelled(from.data) : [];
  const shown = all.filter((t) => !off.has(t.trial));
  const flip = (n) => setOff((old) => { const next = new Set(old); if (!next.delete(n)) next.add(n); return next; });
  return html`<div class="toolbar">
      <${Segments} label="Metric" options=${metrics.map((m) => [m, clean(m)])} value=${metric} onChange=${(v) => setQuery({ metric: v === sweep.metric.name ? null : v })} />
      <${Choice} label="Trials" options=${chosen.length > 0 ? [["", `trials ${chosen.join(", ")}`], ...HOW_MANY] : HOW_MANY} value=${chosen.length > 0 ? "" : String(top)} onChange=${(v) => setQuery({ top: v, trials: null })} />
      <label class="check"><input type="checkbox" checked=${folds} onChange=${() => setQuery({ folds: folds ? "off" : "on" })} />folds</label>
      <label class="check"><input type="checkbox" checked=${band} onChange=${() => setQuery({ band: band ? "off" : null })} />range of the folds</label></div>
    <${Card} title=${html`${clean(metric)} by epoch`} bare note=${html`The strong line is the mean over the folds that have begun, as far as all of them have come; the band is their range, thin lines are folds. Shift and the wheel zoom. ${metric === "train_loss" ? "The training loss is of augmented pictures, with dropout: it is not comparable with the loss of test pictures." : "Measured on each fold's test pictures."}`}>
      <div class="body" data-metric=${from.data?.metric ?? ""}><${Drawn} from=${from} sweep=${sweep}>${() => html`<div class="curves">
        <${Curves} trials=${shown} metric=${metric} folds=${folds} band=${band} height="430" />
        <fieldset class="legend column" style="border: 0; margin: 0; padding: 0"><legend class="hidden">Trials that are drawn</legend>${all.map((t) => html`<label key=${t.trial}>
          <input type="checkbox" checked=${!off.has(t.trial)} onChange=${() => flip(t.trial)} /><${Swatch} style=${t.style} /><span>${t.label}</span><span class="value">${endText(sweep, t, metric)}</span></label>`)}</fieldset></div>`}<//></div>
      <${Data} head=${["trial", "epochs", `last mean ${metric}`]} rows=${shown.map((t) => [t.trial, t.mean?.epoch.at(-1) ?? 0, t.mean?.value.length ? scoreText(t.mean.value.at(-1)) : "–"])} /><//>`;
}

function endText(sweep, curve, metric) {
  const trial = sweep.trials.find((t) => t.trial === curve.trial);
  if (trial?.summary[metric]) return statText(trial.summary[metric]);
  return curve.mean?.value.length ? scoreText(curve.mean.value.at(-1)) : "–";
}
