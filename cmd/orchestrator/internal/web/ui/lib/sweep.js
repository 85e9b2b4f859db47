// One sweep as the pages keep it: fetched once, then patched by the stream.
import { useEffect, useRef, useState } from "./html.js";
import { api, request } from "./api.js";
import { useStream } from "./live.js";

// applyPatch is the sweep with an event's changes in it, and whether the event
// speaks of trials that are not known yet.
export function applyPatch(sweep, patch) {
  const next = { ...sweep };
  for (const name of ["state", "eta_seconds", "best", "counts", "seconds", "warnings", "baseline"]) {
    if (name in patch) next[name] = patch[name];
  }
  const changed = new Map((patch.trials ?? []).map((trial) => [trial.trial, trial]));
  if (changed.size === 0) return { sweep: next, unknown: false };
  next.trials = sweep.trials.map((trial) => {
    const news = changed.get(trial.trial);
    changed.delete(trial.trial);
    return news ? mergeTrial(trial, news) : trial;
  });
  return { sweep: next, unknown: changed.size > 0 };
}

function mergeTrial(trial, news) {
  const folds = new Map(trial.folds.map((fold) => [fold.fold, fold]));
  for (const fold of news.folds ?? []) folds.set(fold.fold, { ...fold, history: fold.history ?? [] });
  return { ...trial, ...news, folds: [...folds.values()].sort((a, b) => a.fold - b.fold) };
}

// useSweep is a sweep that stays up to date: {sweep, error, gone, reload}. onChange
// gets the numbers of the trials that changed; null: any may have. The server tells
// the changes of the last minute to whoever begins to listen, so that none is lost
// between the fetch and the stream.
export function useSweep(id, onChange) {
  const [state, set] = useState({ sweep: null, error: null, gone: false });
  const current = useRef(null);
  const waiting = useRef([]); // events that came while the sweep was fetched
  const busy = useRef(null);

  const put = (sweep) => { current.current = sweep; set({ sweep, error: null, gone: false }); };
  const load = async () => {
    busy.current?.abort();
    const control = new AbortController();
    busy.current = control;
    waiting.current = [];
    try {
      let sweep = await request(api("sweeps", id), { signal: control.signal });
      for (const patch of waiting.current) sweep = applyPatch(sweep, patch).sweep;
      put(sweep);
    } catch (error) {
      if (error.name === "AbortError") return;
      set((old) => ({ ...old, error }));
    } finally {
      if (busy.current === control) busy.current = null;
    }
  };

  useEffect(() => {
    current.current = null;
    set({ sweep: null, error: null, gone: false });
    load();
    return () => { busy.current?.abort(); busy.current = null; };
  }, [id]);

  useStream(state.sweep ? api("events", { sweep: id }) : null, ["sweep", "gone"], {
    open: (again) => { if (again) { load(); onChange?.(null); } },
    gone: () => set((old) => ({ ...old, gone: true })),
    sweep: (patch) => {
      if (busy.current) waiting.current.push(patch);
      if (!current.current) return;
      const { sweep, unknown } = applyPatch(current.current, patch);
      put(sweep);
      if (unknown && !busy.current) load();
      const trials = (patch.trials ?? []).map((trial) => trial.trial);
      if (trials.length > 0) onChange?.(trials);
    },
  });
  return { ...state, reload: load };
}

// useThrottled calls f at most once in every `pause` ms, and once at the end.
export function useThrottled(f, pause) {
  const state = useRef({ timer: 0, last: 0, f });
  state.current.f = f;
  useEffect(() => () => clearTimeout(state.current.timer), []);
  return () => {
    const s = state.current;
    if (s.timer) return;
    s.timer = setTimeout(() => { s.timer = 0; s.last = Date.now(); s.f(); }, Math.max(0, s.last + pause - Date.now()));
  };
}

// metricNames lists the metrics, the one that ranks the trials first.
export function metricNames(sweep) {
  const rest = (sweep.metrics ?? []).filter((name) => name !== sweep.metric.name);
  return [sweep.metric.name, ...rest];
}

// isBetter orders two values of the sweep's metric.
export const isBetter = (goal, a, b) => (goal === "minimize" ? a < b : a > b);

// bestTrial is the trial that the sweep calls its best; null until there is one.
export function bestTrial(sweep) {
  return sweep.best ? sweep.trials.find((trial) => trial.trial === sweep.best.trial) ?? null : null;
}

// foldScores are the values of a metric on the folds that have one.
export function foldScores(trial, metric) {
  return trial.folds.filter((fold) => typeof fold.metrics?.[metric] === "number").map((fold) => ({ name: fold.name, value: fold.metrics[metric], state: fold.state }));
}

// ranked are the trials with a mean of the metric, best first.
export function ranked(sweep, metric = sweep.metric.name, goal = goalOf(sweep, metric)) {
  const mean = (trial) => trial.summary[metric]?.mean;
  return sweep.trials.filter((trial) => typeof mean(trial) === "number")
    .sort((a, b) => (goal === "minimize" ? mean(a) - mean(b) : mean(b) - mean(a)) || a.trial - b.trial);
}

// goalOf is which way a metric is better.
export function goalOf(sweep, metric) {
  if (metric === sweep.metric.name) return sweep.metric.goal;
  return metric.endsWith("loss") ? "minimize" : "maximize";
}
