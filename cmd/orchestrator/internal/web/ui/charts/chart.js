// One ECharts canvas, fitted to its box and to the theme.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { color, useTheme } from "../lib/theme.js";

let loading = null;
const echarts = () => (loading ??= import("../vendor/echarts.mjs"));

// Chart draws option(), which is a function so that it reads colours of the theme
// that is on. label is what the picture says, for those who do not see it.
export function Chart({ option, label, height = 300, deps = [], onClick, name }) {
  const box = useRef(null);
  const chart = useRef(null);
  const click = useRef(onClick);
  click.current = onClick;
  const [ready, setReady] = useState(false);
  const theme = useTheme();

  useEffect(() => {
    let gone = false, observer = null;
    echarts().then((lib) => {
      if (gone) return;
      chart.current = lib.init(box.current, null, { renderer: "canvas" });
      chart.current.on("click", (event) => click.current?.(event));
      observer = new ResizeObserver(() => chart.current?.resize());
      observer.observe(box.current);
      setReady(true);
    });
    return () => { gone = true; observer?.disconnect(); chart.current?.dispose(); chart.current = null; };
  }, []);
  useEffect(() => {
    if (!ready || !chart.current) return;
    chart.current.setOption({ ...common(), ...option() }, { notMerge: true });
    box.current.dataset.drawn = theme;
  }, [ready, theme, ...deps]);

  return html`<div class="chart" style=${`height: ${height}px`} data-chart=${name} data-ready=${ready ? "true" : "false"}>
    <div class="canvas" ref=${box} role="img" aria-label=${label}></div>${!ready && html`<div class="skeleton"></div>`}</div>`;
}

function common() {
  return {
    animation: false,
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: color("text") },
    aria: { enabled: false }, // the label is ours
  };
}

// grid is the room of the axes: what is around them, names too, has to fit in the box.
export const grid = (more = {}) => ({ left: 4, right: 16, top: 14, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "all", ...more });

// axis is the look of every axis; more is added to it.
export function axis(name, more = {}) {
  const { axisLabel, ...rest } = more;
  return {
    name, nameLocation: "middle", nameGap: 12, nameTextStyle: { color: color("muted"), fontSize: 12 },
    axisLine: { lineStyle: { color: color("line-strong") } }, axisTick: { lineStyle: { color: color("line-strong") } },
    axisLabel: { color: color("muted"), fontSize: 11.5, hideOverlap: true, ...axisLabel },
    splitLine: { lineStyle: { color: color("grid") } }, ...rest,
  };
}

// tooltip is a box of elements: text from users is never parsed as HTML.
export function tooltip(build, more = {}) {
  return {
    backgroundColor: color("raised"), borderColor: color("line"), borderWidth: 1, padding: [8, 10], confine: true, transitionDuration: 0,
    textStyle: { color: color("text"), fontSize: 12.5 }, extraCssText: "", formatter: (p) => build(p), ...more,
  };
}

// tip is a tooltip's content: a title and rows of cells.
export function tip(title, rows) {
  const box = document.createElement("div");
  box.className = "tip";
  const head = document.createElement("b");
  head.textContent = title;
  const table = document.createElement("table");
  for (const row of rows) {
    const tr = table.insertRow();
    for (const cell of row) {
      const td = tr.insertCell();
      if (cell?.swatch) {
        const line = document.createElement("i");
        line.className = `swatch ${cell.dash ?? ""}`;
        line.style.borderTopColor = cell.swatch;
        td.append(line);
      } else td.textContent = cell;
    }
  }
  box.append(head, table);
  return box;
}

// Data is the table behind a chart: the same for those who do not see it.
export function Data({ head, rows, label = "Show as a table" }) {
  const [open, set] = useState(false);
  return html`<details class="data" onToggle=${(e) => set(e.target.open)}><summary>${label}</summary>
    ${open && html`<div class="scroll" tabindex="0" role="region" aria-label="Data of the chart"><table class="dense"><thead><tr>${head.map((text) => html`<th scope="col">${text}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr>${row.map((cell, i) => (i === 0 ? html`<th scope="row">${cell}</th>` : html`<td class="number">${cell}</td>`))}</tr>`)}</tbody></table></div>`}</details>`;
}
