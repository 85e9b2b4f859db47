// ROC, precision and recall, and calibration, of pooled or of one fold's answers.
import { html } from "../lib/html.js";
import { clean, percent, scoreText } from "../lib/format.js";
import { color, seriesStyle } from "../lib/theme.js";
import { Chart, axis, grid, tip, tooltip } from "./chart.js";

const unit = (name, more) => axis(name, { type: "value", min: 0, max: 1, interval: 0.25, axisLabel: { formatter: (v) => String(v) }, ...more });

// Rates draws curves: [{class, area, x, y}], each against the class's rest.
export function Rates({ kind, curves, height = 290 }) {
  const roc = kind === "roc";
  const [x, y] = roc ? ["false positive rate", "true positive rate"] : ["recall", "precision"];
  const label = `${roc ? "ROC" : "Precision and recall"} curves of ${curves.length} classes. Areas: ${curves.map((c) => `${clean(c.class)} ${scoreText(c.area)}`).join(", ")}.`;
  const option = () => ({
    grid: grid(),
    xAxis: unit(x), yAxis: unit(y, {}),
    tooltip: tooltip((p) => tip(clean(p.seriesName), [[x, scoreText(p.value[0], 3)], [y, scoreText(p.value[1], 3)]]), { trigger: "item" }),
    series: [
      ...(roc ? [{ type: "line", data: [[0, 0], [1, 1]], showSymbol: false, silent: true, lineStyle: { color: color("line-strong"), type: "dashed", width: 1 } }] : []),
      ...curves.map((c) => {
        const style = seriesStyle(c.style);
        return { name: c.class, type: "line", step: roc ? "end" : false, data: c.x.map((v, i) => [v, c.y[i]]), showSymbol: true, symbolSize: 7, itemStyle: { color: style.color, opacity: 0 }, lineStyle: { color: style.color, type: style.dash, width: 2, opacity: 1 }, emphasis: { itemStyle: { opacity: 1 } } };
      }),
    ],
  });
  return html`<${Chart} name=${kind} height=${height} deps=${[JSON.stringify(curves.map((c) => [c.class, c.area, c.x.length]))]} label=${label} option=${option} />`;
}

// Calibration draws how often answers of a confidence are right.
export function Calibration({ calibration, height = 290 }) {
  const bins = calibration.bins.filter((bin) => bin.count > 0);
  const largest = Math.max(1, ...bins.map((bin) => bin.count));
  const option = () => ({
    grid: grid(),
    xAxis: unit("confidence"), yAxis: unit("share that is right", {}),
    tooltip: tooltip((p) => {
      const bin = bins[p.dataIndex];
      return tip(`confidence ${scoreText(bin.low, 2)} to ${scoreText(bin.high, 2)}`, [["pictures", String(bin.count)], ["mean confidence", percent(bin.confidence)], ["right", percent(bin.accuracy)]]);
    }, { trigger: "item" }),
    series: [
      { type: "line", data: [[0, 0], [1, 1]], showSymbol: false, silent: true, lineStyle: { color: color("line-strong"), type: "dashed", width: 1 } },
      { type: "line", data: bins.map((bin) => [bin.confidence, bin.accuracy]), symbol: "circle", symbolSize: (_, p) => 7 + 17 * Math.sqrt(bins[p.dataIndex].count / largest), itemStyle: { color: color("series-1"), opacity: 0.8, borderColor: color("surface") }, lineStyle: { color: color("series-1"), width: 1.5 } },
    ],
  });
  const label = `Calibration: expected error ${scoreText(calibration.error)}. ${bins.map((bin) => `confidence ${scoreText(bin.confidence, 2)}: right ${percent(bin.accuracy)} of ${bin.count}`).join("; ")}.`;
  return html`<${Chart} name="calibration" height=${height} deps=${[JSON.stringify(bins)]} label=${label} option=${option} />`;
}
