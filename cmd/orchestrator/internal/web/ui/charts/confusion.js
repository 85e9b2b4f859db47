// The confusion matrix, as a table: each row is what the pictures are.
import { html } from "../lib/html.js";
import { clean, count, grouped } from "../lib/format.js";
import { Scroll } from "../parts/basics.js";

const MOST = 30; // classes that a matrix shows

// cells are [class, predicted, count]: what there is of very many classes.
export function Confusion({ classes, confusion, cells }) {
  if (classes.length > MOST) return html`<${Confused} classes=${classes} cells=${cells ?? confusion.flatMap((row, i) => row.flatMap((n, k) => (n > 0 ? [[i, k, n]] : [])))} most="20" />`;
  return html`<${Scroll} label="Confusion matrix"><table class="confusion ${classes.length > 10 ? "many" : ""}">
    <caption class="hidden">Confusion matrix: rows are labels, columns are predictions</caption>
    <thead><tr><th scope="col" class="muted">is ↓ · predicted →</th>${classes.map((name) => html`<th scope="col" title=${clean(name)}><bdi>${clean(name)}</bdi></th>`)}</tr></thead>
    <tbody>${classes.map((name, i) => {
      const total = confusion[i].reduce((a, b) => a + b, 0);
      return html`<tr><th scope="row" title=${clean(name)}><bdi>${clean(name)}</bdi></th>${confusion[i].map((n, k) => cell(n, total, i === k, classes[i], classes[k]))}</tr>`;
    })}</tbody></table><//>`;
}

// The share of the row is the cell's colour, never so strong that text is hard to
// read on it.
function cell(n, total, right, label, predicted) {
  const share = total > 0 ? n / total : 0;
  const style = n > 0 ? `background: color-mix(in srgb, var(--heat-1) ${Math.round(6 + share * 44)}%, var(--heat-0))` : null;
  return html`<td class="${right ? "right" : ""} ${n === 0 ? "zero" : ""}" style=${style} title=${`${clean(label)} predicted as ${clean(predicted)}: ${n} of ${total}`}>${grouped(n)}</td>`;
}

// Confused lists the most frequent mistakes: a matrix of very many classes is
// read by nobody.
function Confused({ classes, cells, most }) {
  const pairs = cells.filter(([i, k]) => i !== k).sort((a, b) => b[2] - a[2]);
  return html`<p class="note">${count(classes.length, "class")}: the most frequent mistakes.</p>
    <table class="dense"><thead><tr><th scope="col">is</th><th scope="col">predicted</th><th scope="col" class="n">pictures</th></tr></thead>
    <tbody>${pairs.slice(0, most).map(([i, k, n]) => html`<tr><td><bdi>${clean(classes[i])}</bdi></td><td><bdi>${clean(classes[k])}</bdi></td><td class="n">${grouped(n)}</td></tr>`)}</tbody></table>`;
}
