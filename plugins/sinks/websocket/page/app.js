// Puts the page together and starts it.
import { readSession, session } from "./api.js";
import * as feed from "./feed.js";
import { visible } from "./format.js";
import { Banners, Header, title } from "./header.js";
import { Health } from "./health.js";
import { Hosts } from "./hosts.js";
import { KeySheet, listenToKeys } from "./keys.js";
import { Live } from "./live.js";
import { Login } from "./login.js";
import { Notifications, seenNote } from "./notifications.js";
import { effect, html, render, signal, untracked, view } from "./reactive.js";
import { Rules } from "./rules.js";
import { disconnect } from "./socket.js";
import * as state from "./state.js";

const views = { live: Live, hosts: Hosts, notifications: Notifications, rules: Rules, health: Health };
const firstError = signal("");
const newestAtOpen = signal(Number.MAX_SAFE_INTEGER); // what was told before this page was opened is not new

// The newest notification, for those who listen to the page; the list is a view of its own.
const Announcement = view(() => {
  const note = feed.notes.value[0];
  const isNew = note && note.id > newestAtOpen.value;
  return html`<p class="unseen" aria-live="polite">${isNew ? visible(`${note.severity}: ${note.title || note.rule}. ${note.message}`) : ""}</p>`;
});

const needsLogin = () => session.value?.needs_token && !session.value.is_authenticated;

const App = view(() => {
  if (!session.value) return html`<main class="login"><p class="muted" role="status">${firstError.value || "Connecting…"}</p></main>`;
  if (needsLogin()) return html`<${Login} />`;
  return html`
    <a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault(); // the address is the state
      document.getElementById("main").focus();
    }}>Skip to content</a>
    <${Header} />
    <${Banners} />
    <main id="main" class=${`view-${state.view.value}`} tabindex="-1"><${views[state.view.value]} key=${state.view.value} /></main>
    <${Announcement} />
    <${KeySheet} />`;
});

async function begin() {
  try {
    await readSession();
  } catch (error) {
    firstError.value = `${error.message} Trying again…`;
    setTimeout(begin, 3000);
  }
}

effect(() => (document.documentElement.dataset.theme = state.shownTheme.value));
effect(() => (document.title = title.value));
effect(() => {
  if (!feed.notesRead.value) return;
  newestAtOpen.value = feed.notes.peek()[0]?.id ?? 0;
  if (seenNote.peek() === Number.MAX_SAFE_INTEGER) seenNote.value = newestAtOpen.peek();
});

let isStarted = false;
effect(() => {
  if (!session.value) return;
  if (needsLogin()) {
    if (isStarted) disconnect();
    isStarted = false;
  } else if (!isStarted) {
    isStarted = true;
    untracked(feed.start);
  }
});

listenToKeys();
render(html`<${App} />`, document.getElementById("app"));
begin();
