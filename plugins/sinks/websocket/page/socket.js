// The one websocket of this page: it comes back by itself, and says how long that will take.
import { signal } from "./reactive.js";

const firstWait_ms = 1000;
const longestWait_ms = 10000;
const silence_ms = 10000; // the server tells its counters each second: who says nothing for so long is gone

// {is: "connecting" | "open" | "away", since_ms, retry_ms}; retry_ms: when it is tried next.
export const connection = signal({ is: "connecting", since_ms: Date.now(), retry_ms: 0 });

let socket = null;
let heard_ms = 0;
let timer = 0;
let failures = 0;
let handlers = null;
let watch = 0;

// handlers: opened(); message(object); mayConnect(): asked before each try after a failure, a promise of whether to go on.
export function connect(given) {
  handlers = given;
  open();
  watch ||= setInterval(look, 1000);
}

export function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

export function disconnect() {
  clearTimeout(timer);
  const old = socket;
  socket = null;
  old?.close();
}

export function retryNow() {
  clearTimeout(timer);
  if (!socket) open();
}

function open() {
  disconnect();
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/page`);
  socket = mine;
  heard_ms = performance.now();
  mine.onopen = () => {
    failures = 0;
    connection.value = { is: "open", since_ms: Date.now(), retry_ms: 0 };
    handlers.opened();
  };
  mine.onmessage = (frame) => {
    heard_ms = performance.now();
    if (mine === socket) handlers.message(JSON.parse(frame.data));
  };
  mine.onclose = () => {
    if (mine !== socket) return; // one that was given up
    socket = null;
    wait();
  };
}

// A browser notices late that a server lost its power, or that this device slept.
function look() {
  if (!socket || performance.now() - heard_ms < silence_ms) return;
  disconnect();
  wait();
}

async function wait() {
  const wait_ms = Math.min(longestWait_ms, firstWait_ms * 2 ** failures) * (0.5 + Math.random() / 2);
  failures += 1;
  const since_ms = connection.value.is === "away" ? connection.value.since_ms : Date.now();
  connection.value = { is: "away", since_ms, retry_ms: Date.now() + wait_ms };
  timer = setTimeout(async () => {
    if (await handlers.mayConnect()) open();
    else if (!socket && connection.value.is === "away") wait();
  }, wait_ms);
}
