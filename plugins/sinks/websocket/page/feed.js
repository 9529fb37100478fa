// What comes from the server, live: rows into memory, all else into signals. It also says what the server has to send:
// rows only while somebody looks at the newest ones, else counters alone.
import { get, readSession } from "./api.js";
import { learn, learnTop } from "./names.js";
import { batch, computed, effect, signal } from "./reactive.js";
import { Rows } from "./rows.js";
import { connect, connection, retryNow, send } from "./socket.js";
import * as state from "./state.js";

const snapshotRows = 200;
const pageRows = 500;
export const keptNotes = 500;
const retry_ms = 2000;

export const stats = signal(null);
export const status = signal(null);
export const notes = signal([]); // newest first
export const notesRead = signal(false);
export const ruleOverview = signal([]);
export const matched = signal(0); // events for which the match held, since it was set
export const matchedSince_ms = signal(0);
export const matchError = signal("");
export const loadError = signal("");
export const isLoading = signal(false);
export const rows = new Rows();
export const rowsVersion = signal(0); // counts up when `rows` has changed

export const isHeld = signal(state.at.peek() > 0); // the reader has left the newest rows: scrolled, or chose one
export const isHidden = signal(document.hidden);
export const isShowing = computed(
  () => state.view.value === "live" && !state.isPaused.value && !isHeld.value && state.at.value === 0 && !isHidden.value,
);
// Of the rows that came since they stopped moving. While it is hidden or another view is open nobody counts.
const matchedAtStop = signal(0);
// For rows that were not the newest when the server was asked, or stood still while the page was away: how many came behind
// them until then; null: it has not said.
const cameAfter = signal(0);
export const unseen = computed(() =>
  isShowing.value ? 0 : Math.max(0, matched.value - matchedAtStop.value + (cameAfter.value ?? 0)));

let serial = 0;
let looks = 0; // at the history: the last one counts
let isConfirmed = false; // the server has the newest match
let isNewMatch = true; // else the same one, after a connection was lost
let isCollecting = false; // a snapshot is under way: frames wait in `collected`
let collected = [];
let matchedBefore = 0; // of the matched ones, those before the server began to count anew
let lastMatched = 0; // as the server said it last
// After a connection was lost: the newest row that was here, the gap that the next look at the history left, and how many
// rows came in between, as the server says when the connection is back. The last two come in any order. A table that stood
// still looks later: what came until then is in no count of the server's.
let askedSince = 0; // 0: nothing was asked, or all is said
let hole = null;
let missed = null;
let stoodStill = false;
let cameSince = 0;

const changed = () => (rowsVersion.value += 1);

// Returns whether the rows are those of the match, and no others are on their way.
export const isSettled = () => isConfirmed && !isCollecting;

function setMatch() {
  serial += 1;
  looks += 1;
  isConfirmed = false;
  collected = [];
  if (isNewMatch) askedSince = 0;
  send({ match: state.match.peek(), serial, ...(askedSince > 0 ? { since: askedSince } : {}) });
}

// What the history has newest, or, where the reader stood still before a reload, from there on.
async function snapshot() {
  looks += 1;
  const mine = looks;
  const at = isShowing.peek() ? 0 : state.at.peek();
  isCollecting = true;
  collected = [];
  isLoading.value = true;
  try {
    const answer = await get("/api/rows", { match: state.match.peek(), limit: snapshotRows, ...(at > 0 ? { before: at + 1 } : {}) });
    if (mine !== looks) return;
    if (at > 0 && answer.rows[0]?.id !== at) {
      // It is kept no more.
      stopStanding();
      if (mine === looks) snapshot();
      return;
    }
    learn(answer.rows);
    batch(() => {
      loadError.value = "";
      const wasAway = askedSince > 0;
      const sinceStop = matched.peek() - matchedAtStop.peek();
      const left = wasAway
        ? rows.join(answer.rows, answer.is_end, 0, "away")
        : rows.join(answer.rows, answer.is_end, cameAfter.peek() === null ? 0 : sinceStop + cameAfter.peek(), "still");
      cameAfter.value = at > 0 ? null : 0;
      if (at > 0) send({ since: at });
      if (wasAway) {
        hole = left;
        cameSince = stoodStill ? sinceStop : 0;
        if (!hole) askedSince = 0;
        measureHole();
      }
      for (const frame of collected) rows.append(frame.rows, frame.skipped);
      matchedAtStop.value = matched.peek();
      changed();
    });
  } catch (error) {
    if (mine !== looks || error.status === 400) return;
    loadError.value = error.message;
    setTimeout(() => {
      if (mine === looks && isShowing.peek() && connection.peek().is === "open") snapshot();
    }, retry_ms);
  } finally {
    if (mine === looks) {
      isCollecting = false;
      collected = [];
      isLoading.value = false;
    }
  }
}

function take(frame) {
  if (!isConfirmed) return; // of the match before
  learn(frame.rows);
  if (isCollecting) {
    collected.push(frame);
    return;
  }
  if (!isShowing.peek()) return;
  if (rows.append(frame.rows, frame.skipped ?? 0) > 0 || frame.skipped > 0) changed();
}

// What is not here of the rows that came meanwhile is missing in the hole.
function measureHole() {
  if (!hole || missed === null) return;
  hole.n = Math.max(0, missed + cameSince - rows.countAfter(askedSince));
  hole = null;
  askedSince = 0;
  changed();
}

