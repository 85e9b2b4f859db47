// Live updates over server-sent events: one stream per page, a sign that says
// whether it stands, and connections that come back.
import { useEffect, useRef, useState } from "./html.js";

let status = "off"; // off | connecting | live | reconnecting
const watchers = new Set();

function say(next) {
  if (next === status) return;
  status = next;
  watchers.forEach((watch) => watch(next));
}

// useLiveStatus is the state of the page's stream.
export function useLiveStatus() {
  const [now, set] = useState(status);
  useEffect(() => {
    watchers.add(set);
    set(status);
    return () => watchers.delete(set);
  }, []);
  return now;
}

const FIRST_PAUSE = 1000, LONGEST_PAUSE = 20000;

// stream connects to a URL until it is closed. on.open(again) is called whenever
// the connection stands, again: it stood before, and what happened meanwhile has
// to be fetched. A hidden page has no connection: browsers allow few.
export function stream(url, events, on) {
  let source = null, timer = 0, pause = FIRST_PAUSE, opened = false, closed = false;
  const connect = () => {
    clearTimeout(timer);
    if (closed || source || document.hidden) return;
    say(opened ? "reconnecting" : "connecting");
    source = new EventSource(url);
    source.onopen = () => {
      pause = FIRST_PAUSE;
      say("live");
      on.open?.(opened);
      opened = true;
    };
    source.onerror = () => {
      drop();
      say("reconnecting");
      timer = setTimeout(connect, pause * (0.75 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    };
    for (const name of events) {
      source.addEventListener(name, (event) => {
        const data = event.data ? JSON.parse(event.data) : null;
        if (name === "gone") { close(); say("off"); }
        on[name]?.(data);
      });
    }
  };
  const drop = () => { source?.close(); source = null; };
  const visibility = () => { if (document.hidden) { drop(); clearTimeout(timer); } else connect(); };
  const close = () => {
    closed = true;
    clearTimeout(timer);
    drop();
    document.removeEventListener("visibilitychange", visibility);
  };
  document.addEventListener("visibilitychange", visibility);
  addEventListener("online", connect);
  connect();
  return () => { close(); removeEventListener("online", connect); say("off"); };
}

// useStream keeps a stream while the component is there; the handlers may change.
export function useStream(url, events, handlers) {
  const latest = useRef(handlers);
  latest.current = handlers;
  useEffect(() => {
    if (url === null) return undefined;
    const on = { open: (again) => latest.current.open?.(again) };
    for (const name of events) on[name] = (data) => latest.current[name]?.(data);
    return stream(url, events, on);
  }, [url]);
}
