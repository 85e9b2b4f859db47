// Histories of folds as curves.

// curveOf is one value of a history by epoch, without the epochs that lack it.
export function curveOf(history, metric) {
  const points = (history ?? []).filter((line) => typeof line[metric] === "number");
  return { epoch: points.map((line) => line.epoch), value: points.map((line) => line[metric]) };
}

// meanOf is the mean of folds' curves and one sample deviation around it, at the
// epochs that all folds have which got as far.
export function meanOf(folds) {
  const at = new Map();
  for (const fold of folds) fold.epoch.forEach((epoch, i) => at.set(epoch, [...(at.get(epoch) ?? []), fold.value[i]]));
  const mean = { epoch: [], value: [], low: [], high: [] };
  for (const epoch of [...at.keys()].sort((a, b) => a - b)) {
    const values = at.get(epoch);
    const m = values.reduce((a, b) => a + b, 0) / values.length;
    const std = values.length > 1 ? Math.sqrt(values.reduce((sum, v) => sum + (v - m) ** 2, 0) / (values.length - 1)) : null;
    mean.epoch.push(epoch);
    mean.value.push(m);
    mean.low.push(std === null ? null : m - std);
    mean.high.push(std === null ? null : m + std);
  }
  return mean;
}

// namesIn lists the values that histories have: test metrics first.
export function namesIn(histories) {
  const names = new Set(histories.flat().flatMap((line) => Object.keys(line)));
  for (const name of ["epoch", "seconds", "train_loss"]) names.delete(name);
  return [...[...names].sort(), "train_loss"];
}
