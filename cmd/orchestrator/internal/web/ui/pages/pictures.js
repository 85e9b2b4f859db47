// Out-of-fold answers as pictures: which are wrong, and how sure the network was.
import { html, useEffect, useRef, useState } from "../lib/html.js";
import { api, request, useData } from "../lib/api.js";
import { clean, count, grouped, percent, statText } from "../lib/format.js";
import { setQuery, sweepPath, trialPath, useLocation } from "../lib/router.js";
import { Choice, Crumbs, Empty, Failed, Loaded, Name, Segments, Skeleton, useTitle } from "../parts/basics.js";
import { Icon } from "../parts/icons.js";
import { Viewer } from "./pictures/viewer.js";

const LIMIT = 60;
const SORTS = [["error", "Most wrong"], ["confidence", "Most confident"], ["unsure", "Least sure"]];
const RIGHT = [["", "All"], ["false", "Wrong"], ["true", "Right"]];

export default function Pictures({ parts: [id] }) {
  useTitle(`pictures of ${id}`);
  const from = useData(api("sweeps", id));
  return html`<${Loaded} from=${from}>${(sweep) => html`<${Gallery} sweep=${sweep} />`}<//>`;
}

function Gallery({ sweep }) {
  const { query } = useLocation();
  const withAnswers = sweep.trials.filter((trial) => trial.folds.some((fold) => fold.state === "completed"));
  const trial = query.get("trial") ?? String(sweep.best?.trial ?? withAnswers[0]?.trial ?? 0);
  const sort = SORTS.some(([s]) => s === query.get("sort")) ? query.get("sort") : "error";
  const filter = { trial, sort, order: "desc", label: query.get("label"), predicted: query.get("predicted"), right: query.get("right"), fold: query.get("fold") };
  const head = html`<div class="page-head"><div class="title"><${Crumbs} path=${[["/", "Sweeps"], [sweepPath(sweep.sweep), sweep.name || sweep.sweep], [trialPath(sweep.sweep, trial), `trial ${trial}`]]} /><h1>Pictures</h1>
    <p class="small muted">Every picture once, as the network of the fold that had not seen it answered.</p></div></div>`;
  if (withAnswers.length === 0) return html`${head}<section class="card"><${Empty} title="No fold is complete yet"><p>Pictures are answered when a job ends. <a href=${sweepPath(sweep.sweep)}>See how far it is</a></p><//></section>`;
  return html`${head}<${Filters} sweep=${sweep} trials=${withAnswers} filter=${filter} /><${Shots} sweep=${sweep} filter=${filter} query=${query} />`;
}

function Filters({ sweep, trials, filter }) {
  const classes = [["", "any"], ...(sweep.classes ?? []).map((name) => [name, clean(name)])];
  const set = (name) => (value) => setQuery({ [name]: value, view: null });
  const name = (t) => [String(t.trial), `${t.trial}${t.summary[sweep.metric.name] ? ` · ${statText(t.summary[sweep.metric.name])}` : ""}${t.trial === sweep.best?.trial ? " ★" : ""}`];
  return html`<div class="toolbar">
    <${Segments} label="Order" options=${SORTS} value=${filter.sort} onChange=${(v) => setQuery({ sort: v === "error" ? null : v, view: null })} />
    <${Segments} label="Answer" options=${RIGHT} value=${filter.right ?? ""} onChange=${set("right")} />
    <${Choice} label="Trial" options=${trials.map(name)} value=${filter.trial} onChange=${set("trial")} />
    <${Choice} label="Label" options=${classes} value=${filter.label ?? ""} onChange=${set("label")} />
    <${Choice} label="Predicted" options=${classes} value=${filter.predicted ?? ""} onChange=${set("predicted")} />
    <${Choice} label="Fold" options=${[["", "all"], ...sweep.folds.map((name, i) => [String(i), clean(name)])]} value=${filter.fold ?? ""} onChange=${set("fold")} /></div>`;
}

