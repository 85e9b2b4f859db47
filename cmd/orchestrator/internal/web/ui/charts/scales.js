// What scale a parameter's values call for.

export const isNumeric = (values) => values.length > 0 && values.every((v) => typeof v === "number" && Number.isFinite(v));

// isLog tells whether positive values span more than a decade and a half.
export function isLog(values) {
  if (!isNumeric(values)) return false;
  let low = Infinity, high = -Infinity;
  for (const v of values) { low = Math.min(low, v); high = Math.max(high, v); }
  return low > 0 && high / low > 30;
}

// cells puts values into few groups: the values themselves where they are few or
// are words, else equal bins, of the logarithm where that is the scale.
export function cells(values, text, most = 10) {
  const distinct = [...new Set(values)];
  if (!isNumeric(values) || distinct.length <= most) {
    const sorted = isNumeric(values) ? distinct.sort((a, b) => a - b) : distinct.map(text).sort();
    return { labels: isNumeric(values) ? sorted.map(text) : sorted, of: (v) => sorted.indexOf(isNumeric(values) ? v : text(v)) };
  }
  const to = isLog(values) ? Math.log : (v) => v;
  const back = isLog(values) ? Math.exp : (v) => v;
  const low = to(Math.min(...values)), high = to(Math.max(...values)), bins = 8;
  const short = (v) => text(Number(back(v).toPrecision(2)));
  const labels = Array.from({ length: bins }, (_, i) => `${short(low + ((high - low) * i) / bins)} – ${short(low + ((high - low) * (i + 1)) / bins)}`);
  return { labels, of: (v) => Math.min(Math.floor(((to(v) - low) / (high - low)) * bins), bins - 1) };
}
