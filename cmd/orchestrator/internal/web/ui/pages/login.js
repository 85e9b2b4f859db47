// Who are you? By a token, or by the organisation's identity provider.
import { html, useState } from "../lib/html.js";
import { clean } from "../lib/format.js";
import { login, useSession } from "../lib/session.js";
import { useTitle } from "../parts/basics.js";
import { Icon, Mark } from "../parts/icons.js";

// target is where to go after: a path of this server alone.
export function target(text) {
  if (!text) return "/";
  try {
    const url = new URL(text, location.origin);
    return url.origin === location.origin && text.startsWith("/") ? url.pathname + url.search : "/";
  } catch {
    return "/";
  }
}

export default function Login({ query }) {
  useTitle("Log in");
  const session = useSession();
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const logins = session?.logins ?? ["token"];
  const to = target(query.get("to"));
  const enter = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await login(new FormData(event.target).get("token"));
      location.replace(to);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return html`<div class="login"><section class="card"><div class="body">
    <div class="brand" style="font-size: 18px"><${Mark} /><h1>Log in to orchestrator</h1></div>
    ${(error || query.has("error")) && html`<div class="notice bad" role="alert" style="margin: 0"><${Icon} name="warn" size="16" /><div><strong>${clean(error?.message ?? query.get("error"))}</strong>${error?.hint && html`<div>${clean(error.hint)}</div>`}</div></div>`}
    ${logins.includes("oidc") && html`<a class="button ${logins.includes("token") ? "" : "primary"}" href=${`/login/oidc?to=${encodeURIComponent(to)}`}>Continue with ${clean(session.oidc_name || "single sign-on")}</a>`}
    ${logins.includes("oidc") && logins.includes("token") && html`<div class="or">or</div>`}
    ${logins.includes("token") && html`<form class="form" onSubmit=${enter}>
      <label>Token<input name="token" type="password" autocomplete="current-password" required spellcheck="false" aria-describedby="token-hint" /><span class="hint" id="token-hint">From whoever runs this server.</span></label>
      <button class="button primary" type="submit" disabled=${busy}>${busy ? "One moment" : "Log in"}</button></form>`}
  </div></section></div>`;
}
