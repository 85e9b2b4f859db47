// What the sweep was asked to do, on what data, by which versions.
import { html } from "../../lib/html.js";
import { api, useData } from "../../lib/api.js";
import { clean, cleanLines, count, grouped } from "../../lib/format.js";
import { Card, Copy, Loaded } from "../../parts/basics.js";
import { Pairs } from "../../parts/pairs.js";

export function Settings({ sweep }) {
  const from = useData(api("sweeps", sweep.sweep, "settings"));
  return html`<${Loaded} from=${from} lines="12">${(settings) => html`<div class="grid21">
    <${Card} title="Sweep file" tools=${html`<${Copy} text=${settings.source} label="Copy the sweep file" />`} bare>
      ${settings.overrides?.length > 0 && html`<div class="body small">with <code>${settings.overrides.map(clean).join("  ")}</code></div>`}
      <pre class="yaml" tabindex="0" aria-label="The sweep file">${cleanLines(settings.source)}</pre><//>
    <div class="stack"><${DataCard} data=${settings.data} />
      <${Card} title="Versions"><${Pairs} of=${{ engine: settings.engine, ...settings.versions }} /><//>
      ${["resources", "checkpoints", "budget", "search"].filter((name) => settings[name] && Object.keys(settings[name]).length > 0).map((name) => html`<${Card} key=${name} title=${name[0].toUpperCase() + name.slice(1)}><${Pairs} of=${settings[name]} /><//>`)}
    </div></div>`}<//>`;
}

function DataCard({ data }) {
  const classes = data.classes ?? [];
  const largest = Math.max(1, ...classes.map((c) => c.pictures));
  return html`<${Card} title="Data"><${Pairs} of=${{ name: data.name, pictures: grouped(data.pictures), classes: grouped(classes.length) }} />
    <p class="sha" style="margin: 8px 0 12px; overflow-wrap: anywhere" title="SHA-256 of the pack: the same pictures have the same digest">sha256:${clean(data.digest)}</p>
    <div class="bars" role="list" aria-label="Pictures of each class">${classes.slice(0, 40).map((c) => html`<div role="listitem" style="display: contents"><span class="name"><bdi>${clean(c.name)}</bdi></span><span class="track"><i class="fill" style=${`width: ${(c.pictures / largest) * 100}%`}></i></span><span class="number">${grouped(c.pictures)}</span></div>`)}</div>
    ${classes.length > 40 && html`<p class="note">and ${count(classes.length - 40, "more class")}</p>`}<//>`;
}
