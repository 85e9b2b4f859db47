// Histories of folds as curves.

// curveOf is one value of a history by epoch, without the epochs that lack it.
export function curveOf(history, metric) {
  const points = (history ?? []).filter((line) => typeof line[metric] === "number");
  return { epoch: points.map((line) => line.epoch), value: points.map((line) => line[metric]) };
}

// meanOf is the mean of folds' curves and their range, as far as all folds have
// come that have begun: as the API has it.
export function meanOf(folds) {
  const begun = folds.filter((fold) => fold.epoch.length > 0);
  const at = new Map();
  for (const fold of begun) fold.epoch.forEach((epoch, i) => at.set(epoch, [...(at.get(epoch) ?? []), fold.value[i]]));
  const mean = { epoch: [], value: [], low: [], high: [] };
  for (const epoch of [...at.keys()].sort((a, b) => a - b)) {
    const values = at.get(epoch);
    if (values.length < begun.length) continue;
    mean.epoch.push(epoch);
    mean.value.push(values.reduce((a, b) => a + b, 0) / values.length);
    mean.low.push(Math.min(...values));
    mean.high.push(Math.max(...values));
  }
  return mean;
}

// namesIn lists the values that histories have: test metrics first.
export function namesIn(histories) {
  const names = new Set(histories.flat().flatMap((line) => Object.keys(line)));
  for (const name of ["epoch", "seconds", "train_loss"]) names.delete(name);
  return [...[...names].sort(), "train_loss"];
}
