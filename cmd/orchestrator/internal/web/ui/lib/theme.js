// The theme that theme.js has set, for charts and for the switch.
import { useEffect, useState } from "./html.js";

export const theme = () => document.documentElement.dataset.theme || "light";

// useTheme is "light" or "dark", and renders again when it changes.
export function useTheme() {
  const [now, set] = useState(theme());
  useEffect(() => {
    const update = () => set(theme());
    document.addEventListener("themechange", update);
    update();
    return () => document.removeEventListener("themechange", update);
  }, []);
  return now;
}

export function toggleTheme() {
  document.dispatchEvent(new CustomEvent("themechoice", { detail: theme() === "dark" ? "light" : "dark" }));
}

// color reads a colour of css/tokens.css: a canvas knows no variables.
export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

const SERIES = 7;
const DASHES = ["solid", "dashed", "dotted"];

// seriesStyle is the look of the i-th line: seven colours, then dashed, then dotted.
export function seriesStyle(i) {
  return { variable: `--series-${(i % SERIES) + 1}`, color: color(`series-${(i % SERIES) + 1}`), dash: DASHES[Math.floor(i / SERIES) % DASHES.length] };
}

// A scale from bad to good that is read in the same order by colour-blind people
// and on paper: viridis (Smith and van der Walt, 2015), without its brightest end in
// the light theme and its darkest in the dark one.
const VIRIDIS = ["#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725"];
export const sequence = () => (theme() === "dark" ? VIRIDIS.slice(1) : VIRIDIS.slice(0, 5));
