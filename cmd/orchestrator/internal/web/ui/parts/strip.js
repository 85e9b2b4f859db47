// The spread of a trial's folds: a dot for each, the mean, one deviation around it.
import { html } from "../lib/html.js";
import { scoreText, statText } from "../lib/format.js";

const WIDTH = 132, HEIGHT = 18, PAD = 5;

// extent is the range that a column of strips shares; null where nothing is known.
export function extent(lists) {
  let low = Infinity, high = -Infinity;
  for (const list of lists) for (const { value } of list) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return null;
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

// Strip is drawn on a range that all rows share, so that rows compare.
export function Strip({ scores, stat, range, baseline }) {
  if (!range || scores.length === 0) return html`<span class="muted">–</span>`;
  const x = (v) => PAD + ((v - range[0]) / (range[1] - range[0])) * (WIDTH - 2 * PAD);
  const bound = (v) => Math.min(Math.max(x(v), 0), WIDTH);
  const mid = HEIGHT / 2;
  const text = `folds: ${scores.map((s) => scoreText(s.value)).join(", ")}; ${statText(stat)}`;
  return html`<svg class="strip" width=${WIDTH} height=${HEIGHT} role="img" aria-label=${text}>
    <title>${scores.map((s) => `fold ${s.name}: ${scoreText(s.value)}`).join("\n")}</title>
    <line x1="0" x2=${WIDTH} y1=${mid} y2=${mid} />
    ${stat && typeof stat.std === "number" && html`<rect class="band" x=${bound(stat.mean - stat.std)} width=${Math.max(bound(stat.mean + stat.std) - bound(stat.mean - stat.std), 1)} y="3" height=${HEIGHT - 6} rx="2" />`}
    ${typeof baseline === "number" && baseline >= range[0] && baseline <= range[1] && html`<line class="baseline" x1=${x(baseline)} x2=${x(baseline)} y1="1" y2=${HEIGHT - 1} />`}
    ${scores.map((s) => html`<circle key=${s.name} cx=${x(s.value).toFixed(1)} cy=${mid} r="3" />`)}
    ${stat && typeof stat.mean === "number" && html`<line class="mean" x1=${bound(stat.mean)} x2=${bound(stat.mean)} y1="2" y2=${HEIGHT - 2} />`}
  </svg>`;
}