function takeMissed(count) {
  const isOfPlace = askedSince === 0 && cameAfter.peek() === null;
  if (isOfPlace || (askedSince > 0 && stoodStill)) {
    cameAfter.value = count;
    matchedAtStop.value = matched.peek();
  }
  if (isOfPlace) return;
  // Unasked, it is from a server that gives this page up: after the next connect it is asked.
  missed = askedSince > 0 ? count : null;
  measureHole();
}

// Another process has another history, whose numbers mean nothing to the rows that are here.
function takeStatus(now) {
  const isAnother = status.peek() && status.peek().pid !== now.pid;
  status.value = now;
  if (!isAnother) return;
  rows.clear();
  changed();
  const wasShowing = isShowing.peek();
  stopStanding();
  if (isConfirmed && wasShowing === isShowing.peek()) snapshot(); // else it is done already
}

// The address says where to stand: where that is not here, it is asked for.
export function standThere() {
  isHeld.value = true;
  if (!isConfirmed || rows.length === 0 || rows.indexOf(state.at.peek()) >= 0) return;
  rows.clear();
  changed();
  snapshot();
}

function stopStanding() {
  batch(() => {
    state.go({ at: "" }, false);
    isHeld.value = false;
  });
}

function takeMatched(count) {
  if (count < lastMatched) matchedBefore += lastMatched;
  lastMatched = count;
  matched.value = matchedBefore + count;
}

function answered(filter) {
  if (filter.serial !== serial) return;
  if (!filter.ok) {
    matchError.value = filter.error || "The server does not take it.";
    return;
  }
  isConfirmed = true;
  batch(() => {
    if (isNewMatch) rows.clear();
    isNewMatch = false;
    changed();
    matchError.value = "";
    matchedBefore = 0;
    lastMatched = 0;
    matched.value = 0;
    matchedAtStop.value = 0;
    matchedSince_ms.value = Date.now();
  });
  setMode();
  // Whoever reads goes on to read what is here.
  stoodStill = !isShowing.peek() && rows.length > 0;
  if (!stoodStill) snapshot();
}

const setMode = () => send({ mode: isShowing.peek() ? "live" : "counters" });

function message(frame) {
  batch(() => {
    if (frame.filter) answered(frame.filter);
    if (frame.matched !== undefined && isConfirmed) takeMatched(frame.matched);
    if (frame.rows) take(frame);
    if (frame.stats) {
      learnTop(frame.stats.top ?? {});
      stats.value = frame.stats;
    }
    if (frame.status) takeStatus(frame.status);
    if (frame.note) notes.value = [frame.note, ...notes.peek().filter((note) => note.id !== frame.note.id)].slice(0, keptNotes);
    if (frame.missed !== undefined) takeMissed(frame.missed);
  });
}

export async function readNotifications() {
  const answer = await get("/api/notifications", { limit: keptNotes });
  batch(() => {
    notes.value = answer.notifications;
    ruleOverview.value = answer.rules ?? [];
    notesRead.value = true;
  });
}

function opened() {
  askedSince = rows.newestId;
  hole = null;
  missed = null;
  setMatch();
  readNotifications().catch((error) => (loadError.value = error.message));
}

// After a connection was lost: false when somebody has to log in first.
async function mayConnect() {
  try {
    const answer = await readSession();
    return !answer.needs_token || answer.is_authenticated;
  } catch {
    return false;
  }
}

let isStarted = false;
export function start() {
  connect({ opened, message, mayConnect });
  if (isStarted) return; // after another login
  isStarted = true;

  document.addEventListener("visibilitychange", () => (isHidden.value = document.hidden));
  addEventListener("online", retryNow);

  let lastMatch = state.match.peek();
  effect(() => {
    if (state.match.value === lastMatch) return;
    lastMatch = state.match.value;
    isNewMatch = true;
    isHeld.value = state.at.peek() > 0;
    setMatch();
  });

  // Who leaves the place where the table stood follows again.
  let wasHeld = isHeld.peek();
  effect(() => {
    const leaves = wasHeld && !isHeld.value;
    wasHeld = isHeld.value;
    if (leaves && !state.isPaused.peek()) state.go({ at: "" }, false);
  });

  let wasShowing = isShowing.peek();
  effect(() => {
    if (isShowing.value === wasShowing) return;
    wasShowing = isShowing.value;
    if (!wasShowing) matchedAtStop.value = matched.peek();
    setMode();
    if (wasShowing && connection.peek().is === "open" && isConfirmed) snapshot();
  });
}

let isPaging = false;
// More of what is older than all that is here.
export async function loadOlder() {
  if (isPaging || rows.isComplete || rows.oldestId === 0 || isShowing.peek()) return;
  isPaging = true;
  const mine = serial;
  try {
    const answer = await get("/api/rows", { match: state.match.peek(), before: rows.oldestId, limit: pageRows });
    if (mine === serial) rows.prepend(answer.rows, answer.is_end);
    loadError.value = "";
    changed();
  } catch (error) {
    loadError.value = error.message;
  } finally {
    isPaging = false;
  }
}

export async function fillGap(gap) {
  const mine = serial;
  isHeld.value = true; // what is read must not move away
  try {
    const before = rows.idAbove(gap);
    const answer = await get("/api/rows", { match: state.match.peek(), before, limit: Math.min(Math.max(gap.n, 100), 1000) });
    if (mine === serial) rows.fill(gap, answer.rows, answer.is_end);
    changed();
  } catch (error) {
    loadError.value = error.message;
  }
}
