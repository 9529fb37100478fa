// What stands above every view: which host this is, how it is, and the way to the other views.
import { send, session, skew_ms } from "./api.js";
import { loadError, notes } from "./feed.js";
import { count, duration } from "./format.js";
import { health } from "./health.js";
import { seenNote, upToMost } from "./notifications.js";
import { component, computed, html, signal, view } from "./reactive.js";
import { connection, retryNow } from "./socket.js";
import * as state from "./state.js";

const titles = { live: "Live", hosts: "Hosts", notifications: "Notifications", rules: "Rules", health: "Health" };
const newNotes = computed(() => notes.value.filter((note) => note.id > seenNote.value).length);

export const title = computed(() => {
  const parts = [titles[state.view.value]];
  if (state.view.value === "live" && state.match.value) parts[0] = state.match.value;
  if (state.view.value === "hosts" && state.host.value) parts[0] = state.host.value;
  if (newNotes.value > 0) parts.unshift(`(${upToMost(newNotes.value)})`);
  return `${parts.join(" ")} · nfbus ${session.value?.instance ?? ""}`.trim();
});

const Sums = view(() => {
  const now = health.value;
  if (!now) return html`<p class="sums muted">no status yet</p>`;
  const isBad = now.lost > 0 || now.overflowed > 0 || now.failing.length > 0;
  return html`
    <a class=${`sums${isBad ? " is-bad" : ""}`} href=${state.link({ view: "health" })} title="Health of the host">
      <span>received <b class="number" id="received">${count(now.received)}</b></span>
      <span class=${now.lost > 0 ? "lost" : ""}>${now.lost > 0 && html`<span aria-hidden="true">▲ </span>`}lost <b class="number" id="lost">${count(now.lost)}</b></span>
      <span>waiting <b class="number">${count(now.queued)}</b></span>
      ${now.overflowed > 0 && html`<span class="lost"><span aria-hidden="true">▲ </span>overflowed <b class="number">${count(now.overflowed)}</b></span>`}
      ${now.failing.length > 0 && html`<span class="lost"><span aria-hidden="true">▲ </span>${now.failing.length === 1 ? "a sink" : `${now.failing.length} sinks`} not delivering</span>`}
    </a>`;
});

const Link = view(() => {
  const { is } = connection.value;
  const text = { open: "live", connecting: "connecting", away: "away" }[is];
  return html`<span class=${`link-state is-${is}`} role="status"><span class="dot" aria-hidden="true"></span>${text}</span>`;
});

export const Header = view(() => html`
  <header class="top">
    <a class="brand" href="#live"><span class="logo" aria-hidden="true"></span><b>nfbus</b> <bdi class="muted">${session.value?.instance ?? ""}</bdi></a>
    <${Link} />
    <${Sums} />
    <nav aria-label="Views">
      ${state.views.map((name) => html`
        <a key=${name} href=${state.link({ view: name, event: "", host: "", draft: "" })} aria-current=${state.view.value === name ? "page" : undefined}>${titles[name]}${name === "notifications" && newNotes.value > 0
          ? html` <span class="badge new">${upToMost(newNotes.value)}</span>` : ""}</a>`)}
    </nav>
    <span class="tools">
      <label class="theme"><span class="unseen">Theme</span>
        <select value=${state.theme.value} onChange=${(event) => state.chooseTheme(event.target.value)}>
          ${["auto", "light", "dark"].map((name) => html`<option key=${name} value=${name} selected=${name === state.theme.value}>${name}</option>`)}
        </select></label>
      ${session.value?.needs_token && html`<button type="button" onClick=${async () => {
        await send("POST", "/api/logout", {}).catch(() => {});
        location.reload();
      }}>Log out</button>`}
    </span>
  </header>`);

const Away = component((_, life) => {
  const now_ms = signal(Date.now());
  life.mounted(() => {
    const timer = setInterval(() => (now_ms.value = Date.now()), 1000);
    return () => clearInterval(timer);
  });
  return () => {
    const { since_ms, retry_ms } = connection.value;
    const wait_s = Math.max(0, Math.ceil((retry_ms - now_ms.value) / 1000));
    // What counts up is not for those who listen: they would hear it each second.
    return html`<div class="banner bad"><span role="status"><b>Not connected.</b> What is shown is old.</span>${" "}
      For ${duration(Math.max(1, (now_ms.value - since_ms) / 1000))}; ${wait_s > 0 ? `next try in ${wait_s} s.` : "trying…"} <button type="button" onClick=${retryNow}>Try now</button></div>`;
  };
});

export const Banners = view(() => html`
  ${connection.value.is === "away" && html`<${Away} />`}
  <div role="status">
    ${Math.abs(skew_ms.value) > 2000 && html`<div class="banner">The server’s clock is ${duration(Math.abs(skew_ms.value) / 1000)} ${skew_ms.value < 0 ? "behind" : "ahead of"} this browser’s. Times are the server’s.</div>`}
    ${loadError.value && connection.value.is === "open" && html`<div class="banner bad">${loadError.value}</div>`}
  </div>`);
