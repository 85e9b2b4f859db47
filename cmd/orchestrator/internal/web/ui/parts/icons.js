// The few icons, drawn as strokes on a 16 × 16 grid.
import { html } from "../lib/html.js";

const SHAPES = {
  pending: html`<circle cx="8" cy="8" r="5.5" stroke-dasharray="2.4 2.2" />`,
  running: html`<circle cx="8" cy="8" r="5.5" /><path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" stroke="none" />`,
  completed: html`<circle cx="8" cy="8" r="5.5" /><path d="m5.4 8.2 1.9 1.9 3.4-4" />`,
  failed: html`<path d="M8 2.2 14.2 13H1.8z" /><path d="M8 6.6v2.9M8 11.2v.3" />`,
  canceled: html`<circle cx="8" cy="8" r="5.5" /><path d="m4.3 11.7 7.4-7.4" />`,
  paused: html`<path d="M5.5 3.5v9M10.5 3.5v9" stroke-width="2.4" />`,
  pruned: html`<path d="M2.5 4h11M5 8h6M7 12h2" stroke-width="1.8" />`,
  resume: html`<path d="M5 3.2v9.6L12.6 8z" fill="currentColor" />`,
  stop: html`<rect x="4" y="4" width="8" height="8" rx="1" fill="currentColor" />`,
  retry: html`<path d="M12.8 6.2A5.2 5.2 0 1 0 13.2 9M13 2.8v3.6H9.4" />`,
  sliders: html`<path d="M2 5h6.5M12 5h2M2 11h2M7.5 11H14" /><circle cx="10.2" cy="5" r="1.7" /><circle cx="5.8" cy="11" r="1.7" />`,
  sun: html`<circle cx="8" cy="8" r="3" /><path d="M8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M3.4 12.6l.9-.9M11.7 4.3l.9-.9" />`,
  moon: html`<path d="M13 9.6A5.6 5.6 0 0 1 6.4 3a5.6 5.6 0 1 0 6.6 6.6z" />`,
  left: html`<path d="M10 3 5 8l5 5" />`,
  right: html`<path d="m6 3 5 5-5 5" />`,
  close: html`<path d="m4 4 8 8M12 4l-8 8" />`,
  copy: html`<rect x="5.5" y="5.5" width="8" height="8" rx="1.5" /><path d="M10.5 3.2A1.5 1.5 0 0 0 9 2.5H4A1.5 1.5 0 0 0 2.5 4v5c0 .6.3 1.1.8 1.4" />`,
  warn: html`<path d="M8 2.2 14.2 13H1.8z" /><path d="M8 6.6v2.9M8 11.2v.3" />`,
  pictures: html`<rect x="2" y="3" width="12" height="10" rx="1.5" /><path d="m3 11.5 3.2-3.6 2.6 2.8 1.7-1.7 2.5 2.5" /><circle cx="10.5" cy="6" r="1" />`,
  logout: html`<path d="M6.5 2.5h-3v11h3M9.5 5 12.5 8l-3 3M12.5 8h-7" />`,
};

// Icon is decoration: what it means stands beside it, or in its button's label.
export function Icon({ name, size = 14 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">${SHAPES[name]}</svg>`;
}

export function Mark() {
  return html`<svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" fill="#0072b2" /><g fill="#fff"><circle cx="9" cy="22" r="2.6" /><circle cx="16" cy="15" r="2.6" /><circle cx="23" cy="9" r="2.6" /></g><path d="M9 22 16 15l7-6" fill="none" stroke="#fff" stroke-width="1.6" opacity=".7" /></svg>`;
}
