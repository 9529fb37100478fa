// The first view: totals and rates, the search box, the table and, beside it, the details or who is seen most.
import { url } from "./api.js";
import { RateChart } from "./chart.js";
import { Details } from "./details.js";
import * as feed from "./feed.js";
import { clock, count } from "./format.js";
import { Talkers, Totals } from "./overview.js";
import { component, html, signal, view } from "./reactive.js";
import { Search } from "./search.js";
import * as state from "./state.js";
import { LiveTable, focusTable } from "./table.js";

const columnTitles = { time: "Time", action: "Action", proto: "Protocol", src: "Source", dst: "Destination", in: "In and out", topic: "Topic", length: "Bytes", info: "Info" };

// Back to the newest rows.
export function follow() {
  feed.isHeld.value = false;
  state.go({ paused: "", at: "" }, false);
  focusTable();
}
export const togglePause = () => (state.isPaused.value ? follow() : state.go({ paused: "1" }, false));

const exports = [
  { format: "jsonl", title: "JSON lines" },
  { format: "csv", title: "CSV" },
  { format: "pcap", title: "pcap" },
];

// A button with something to choose from below it.
const Menu = component((_, life) => {
  const isOpen = signal(false);
  const place = { current: null };
  life.mounted(() => {
    const away = (event) => {
      if (isOpen.peek() && !place.current.contains(event.target)) isOpen.value = false;
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  });
  return ({ title, children }) => html`
    <div class="menu" ref=${place} onKeyDown=${(key) => {
      if (key.key !== "Escape" || !isOpen.value) return;
      key.stopPropagation();
      isOpen.value = false;
    }}>
      <button type="button" aria-expanded=${isOpen.value ? "true" : "false"} onClick=${() => (isOpen.value = !isOpen.value)}>${title} <span aria-hidden="true">▾</span></button>
      ${isOpen.value && html`<div class="panel sheet">${children}</div>`}
    </div>`;
});

const ExportMenu = view(() => html`
  <${Menu} title="Export">
    <p class="muted">All kept events that match</p>
    <ul class="plain">${exports.map(({ format, title }) => html`
      <li key=${format}><a href=${url("/api/export", { format, match: state.match.value })} download>${title}</a></li>`)}</ul>
  <//>`);

const toggleColumn = (name) => {
  const chosen = state.columns.value.includes(name) ? state.columns.value.filter((each) => each !== name) : [...state.columns.value, name];
  const ordered = state.allColumns.filter((each) => chosen.includes(each));
  if (ordered.length > 0) state.go({ columns: ordered.length === state.allColumns.length ? "" : ordered.join(",") }, false);
};

const ColumnMenu = view(() => html`
  <${Menu} title="Columns">
    <ul class="plain">${state.allColumns.map((name) => html`
      <li key=${name}><label><input type="checkbox" checked=${state.columns.value.includes(name)} onChange=${() => toggleColumn(name)} /> ${columnTitles[name]}</label></li>`)}</ul>
  <//>`);

const StatusLine = view(() => {
  const isMoving = feed.isShowing.value;
  return html`
    <div class="table-bar">
      <button type="button" id="pause" aria-pressed=${state.isPaused.value ? "true" : "false"} onClick=${togglePause}>
        <span aria-hidden="true">${state.isPaused.value ? "▶" : "❚❚"}</span> ${state.isPaused.value ? "Go on" : "Pause"}</button>
      ${!isMoving && html`<button type="button" id="unseen" class="primary" onClick=${follow}>
        ${feed.unseen.value > 0 ? `${count(feed.unseen.value)} new` : "Back to the newest"} <span aria-hidden="true">↑</span></button>`}
      <p class="muted" title="since this match was set, counted by the server"><b class="number" id="matched">${count(feed.matched.value)}</b> ${state.match.value ? "matching" : "events"}${feed.matchedSince_ms.value > 0 && html`<span class="since"> since ${clock(feed.matchedSince_ms.value)}</span>`}</p>
      <span class="grow"></span>
      <div class="column-menu"><${ColumnMenu} /></div>
      <${ExportMenu} />
    </div>`;
});

const Empty = view(() => {
  feed.rowsVersion.value;
  if (feed.rows.length > 0) return null;
  const text = feed.isLoading.value ? "Loading…" : feed.matchError.value ? "These words are no match: see above." : state.match.value ? "No kept event matches. New ones appear here." : "No events yet. Packets that a rule logs appear here.";
  return html`<p class="empty muted" role="status">${text}</p>`;
});

export const Live = view(() => html`
  <section class="live">
    <h1 class="unseen">Live events</h1>
    <div class="strip"><${Totals} /><${RateChart} /></div>
    <${Search} />
    <div class="main">
      <section class="panel table" aria-label="Live table">
        <${StatusLine} />
        <div class="grid-place"><${LiveTable} /><${Empty} /></div>
      </section>
      ${state.event.value ? html`<${Details} />` : html`<${Talkers} />`}
    </div>
  </section>`);
