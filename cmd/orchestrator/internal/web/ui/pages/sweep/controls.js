// The buttons that change a sweep, each with a question first.
import { html, useState } from "../../lib/html.js";
import { api, request, useData } from "../../lib/api.js";
import { clean, count } from "../../lib/format.js";
import { Loaded } from "../../parts/basics.js";
import { Icon } from "../../parts/icons.js";
import { Confirm, toast } from "../../parts/dialogs.js";

// What each button asks, and when it is there. has: jobs in any of these states.
const ACTIONS = [
  { id: "pause", icon: "paused", text: "Pause", when: (c) => c.running + c.pending > 0, done: "Pausing",
    ask: (c) => `${c.running > 0 ? `${count(c.running, "running job")} will write a checkpoint and stop; n` : "N"}othing is lost, and resume goes on from there.` },
  { id: "resume", icon: "resume", text: "Resume", primary: true, when: (c) => c.paused + c.canceled > 0, done: "Resumed",
    ask: (c) => `${count(c.paused + c.canceled, "job")} without an outcome will be queued again.` },
  { id: "retry", icon: "retry", text: "Retry failed", when: (c) => c.failed > 0, done: "Queued again",
    ask: (c) => `${count(c.failed, "failed job")} will be queued again, with all attempts ahead of ${c.failed === 1 ? "it" : "them"}. What has an outcome is not trained again.` },
  { id: "cancel", icon: "stop", text: "Cancel", danger: true, when: (c) => c.running + c.pending + c.paused > 0, done: "Cancelling",
    ask: () => "Running jobs stop. Outcomes and checkpoints stay, and resume takes the sweep up again." },
];

export function Controls({ sweep, reload }) {
  const [asking, ask] = useState(null);
  const counts = { running: 0, pending: 0, paused: 0, failed: 0, canceled: 0, ...sweep.counts };
  const act = async (action) => {
    await request(api("sweeps", sweep.sweep, action.id), { method: "POST" });
    toast(`${action.done}: ${sweep.name || sweep.sweep}`);
    reload();
  };
  const open = ACTIONS.filter((action) => action.when(counts));
  const moving = counts.running + counts.pending + counts.paused > 0;
  return html`${open.map((action) => html`<button key=${action.id} type="button" data-action=${action.id} class="button ${action.danger ? "danger" : ""} ${action.primary ? "primary" : ""}" onClick=${() => ask(action)}><${Icon} name=${action.icon} />${action.text}</button>`)}
    ${moving && html`<button type="button" class="button" data-action="settings" onClick=${() => ask({ id: "settings" })}><${Icon} name="sliders" />Priority</button>`}
    ${asking && asking.id !== "settings" && html`<${Confirm} title=${`${asking.text} ${clean(sweep.name || sweep.sweep)}?`} text=${asking.ask(counts)} yes=${asking.text} danger=${asking.danger} act=${() => act(asking)} onClose=${() => ask(null)} />`}
    ${asking?.id === "settings" && html`<${Change} sweep=${sweep} reload=${reload} onClose=${() => ask(null)} />`}`;
}

const HOUR = 3600;

// Change asks for what may be changed while a sweep runs, from what it is now. What
// stays as it was, or is empty, is left alone.
function Change({ sweep, reload, onClose }) {
  const from = useData(api("sweeps", sweep.sweep, "settings"));
  return html`<${Loaded} from=${from} lines="0">${({ changeable: now }) => {
    const was = {
      priority: now.priority.value, max_concurrent_trials: now.max_concurrent_trials || "",
      time: hours(now.budget.time), device_time: hours(now.budget.device_time),
    };
    const act = async (form) => {
      const changed = (name) => form.has(name) && form.get(name) !== "" && form.get(name) !== String(was[name]);
      const body = {}, budget = {};
      for (const name of ["priority", "max_concurrent_trials"]) if (changed(name)) body[name] = Number(form.get(name));
      for (const name of ["time", "device_time"]) if (changed(name)) budget[name] = Math.round(Number(form.get(name)) * HOUR);
      if (Object.keys(budget).length > 0) body.budget = budget;
      if (Object.keys(body).length === 0) return;
      await request(api("sweeps", sweep.sweep), { method: "PATCH", body });
      toast(`Changed: ${sweep.name || sweep.sweep}`);
      reload();
    };
    return html`<${Confirm} title="Priority, trials at a time, budget" yes="Change" text="What is left empty stays as it is." act=${act} onClose=${onClose}><div class="form">
      <label>Priority<input name="priority" type="number" step="1" min=${now.priority.first} max=${now.priority.last} defaultValue=${was.priority} /><span class="hint">${now.priority.words}</span></label>
      <label>Trials at a time<input name="max_concurrent_trials" type="number" step="1" min="1" defaultValue=${was.max_concurrent_trials} disabled=${now.max_concurrent_trials_fixed} />
        ${now.max_concurrent_trials_fixed && html`<span class="hint">part of what this search does: it cannot be changed</span>`}</label>
      <label>Time, in hours since the submission<input name="time" type="number" step="any" min=${1 / HOUR} defaultValue=${was.time} /></label>
      <label>Device time, in hours of all jobs<input name="device_time" type="number" step="any" min=${1 / HOUR} defaultValue=${was.device_time} /></label></div><//>`;
  }}<//>`;
}

// hours writes a budget of seconds; none is empty.
function hours(seconds) { return seconds > 0 ? String(Number((seconds / HOUR).toFixed(4))) : ""; }
