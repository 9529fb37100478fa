// The keyboard: what each key does, and the sheet that says so.
import { isHeld } from "./feed.js";
import { follow, togglePause } from "./live.js";
import { component, html, signal } from "./reactive.js";
import * as state from "./state.js";
import { focusTable, moveSelection, openSelection } from "./table.js";

const shown = signal(false);

const keys = [
  { key: "j", title: "next event", act: () => moveSelection(1) },
  { key: "k", title: "event before", act: () => moveSelection(-1) },
  { key: "Enter", title: "all fields of the event", act: openSelection },
  { key: "/", title: "search", act: () => document.getElementById("search")?.focus() },
  { key: "p", title: "pause, go on", act: togglePause },
  { key: "Escape", title: "close; then back to the newest", act: leave },
  { key: "?", title: "these keys", act: () => (shown.value = !shown.value) },
  ...state.views.map((view, at) => ({ key: String(at + 1), title: view, act: () => state.go({ view, event: "", host: "", draft: "" }) })),
];
const onlyLive = new Set(["j", "k", "Enter", "/", "p"]);

function leave() {
  if (shown.value) shown.value = false;
  else if (state.event.value) {
    state.go({ event: "" });
    focusTable();
  } else if (isHeld.value) follow();
}

export function listenToKeys() {
  addEventListener("keydown", (pressed) => {
    if (pressed.ctrlKey || pressed.metaKey || pressed.altKey || pressed.defaultPrevented) return;
    const target = pressed.target;
    if (pressed.key !== "Escape" && target.closest("input, textarea, select, [contenteditable]")) return;
    if (pressed.key === "Enter" && target.closest("a, button, summary")) return;
    const found = keys.find(({ key }) => key === pressed.key);
    if (!found || (onlyLive.has(found.key) && state.view.value !== "live")) return;
    pressed.preventDefault();
    found.act();
  });
}

export const KeySheet = component(() => {
  const dialog = { current: null };
  return () => {
    const isOpen = shown.value;
    queueMicrotask(() => {
      if (!dialog.current || dialog.current.open === isOpen) return;
      if (isOpen) dialog.current.showModal();
      else dialog.current.close();
    });
    return html`
      <dialog ref=${dialog} class="panel" aria-labelledby="keys-title" onClose=${() => (shown.value = false)}>
        <header><h2 id="keys-title">Keys</h2><button type="button" class="close" aria-label="Close" onClick=${() => (shown.value = false)}>×</button></header>
        <dl class="keys">${keys.map(({ key, title }) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${title}</dd></div>`)}
          <div><dt><kbd>↑</kbd> <kbd>↓</kbd> <kbd>Page Up</kbd> <kbd>Page Down</kbd> <kbd>Home</kbd> <kbd>End</kbd></dt><dd>in the table: other events</dd></div>
          <div><dt><kbd>click</kbd></dt><dd>a value: only events with it</dd></div>
          <div><dt><kbd>Shift</kbd> <kbd>click</kbd></dt><dd>a value: no events with it</dd></div></dl>
      </dialog>`;
  };
});
