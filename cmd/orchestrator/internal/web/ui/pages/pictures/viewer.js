// One picture, large, with all that the network said of it.
import { html } from "../../lib/html.js";
import { clean, percent } from "../../lib/format.js";
import { jobPath } from "../../lib/router.js";
import { Name } from "../../parts/basics.js";
import { Dialog } from "../../parts/dialogs.js";
import { Icon } from "../../parts/icons.js";

const MOST = 8; // classes whose probability is shown

export function Viewer({ sweep, item, at, total, step, close }) {
  const keys = (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by) { event.preventDefault(); step(by); }
  };
  const classes = !item.probabilities ? [{ name: item.predicted, p: item.confidence }] : (sweep.classes ?? []).map((name, i) => ({ name, p: item.probabilities[i] ?? 0 })).sort((a, b) => b.p - a.p);
  const shown = classes.slice(0, MOST);
  if (!shown.some((c) => c.name === item.label)) shown.push(...classes.filter((c) => c.name === item.label));
  return html`<${Dialog} label=${`Picture ${at + 1} of ${total}`} onClose=${close} class="viewer" onKeyDown=${keys}><div class="layout">
    <div class="large"><img key=${item.picture} src=${`${item.picture}?size=512`} alt=${`${clean(item.file)}, labelled ${clean(item.label)}`} /></div>
    <div class="side">
      <div><h2><${Name} text=${item.file} /></h2><p class="muted small number">${at + 1} of ${total} · fold ${clean(item.fold)} · <a href=${jobPath(sweep.sweep, item.job)}>its job</a></p></div>
      <p class="state ${item.right ? "completed" : "failed"}"><${Icon} name=${item.right ? "completed" : "failed"} />${item.right ? "right" : "wrong"}</p>
      <dl class="pairs"><dt>label</dt><dd><${Name} text=${item.label} /></dd><dt>predicted</dt><dd><${Name} text=${item.predicted} /></dd><dt>confidence</dt><dd>${percent(item.confidence)}</dd></dl>
      <div class="bars" role="list" aria-label="Probabilities">${shown.map((c) => html`<div key=${c.name} role="listitem" style="display: contents"><span class="name"><${Name} text=${c.name} />${c.name === item.label ? html` <span class="muted">(label)</span>` : ""}</span><span class="track"><i class="fill" style=${`width: ${c.p * 100}%`}></i></span><span class="number">${percent(c.p)}</span></div>`)}</div>
      <div class="actions"><button type="button" class="button" disabled=${at === 0} onClick=${() => step(-1)}><${Icon} name="left" />Before</button><button type="button" class="button" autofocus disabled=${at >= total - 1} onClick=${() => step(1)}>Next<${Icon} name="right" /></button><button type="button" class="button" onClick=${close}>Close</button></div>
    </div></div><//>`;
}
