// Two parameters against the metric: the mean of the trials in each cell.
import { html } from "../lib/html.js";
import { count, scoreText, valueText } from "../lib/format.js";
import { color, sequence } from "../lib/theme.js";
import { Chart, axis, grid, tip, tooltip } from "./chart.js";
import { cells } from "./scales.js";

// heatCells gathers rows: [{trial, parameters, value}] into cells of x and y.
export function heatCells(rows, x, y) {
  const across = cells(rows.map((r) => r.parameters[x]), valueText), up = cells(rows.map((r) => r.parameters[y]), valueText);
  const found = new Map();
  for (const row of rows) {
    const at = [across.of(row.parameters[x]), up.of(row.parameters[y])];
    const cell = found.get(at.join()) ?? { at, sum: 0, trials: [] };
    cell.sum += row.value;
    cell.trials.push(row.trial);
    found.set(at.join(), cell);
  }
  return { across: across.labels, up: up.labels, cells: [...found.values()].map((c) => ({ ...c, value: c.sum / c.trials.length })) };
}

export function Heat({ data, names, x, y, metric, goal, height = 340 }) {
  const key = JSON.stringify([x, y, metric, data.cells.map((c) => c.value)]);
  return html`<${Chart} name="heat" height=${height} deps=${[key]} option=${() => option(data, names, x, y, metric, goal)}
    label=${`Heat map of the mean ${metric} by ${names.get(x)} and ${names.get(y)}: ${data.cells.length} cells hold trials.`} />`;
}

// ink is what is read on a place of the scale, whose better end is the bright one.
const ink = (share, goal) => ((goal === "minimize" ? 1 - share : share) > 0.55 ? "#0d0f13" : "#ffffff");

function option(data, names, x, y, metric, goal) {
  const values = data.cells.map((c) => c.value);
  const scale = goal === "minimize" ? [...sequence()].reverse() : sequence();
  const low = Math.min(...values), high = Math.max(...values);
  const many = data.across.length * data.up.length > 60;
  return {
    grid: grid({ right: 78 }),
    xAxis: axis(names.get(x), { type: "category", data: data.across, axisLabel: { width: 110, overflow: "truncate" }, splitArea: { show: false } }),
    yAxis: axis(names.get(y), { type: "category", data: data.up, axisLabel: { width: 90, overflow: "truncate" } }),
    visualMap: { min: low, max: high > low ? high : low + 1e-9, calculable: false, orient: "vertical", right: 0, top: "middle", itemHeight: 150, itemWidth: 12, precision: 4, text: [scoreText(high), scoreText(low)], textStyle: { color: color("muted"), fontSize: 11 }, inRange: { color: scale } },
    tooltip: tooltip((p) => {
      const cell = data.cells[p.dataIndex];
      return tip(`${data.across[cell.at[0]]} · ${data.up[cell.at[1]]}`, [[`mean ${metric}`, scoreText(cell.value)], [count(cell.trials.length, "trial"), cell.trials.slice(0, 8).join(", ") + (cell.trials.length > 8 ? ", …" : "")]]);
    }, { trigger: "item" }),
    series: [{
      type: "heatmap", data: data.cells.map((c) => ({ value: [...c.at, c.value], label: { color: ink((c.value - low) / (high - low || 1), goal) } })), itemStyle: { borderColor: color("surface"), borderWidth: 2, borderRadius: 3 },
      label: { show: !many, formatter: (p) => scoreText(p.value[2], 3), fontSize: 11 }, emphasis: { itemStyle: { borderColor: color("text") } },
    }],
  };
}
