import { html } from "../lib/html.js";
import { grouped } from "../lib/format.js";

const ORDER = ["completed", "pruned", "failed", "canceled", "running", "paused"];

// over is how many of the counted jobs are over, whatever their end.
export const over = (counts) => ["completed", "pruned", "failed", "canceled"].reduce((n, state) => n + (counts[state] ?? 0), 0);

// Progress is how a sweep's jobs stand, as one bar.
export function Progress({ counts, total }) {
  const parts = ORDER.filter((state) => counts[state] > 0);
  const text = `${over(counts)} of ${total} jobs over${parts.map((state) => `, ${counts[state]} ${state}`).join("")}`;
  return html`<div class="progress" role="img" aria-label=${text} title=${text}>${parts.map((state) => html`
    <i key=${state} class=${state} style=${`width: ${(counts[state] / Math.max(total, 1)) * 100}%`}></i>`)}</div>`;
}

// ProgressText is the same in words: the ends that are not as hoped are named.
export function ProgressText({ counts, total }) {
  const odd = ["failed", "pruned", "canceled", "running", "paused"].filter((state) => counts[state] > 0);
  return html`<span><span class="number">${grouped(over(counts))}</span> of ${grouped(total)} jobs${odd.map((state) => ` · ${grouped(counts[state])} ${state}`).join("")}</span>`;
}
