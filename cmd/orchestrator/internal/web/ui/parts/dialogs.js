// Questions before something changes, and short messages after.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../lib/html.js";
import { clean } from "../lib/format.js";
import { Icon } from "./icons.js";

// Dialog is a modal one while it is in the page. The browser keeps the focus in it
// and gives it back.
export function Dialog({ label, onClose, children, ...rest }) {
  const ref = useRef(null);
  useLayoutEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog.showModal();
    return () => { dialog.close(); if (before?.isConnected) before.focus(); };
  }, []);
  return html`<dialog ref=${ref} aria-label=${label} onCancel=${(e) => { e.preventDefault(); onClose(); }}
    onClick=${(e) => { if (e.target === ref.current) onClose(); }} ...${rest}>${children}</dialog>`;
}

// Confirm asks before it acts; act may take a while and may fail.
export function Confirm({ title, text, yes, no = "Not now", danger = false, act, onClose, children }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const go = async (event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await act(new FormData(event.target));
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return html`<${Dialog} label=${title} onClose=${onClose}><form onSubmit=${go}>
    <div class="body"><h2>${title}</h2>${text && html`<p>${text}</p>`}${children}
      ${error && html`<div class="notice bad" role="alert"><div><strong>${clean(error.message)}</strong>${error.hint && html`<div>${clean(error.hint)}</div>`}</div></div>`}</div>
    <footer><button type="button" class="button" onClick=${onClose}>${no}</button>
      <button type="submit" class="button ${danger ? "danger solid" : "primary"}" disabled=${busy}>${busy ? "One moment" : yes}</button></footer>
  </form><//>`;
}

let show = () => {};

// toast shows a message for a while; a bad one stays until it is closed.
export function toast(text, bad = false) { show({ text, bad, id: Math.random() }); }

export function Toasts() {
  const [items, set] = useState([]);
  const close = (id) => set((old) => old.filter((item) => item.id !== id));
  useEffect(() => {
    show = (item) => {
      set((old) => [...old.slice(-3), item]);
      if (!item.bad) setTimeout(() => close(item.id), 5000);
    };
    return () => { show = () => {}; };
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">${items.map((item) => html`
    <div key=${item.id} class="toast ${item.bad ? "bad" : ""}"><span>${clean(item.text)}</span>
      <button type="button" aria-label="Close" onClick=${() => close(item.id)}><${Icon} name="close" size="12" /></button></div>`)}</div>`;
}