// useShots fetches page after page of what the filter leaves.
function useShots(sweep, filter) {
  const key = JSON.stringify(filter);
  const [state, set] = useState({ key: null, items: [], total: 0, error: null });
  const [busy, setBusy] = useState(false);
  const latest = useRef(key);
  latest.current = key;
  const load = (offset) => {
    setBusy(true);
    return request(api("sweeps", sweep, "pictures", { ...filter, offset, limit: LIMIT })).then(
      (page) => { if (latest.current === key) set((old) => ({ key, total: page.total, error: null, items: offset === 0 ? page.items : [...old.items, ...page.items] })); },
      (error) => { if (latest.current === key) set((old) => ({ ...old, key, error })); },
    ).finally(() => setBusy(false));
  };
  useEffect(() => { load(0); }, [key]);
  return { ...state, fresh: state.key === key, busy, more: () => load(state.items.length), reload: () => load(0) };
}

function Shots({ sweep, filter, query }) {
  const shots = useShots(sweep.sweep, filter);
  const grid = useRef(null);
  const view = query.has("view") ? Number(query.get("view")) : null;
  if (shots.error) return html`<${Failed} error=${shots.error} retry=${shots.reload} />`;
  if (!shots.fresh && shots.items.length === 0) return html`<section class="card"><${Skeleton} lines="8" /></section>`;
  if (shots.total === 0) return html`<section class="card"><${Empty} title="No picture is like that"><button class="button" type="button" onClick=${() => setQuery({ right: null, label: null, predicted: null, fold: null })}>Clear the filter</button><//></section>`;
  const open = (i) => setQuery({ view: i });
  const close = () => { setQuery({ view: null }); };
  const step = async (by) => {
    const to = view + by;
    if (to < 0 || to >= shots.total) return;
    if (to >= shots.items.length) await shots.more();
    open(to);
  };
  return html`<p class="small muted" role="status" style="margin-bottom: 10px">${count(shots.total, "picture")} · arrow keys move, Enter enlarges</p>
    <div class="gallery" ref=${grid} role="group" aria-label="Pictures" onKeyDown=${(event) => move(event, grid.current)}>${shots.items.map((item, i) => html`<${Shot} key=${`${item.picture} ${item.fold}`} item=${item} open=${() => open(i)} />`)}</div>
    ${shots.items.length < shots.total && html`<p style="text-align: center; margin-top: 16px"><button class="button" type="button" data-action="more" disabled=${shots.busy} onClick=${shots.more}>${shots.busy ? "One moment" : `More: ${grouped(shots.total - shots.items.length)} left`}</button></p>`}
    ${view !== null && shots.items[view] && html`<${Viewer} sweep=${sweep} item=${shots.items[view]} at=${view} total=${shots.total} step=${step} close=${close} />`}`;
}

// move takes the focus to the neighbour that an arrow key points at.
function move(event, grid) {
  const shots = [...grid.children];
  const at = shots.indexOf(document.activeElement);
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
  const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: shots.length - 1 - at }[event.key];
  if (at < 0 || by === undefined) return;
  event.preventDefault();
  shots[Math.min(Math.max(at + by, 0), shots.length - 1)].focus();
}

function Shot({ item, open }) {
  return html`<button type="button" class="shot ${item.right ? "" : "wrong"}" title=${clean(item.file)} onClick=${open}>
    <span class="frame"><img src=${`${item.picture}?size=256`} alt=${clean(item.file)} loading="lazy" decoding="async" /></span>
    <span class="under"><span class="line"><${Icon} name=${item.right ? "completed" : "failed"} size="12" /><span class="hidden">${item.right ? "right" : "wrong"}: </span><span><${Name} text=${item.predicted} /></span><span class="number">${percent(item.confidence)}</span></span>
      <span class="line muted"><span>${item.right ? "as labelled" : html`is <${Name} text=${item.label} />`}</span></span></span></button>`;
}
