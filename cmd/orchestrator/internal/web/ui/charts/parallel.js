// Parallel coordinates: a line for each trial through its parameters to the metric.
import { html } from "../lib/html.js";
import { scoreText, valueText } from "../lib/format.js";
import { color, sequence } from "../lib/theme.js";
import { Scroll } from "../parts/basics.js";
import { Chart, tip, tooltip } from "./chart.js";
import { isLog, isNumeric } from "./scales.js";

// Parallel draws rows: [{trial, parameters, value}], of the parameters in names (a
// Map from path to short name).
export function Parallel({ rows, names, metric, goal, onTrial, height = 360 }) {
  const paths = [...names.keys()];
  const key = JSON.stringify([paths, metric, rows.length, rows.map((r) => [r.trial, r.value])]);
  const best = [...rows].sort((a, b) => (goal === "minimize" ? a.value - b.value : b.value - a.value))[0];
  const label = `Parallel coordinates of ${rows.length} trials through ${paths.map((p) => names.get(p)).join(", ")} to ${metric}.${best ? ` The best is trial ${best.trial} with ${scoreText(best.value)}: ${paths.map((p) => `${names.get(p)} ${valueText(best.parameters[p])}`).join(", ")}.` : ""}`;
  return html`<${Scroll} label="Parallel coordinates"><div style=${`min-width: ${(paths.length + 1) * 120}px`}><${Chart} name="parallel" height=${height} deps=${[key]} label=${label} option=${() => option(rows, paths, names, metric, goal)}
    onClick=${(event) => event.componentType === "series" && onTrial?.(rows[event.dataIndex].trial)} /></div><//>`;
}

function option(rows, paths, names, metric, goal) {
  const values = rows.map((r) => r.value);
  const scale = goal === "minimize" ? [...sequence()].reverse() : sequence();
  return {
    parallel: { left: 56, right: 64, top: 40, bottom: 28, parallelAxisDefault: {
      nameLocation: "end", nameGap: 14, nameTextStyle: { color: color("text"), fontSize: 12 }, nameTruncate: { maxWidth: 130 },
      axisLine: { lineStyle: { color: color("line-strong") } }, axisTick: { lineStyle: { color: color("line-strong") } },
      axisLabel: { color: color("muted"), fontSize: 11, width: 90, overflow: "truncate", textBorderColor: color("surface"), textBorderWidth: 3 },
    } },
    parallelAxis: [...paths.map((path, dim) => axisOf(path, dim, names, rows)), { dim: paths.length, name: metric, type: "value", scale: true }],
    visualMap: { show: false, dimension: paths.length, min: Math.min(...values), max: Math.max(...values), inRange: { color: scale } },
    tooltip: tooltip((p) => tip(`trial ${rows[p.dataIndex].trial}`, [...paths.map((path) => [names.get(path), valueText(rows[p.dataIndex].parameters[path])]), [metric, scoreText(rows[p.dataIndex].value)]]), { trigger: "item" }),
    series: [{
      type: "parallel", smooth: false, data: rows.map((r) => [...paths.map((path) => point(r.parameters[path])), r.value]),
      lineStyle: { width: rows.length > 200 ? 1 : 1.8, opacity: rows.length > 200 ? 0.4 : 0.75 }, emphasis: { lineStyle: { width: 3.5, opacity: 1 } },
      inactiveOpacity: 0.06, activeOpacity: 0.9, progressive: 0,
    }],
  };
}

const point = (value) => (typeof value === "number" ? value : valueText(value));

function axisOf(path, dim, names, rows) {
  const values = rows.map((r) => r.parameters[path]);
  const name = names.get(path);
  if (!isNumeric(values)) return { dim, name, type: "category", data: [...new Set(values.map(valueText))].sort() };
  return isLog(values) ? { dim, name, type: "log", axisLabel: { formatter: (v) => valueText(Number(v.toPrecision(2))) } } : { dim, name, type: "value", scale: true };
}
