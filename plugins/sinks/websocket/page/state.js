// What the page shows, kept in its address: a reload, a bookmark and the back button bring it back.
//
//     #VIEW?match=WORDS&event=ID&at=ID&host=ADDRESS&draft=WORDS&paused=1&columns=A,B&range=hour&seen=dst&theme=dark
//
// at: the topmost row of a table that stands still. draft: the match of a rule that is being made.
import { batch, computed, signal } from "./reactive.js";

export const views = ["live", "hosts", "notifications", "rules", "health"];
export const allColumns = ["time", "action", "proto", "src", "dst", "in", "topic", "length", "info"];

const defaults = { view: "live", match: "", event: "", at: "", host: "", draft: "", paused: "", columns: "", range: "minutes", seen: "src", theme: "" };
const rewrite_ms = 5000;
const themeKey = "nfbus.theme"; // the one thing that outlives the address: light or dark is of the person, not of the view

const read = () => {
  const [view, query = ""] = location.hash.slice(1).split("?");
  const parameters = new URLSearchParams(query);
  const state = { ...defaults };
  for (const key of Object.keys(defaults)) if (parameters.has(key)) state[key] = parameters.get(key);
  state.view = views.includes(view) ? view : "live";
  if (state.range !== "hour") state.range = defaults.range;
  if (!(Number.isSafeInteger(Number(state.at)) && Number(state.at) > 0)) state.at = "";
  return state;
};

const current = signal(read());

export const urlOf = (state) => {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(state)) {
    if (key !== "view" && value !== "" && value !== defaults[key]) parameters.set(key, value);
  }
  const query = parameters.toString();
  return `#${state.view}${query ? `?${query}` : ""}`;
};

// The address with these changes, for a link.
export const link = (changes) => urlOf({ ...current.value, ...changes });

// Changes some of it. isStep: one that the back button takes back.
export function go(changes, isStep = true) {
  const moves = changes.view !== undefined || changes.match !== undefined; // to other rows
  const next = { ...current.value, ...(moves ? { at: "" } : {}), ...changes };
  const url = urlOf(next);
  if (url === urlOf(current.value)) return;
  write(url, isStep);
  current.value = next;
}

let writing = 0;
// A browser takes few changes of its address in a short time, and throws.
function write(url, isStep) {
  clearTimeout(writing);
  try {
    history[isStep ? "pushState" : "replaceState"](null, "", url);
  } catch {
    writing = setTimeout(() => write(urlOf(current.peek()), false), rewrite_ms);
  }
}

export const arrivals = signal(0); // counts up when the address has changed from outside

const reread = () => {
  const next = read();
  if (urlOf(next) === urlOf(current.value)) return;
  batch(() => {
    current.value = next;
    arrivals.value += 1;
  });
};
addEventListener("popstate", reread);
addEventListener("hashchange", reread);

const part = (key) => computed(() => current.value[key]);
export const view = part("view");
export const match = part("match");
export const event = part("event");
export const at = computed(() => Number(current.value.at)); // 0: nowhere
export const host = part("host");
export const draft = part("draft");
export const range = part("range");
export const seen = part("seen"); // of what the most seen are shown
export const isPaused = computed(() => current.value.paused === "1");
export const columns = computed(() => {
  const chosen = current.value.columns.split(",").filter((name) => allColumns.includes(name));
  return chosen.length > 0 ? chosen : allColumns;
});

const stored = () => {
  try {
    return localStorage.getItem(themeKey) ?? "";
  } catch {
    return ""; // the browser keeps nothing for this page
  }
};
const remembered = signal(stored());
export const theme = computed(() => {
  const named = current.value.theme || remembered.value;
  return ["light", "dark"].includes(named) ? named : "auto";
});

const darkDevice = matchMedia("(prefers-color-scheme: dark)");
const isDeviceDark = signal(darkDevice.matches);
darkDevice.addEventListener("change", () => (isDeviceDark.value = darkDevice.matches));
// "light" or "dark": what is shown.
export const shownTheme = computed(() => (theme.value !== "auto" ? theme.value : isDeviceDark.value ? "dark" : "light"));

export function chooseTheme(name) {
  try {
    if (name === "auto") localStorage.removeItem(themeKey);
    else localStorage.setItem(themeKey, name);
  } catch {
    // as above: the address has it all the same
  }
  remembered.value = name === "auto" ? "" : name;
  go({ theme: name === "auto" ? "" : name }, false);
}
