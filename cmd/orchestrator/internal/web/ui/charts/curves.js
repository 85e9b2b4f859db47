// Learning curves: a line for each fold, the mean of them, and a band from
// the smallest of the folds to the largest.
import { html } from "../lib/html.js";
import { scoreText } from "../lib/format.js";
import { color, seriesStyle } from "../lib/theme.js";
import { Chart, axis, grid, tip, tooltip } from "./chart.js";

// Curves draws trials: [{trial, label, style, mean: {epoch, value, low, high}, folds:
// [{name, epoch, value}]}]; style is the number of a look.
export function Curves({ trials, metric, folds = true, band = true, height = 360, name = "curves" }) {
  const drawn = trials.filter((t) => t.mean?.epoch.length > 0 || t.folds.some((f) => f.epoch.length > 0));
  const key = JSON.stringify([metric, folds, band, drawn.map((t) => [t.trial, t.style, t.mean?.value.length, t.mean?.value.at(-1), t.folds.map((f) => [f.epoch.length, f.value.at(-1)])])]);
  return html`<${Chart} name=${name} height=${height} deps=${[key]} option=${() => option(drawn, metric, folds, band)} label=${summary(drawn, metric)} />`;
}

function summary(trials, metric) {
  const ends = trials.slice(0, 8).map((t) => `${t.label}: ${t.mean?.value.length ? scoreText(t.mean.value.at(-1)) : "no mean"}`);
  return `Learning curves of ${metric} by epoch for ${trials.length} trials. At the end: ${ends.join("; ")}.`;
}

function option(trials, metric, folds, band) {
  const series = [];
  for (const trial of trials) {
    const style = seriesStyle(trial.style);
    if (folds) for (const fold of trial.folds) series.push(line(`${trial.label}, fold ${fold.name}`, fold, style, { width: 1, opacity: 0.45 }, true));
    if (band && trial.mean?.low) series.push(bandOf(trial, style));
    if (trial.mean) series.push(line(trial.label, trial.mean, style, { width: 2.2, opacity: 1 }, false));
  }
  return {
    grid: grid({ right: 18 }),
    xAxis: axis("epoch", { type: "value", minInterval: 1, min: "dataMin", max: "dataMax", splitLine: { show: false } }),
    yAxis: axis(metric, { type: "value", scale: true, max: (v) => (v.max > 0.9 && v.max <= 1 && !metric.endsWith("loss") ? 1 : null) }),
    tooltip: tooltip((points) => tipOf(points.filter((p) => p.seriesId.startsWith("mean")), metric), { trigger: "axis", axisPointer: { type: "line", lineStyle: { color: color("line-strong") } } }),
    dataZoom: [{ type: "inside", filterMode: "none", zoomOnMouseWheel: "shift", moveOnMouseMove: false }],
    series,
  };
}

function line(name, curve, style, more, quiet) {
  const points = curve.epoch.map((epoch, i) => [epoch, curve.value[i]]);
  return {
    id: `${quiet ? "fold" : "mean"} ${name}`, name, type: "line", data: points, showSymbol: points.length < 2, symbolSize: 5, silent: quiet, z: quiet ? 2 : 3,
    itemStyle: { color: style.color }, lineStyle: { color: style.color, type: style.dash, ...more },
    emphasis: { disabled: true }, tooltip: { show: !quiet },
  };
}

// bandOf is a polygon: stacked areas would need values of one sign.
function bandOf(trial, style) {
  const { epoch, low, high } = trial.mean;
  const known = epoch.map((e, i) => [e, low[i], high[i]]).filter(([, l, h]) => l !== null && h !== null);
  return {
    id: `band ${trial.label}`, type: "custom", silent: true, clip: true, z: 1, tooltip: { show: false }, encode: { x: 0, y: [1, 2] }, data: known,
    renderItem: (params, api) => {
      if (params.dataIndex !== 0) return null;
      const points = [...known.map(([e, l]) => api.coord([e, l])), ...known.map(([e, , h]) => api.coord([e, h])).reverse()];
      return { type: "polygon", shape: { points }, style: { fill: style.color, opacity: 0.14 } };
    },
  };
}

function tipOf(points, metric) {
  const rows = points.slice(0, 12).map((p) => [{ swatch: p.color }, p.seriesName, scoreText(p.value[1])]);
  if (points.length > 12) rows.push(["", `and ${points.length - 12} more`, ""]);
  return tip(points.length ? `epoch ${Math.round(points[0].value[0] * 100) / 100} · ${metric}` : metric, rows);
}
