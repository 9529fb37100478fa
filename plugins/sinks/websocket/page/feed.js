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
const snapshotPatience_ms = 20000; // frames wait in memory for so long

export const stats = signal(null);
export const status = signal(null);
export const notes = signal([]); // newest first
export const notesRead = signal(false);
export const ruleOverview = signal([]);
export const rulesError = signal(""); // of their file as a whole
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
let isCollecting = false; // the table has to be joined with a snapshot: frames wait in `collected`
let collected = [];
let matchedBefore = 0; // of the matched ones, those before the server began to count anew
let lastMatched = 0; // as the server said it last
let wasAway = false; // a connection was lost since the table was whole
let askedSince = 0; // behind which event the server is to count what came

const changed = () => (rowsVersion.value += 1);

// Returns whether the rows are those of the match, and no others are on their way.
export const isSettled = () => isConfirmed && !isCollecting;

function setMatch() {
  serial += 1;
  looks += 1;
  isConfirmed = false;
  isCollecting = false;
  collected = [];
  send({ match: state.match.peek(), serial });
}

// How many rows came behind an event: takeMissed() hears of it.
function askSince(id) {
  cameAfter.value = null;
  askedSince = id;
  send({ since: id });
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
    const answer = await get("/api/rows", { match: state.match.peek(), limit: snapshotRows, ...(at > 0 ? { before: at + 1 } : {}) }, snapshotPatience_ms);
    if (mine !== looks) return;
    if (at > 0 && answer.rows[0]?.id !== at) {
      // It is kept no more.
      stopStanding();
      if (mine === looks) snapshot();
      return;
    }
    learn(answer.rows);
    let hole = null;
    batch(() => {
      loadError.value = "";
      hole = rows.join(answer, wasAway ? "away" : "still");
      for (const frame of collected) rows.append(frame.rows, frame.skipped, frame.newest);
      isCollecting = false;
      if (hole?.why === "lost" && !wasAway && cameAfter.peek() !== null) {
        rows.countLost(hole, matched.peek() - matchedAtStop.peek() + cameAfter.peek() - rows.countAbove(hole));
      }
      wasAway = false;
      matchedAtStop.value = matched.peek();
      cameAfter.value = 0;
      if (at > 0) askSince(at);
      changed();
    });
    if (hole && hole.why !== "lost") measure(hole);
  } catch (error) {
    if (mine !== looks) return;
    isCollecting = error.status !== 400; // else what comes stands behind what is missing
    if (!isCollecting) return;
    loadError.value = error.message;
    setTimeout(() => {
      if (mine === looks && (isShowing.peek() || rows.length === 0) && connection.peek().is === "open") snapshot();
    }, retry_ms);
  } finally {
    if (mine === looks) {
      collected = [];
      isLoading.value = false;
    }
  }
}

async function measure(gap) {
  const mine = serial;
  try {
    const answer = await get("/api/count", { match: state.match.peek(), after: gap.below, before: gap.above });
    if (mine !== serial) return;
    rows.measure(gap, answer);
    changed();
  } catch {
    // then it says "some"
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
  if (rows.append(frame.rows, frame.skipped, frame.newest) > 0 || frame.skipped > 0) changed();
}

function takeMissed({ missed, since, matched: counted }) {
  if (since !== askedSince || cameAfter.peek() !== null) return;
  cameAfter.value = missed;
  matchedAtStop.value = matchedBefore + counted;
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
    cameAfter.value = 0;
    matchedSince_ms.value = Date.now();
  });
  setMode();
  // Whoever reads goes on to read what is here.
  if (isShowing.peek() || rows.length === 0) snapshot();
  else askSince(rows.end);
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
    if (frame.missed !== undefined) takeMissed(frame);
  });
}

export async function readNotifications() {
  const answer = await get("/api/notifications", { limit: keptNotes });
  batch(() => {
    notes.value = answer.notifications;
    ruleOverview.value = answer.rules ?? [];
    rulesError.value = answer.file_error ?? "";
    notesRead.value = true;
  });
}

function opened() {
  wasAway = rows.end > 0;
  setMatch();
  readUntilRead();
}

function readUntilRead() {
  readNotifications().catch((error) => {
    loadError.value = error.message;
    setTimeout(() => {
      if (connection.peek().is === "open") readUntilRead();
    }, retry_ms);
  });
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
  const before = rows.oldestId;
  try {
    const answer = await get("/api/rows", { match: state.match.peek(), before, limit: pageRows });
    if (mine === serial) rows.prepend(answer, before);
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
    const limit = Math.min(Math.max(gap.n + 1, 100), 1000); // and one, so that it is seen to be all
    const answer = await get("/api/rows", { match: state.match.peek(), before: gap.above, limit });
    if (mine === serial) rows.fill(gap, answer);
    changed();
  } catch (error) {
    loadError.value = error.message;
  }
}
