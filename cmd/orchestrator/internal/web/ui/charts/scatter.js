// One parameter against the metric: a dot for each trial, its deviation as a bar.
import { html } from "../lib/html.js";
import { scoreText, statText, valueText } from "../lib/format.js";
import { color } from "../lib/theme.js";
import { Chart, axis, grid, tip, tooltip } from "./chart.js";
import { isLog, isNumeric } from "./scales.js";

// Scatter draws rows: [{trial, parameters, value, stat}].
export function Scatter({ rows, path, name, metric, onTrial, height = 320 }) {
  const key = JSON.stringify([path, metric, rows.length, rows.map((r) => r.value)]);
  return html`<${Chart} name="scatter" height=${height} deps=${[key]} option=${() => option(rows, path, name, metric)}
    label=${`Scatter of ${metric} by ${name} for ${rows.length} trials.`}
    onClick=${(event) => event.seriesType === "scatter" && onTrial?.(rows[event.dataIndex].trial)} />`;
}

function option(rows, path, name, metric) {
  const values = rows.map((r) => r.parameters[path]);
  const numeric = isNumeric(values);
  const x = (r) => (numeric ? r.parameters[path] : valueText(r.parameters[path]));
  const kind = !numeric ? { type: "category", data: [...new Set(values.map(valueText))].sort() } : isLog(values) ? { type: "log" } : { type: "value", scale: true };
  const text = (v) => (numeric ? valueText(Number(Number(v).toPrecision(3))) : v);
  return {
    grid: grid({ right: 22 }),
    xAxis: axis(name, { ...kind, axisLabel: { formatter: text, width: 120, overflow: "truncate" }, splitLine: { show: false } }),
    yAxis: axis(metric, { type: "value", scale: true }),
    tooltip: tooltip((p) => tip(`trial ${rows[p.dataIndex].trial}`, [[name, valueText(rows[p.dataIndex].parameters[path])], [metric, statText(rows[p.dataIndex].stat)]]), { trigger: "item" }),
    series: [bars(rows, x), {
      type: "scatter", symbolSize: rows.length > 200 ? 6 : 9, data: rows.map((r) => [x(r), r.value]), z: 3,
      itemStyle: { color: color("series-1"), opacity: rows.length > 200 ? 0.6 : 0.9, borderColor: color("surface"), borderWidth: 1 },
    }],
  };
}

function bars(rows, x) {
  return {
    type: "custom", silent: true, z: 2, tooltip: { show: false }, encode: { x: 0, y: [1, 2] },
    data: rows.filter((r) => typeof r.stat.std === "number").map((r) => [x(r), r.value - r.stat.std, r.value + r.stat.std]),
    renderItem: (_, api) => {
      const [cx, low] = api.coord([api.value(0), api.value(1)]);
      const [, high] = api.coord([api.value(0), api.value(2)]);
      return { type: "line", shape: { x1: cx, y1: low, x2: cx, y2: high }, style: { stroke: color("series-1"), lineWidth: 1, opacity: rows.length > 200 ? 0.18 : 0.45 } };
    },
  };
}

export const scatterData = (rows, path, name, metric) => ({ head: ["trial", name, metric], rows: rows.map((r) => [r.trial, valueText(r.parameters[path]), scoreText(r.value)]) });
