// What stands above the table: totals, and who is talked of most.
import { parted } from "./cells.js";
import { onValue } from "./chips.js";
import { stats } from "./feed.js";
import { count, percent, short, visible } from "./format.js";
import { nameOf } from "./names.js";
import { html, view } from "./reactive.js";
import * as state from "./state.js";

export const Totals = view(() => {
  const now = stats.value;
  if (!now) return html`<section class="panel totals" aria-label="Totals" aria-busy="true"></section>`;
  const judged = now.blocked + now.allowed;
  return html`
    <section class="panel totals" aria-label="Totals">
      <dl>
        <div class="blocked"><dt><span class="mark" aria-hidden="true">✕</span> <button type="button" class="value" title="Show only these; with shift, all others" onClick=${onValue("action", "blocked")}>Blocked</button></dt>
          <dd class="number" id="total-blocked">${count(now.blocked)}</dd><dd class="muted">${percent(now.blocked, judged)}</dd></div>
        <div class="allowed"><dt><span class="mark" aria-hidden="true">✓</span> <button type="button" class="value" title="Show only these; with shift, all others" onClick=${onValue("action", "allowed")}>Allowed</button></dt>
          <dd class="number" id="total-allowed">${count(now.allowed)}</dd><dd class="muted">${percent(now.allowed, judged)}</dd></div>
        <div><dt>Now</dt><dd class="number">${short(now.rate)}</dd><dd class="muted">events/s</dd></div>
        <div><dt>Messages</dt><dd class="number">${count(now.messages)}</dd><dd class="muted">of ${count(now.events)} events</dd></div>
      </dl>
    </section>`;
});

const kinds = [
  { kind: "src", title: "Sources", key: () => "src", value: (text) => text },
  { kind: "dst", title: "Destinations", key: () => "dst", value: (text) => text },
  { kind: "port", title: "Ports", key: () => "dport", value: (text) => text.split("/").at(-1) },
  { kind: "domain", title: "Domains", key: () => "domain", value: (text) => text },
];

// Shortened between its two parts, where it does not fit.
const Address = view(({ text }) => {
  const [begin, end] = parted(text);
  return html`<bdi class="address"><span class="begin">${begin}</span><span class="end">${end}</span></bdi>`;
});

const Talker = view(({ kind, text }) => {
  const name = nameOf(text);
  if (name) return html`<b><bdi>${visible(name)}</bdi></b> <bdi>${visible(text)}</bdi>`;
  return kind === "src" || kind === "dst" ? html`<${Address} text=${text} />` : html`<bdi>${visible(text)}</bdi>`;
});

export const Talkers = view(() => {
  const { kind: shown, key, value } = kinds.find((each) => each.kind === state.seen.value) ?? kinds[0];
  const list = stats.value?.top?.[shown] ?? [];
  const most = Math.max(1, ...list.map(([, number]) => number));
  return html`
    <section class="panel talkers" aria-label="Top talkers of the last hour">
      <header><h2>Most seen <span class="muted">last hour</span></h2></header>
      <div class="switch" role="group" aria-label="Most seen">
        ${kinds.map(({ kind, title }) => html`
          <button key=${kind} type="button" aria-pressed=${shown === kind ? "true" : "false"}
            onClick=${() => state.go({ seen: kind }, false)}>${title}</button>`)}
      </div>
      ${list.length === 0 && html`<p class="muted empty">Nothing yet.</p>`}
      <ol>
        ${list.map(([text, number, error]) => html`
          <li key=${text}>
            <span class="bar" aria-hidden="true" style=${{ width: `${(100 * number) / most}%` }}></span>
            <button type="button" class="value" title=${`${visible(nameOf(text) ? `${nameOf(text)} ${text}` : text)}: show only these; with shift, all others`} onClick=${onValue(key(text), value(text))}>
              <${Talker} kind=${shown} text=${text} /></button>
            <span class="number" title=${error ? `at most ${count(error)} too many` : "exact"}>${error ? "≈ " : ""}${count(number)}</span>
          </li>`)}
      </ol>
    </section>`;
});
