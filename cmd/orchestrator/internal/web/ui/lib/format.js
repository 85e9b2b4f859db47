// Numbers and words as the command line prints them.

const NONE = "–";

// scoreText rounds a score for reading; null is what is not a number.
export function scoreText(x, decimals = 4) {
  if (x === null || x === undefined || Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Math.abs(x) >= 1000) return exponent(Number(x.toPrecision(decimals + 1)), decimals + 1);
  return x.toFixed(decimals);
}

// statText is "mean ± std", or the mean alone where there is no deviation.
export function statText(stat, decimals = 4) {
  if (!stat) return NONE;
  if (stat.std === null || stat.std === undefined) return scoreText(stat.mean, decimals);
  return `${scoreText(stat.mean, decimals)} ± ${scoreText(stat.std, decimals)}`;
}

// numberText is the shortest text that reads back as x.
export function numberText(x) {
  if (x === null || x === undefined || Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Number.isInteger(x) && Math.abs(x) < 1e15) return String(x);
  return exponent(x);
}

// exponent writes an exponent, of two digits, where it is below -4 or has reached
// most.
function exponent(x, most = 6) {
  const [mantissa, power] = x.toExponential().split("e");
  const n = Number(power);
  if (n >= -4 && n < most) return String(x);
  return `${mantissa}e${n < 0 ? "-" : "+"}${String(Math.abs(n)).padStart(2, "0")}`;
}

// valueText writes a parameter's value on one line.
export function valueText(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return clean(value);
  if (typeof value === "number") return numberText(value);
  if (typeof value === "boolean") return String(value);
  return clean(JSON.stringify(value));
}

// clean makes text one harmless line: characters that control, or turn the
// direction of what follows, become spaces.
export function clean(text) {
  return String(text ?? "").replace(/[\p{Cc}\p{Cf}]/gu, " ");
}

// cleanLines is clean, line by line.
export function cleanLines(text) {
  return String(text ?? "").split("\n").map((line) => clean(line.replaceAll("\t", "    "))).join("\n");
}

// shortNames gives every dotted path its shortest ending that no other has.
export function shortNames(paths) {
  const names = new Map();
  for (const path of paths) {
    const parts = path.split(".");
    for (let n = 1; n <= parts.length; n++) {
      const name = parts.slice(-n).join(".");
      names.set(path, name);
      if (!paths.some((other) => other !== path && (other === name || other.endsWith(`.${name}`)))) break;
    }
  }
  return names;
}

// duration is seconds in the two largest units that they fill.
export function duration(seconds) {
  if (!(seconds > 0)) return seconds === 0 ? "0 s" : NONE;
  if (seconds < 59.95) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let rest = Math.round(seconds);
  const first = units.findIndex(([, size]) => rest >= size);
  return units.slice(first, first + 2).map(([name, size]) => {
    const n = Math.floor(rest / size);
    rest -= n * size;
    return n > 0 || name === units[first][0] ? `${n} ${name}` : "";
  }).filter(Boolean).join(" ");
}

// ago says how long a moment is past, coarsely.
export function ago(time, now = Date.now()) {
  if (!time) return NONE;
  const seconds = (now - Date.parse(time)) / 1000;
  if (Number.isNaN(seconds)) return NONE;
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} d ago`;
}

// moment is a time as the reader's clock shows it.
export function moment(time) {
  const at = new Date(time);
  return time && !Number.isNaN(at.getTime()) ? at.toLocaleString() : NONE;
}

// count is a number with its noun: "1 trial", "3 trials".
export function count(n, noun) {
  return `${grouped(n)} ${noun}${n === 1 ? "" : noun.endsWith("s") ? "es" : "s"}`;
}

// grouped separates thousands.
export function grouped(n) {
  return String(n ?? 0).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

// percent is a share of one, with one decimal.
export function percent(x) {
  return x === null || x === undefined ? NONE : `${(x * 100).toFixed(1)} %`;
}

// pText is a p value as papers write it.
export function pText(p) {
  if (p === null || p === undefined) return NONE;
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

export { NONE };
