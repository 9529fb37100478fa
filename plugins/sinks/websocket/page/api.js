// Calls of the server's HTTP API. What goes wrong is an ApiError with a text for people.
import { signal } from "./reactive.js";

// {needs_token, is_authenticated, version, instance, time_ms, names}, or null before the first answer.
export const session = signal(null);
// Server's clock minus the browser's, as well as one request can tell.
export const skew_ms = signal(0);

export class ApiError extends Error {
  constructor(status, text, retryAfter_s = 0) {
    super(text);
    this.status = status;
    this.retryAfter_s = retryAfter_s;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", cache: "no-store", ...options });
  } catch {
    throw new ApiError(0, "The server does not answer.");
  }
  if (answer.ok) return answer;
  const text = (await answer.text()).trim() || `${answer.status} ${answer.statusText}`;
  if (answer.status === 401 && session.value?.is_authenticated) session.value = { ...session.value, is_authenticated: false };
  throw new ApiError(answer.status, text, Number(answer.headers.get("Retry-After") ?? 0));
}

const sessionPatience_ms = 10000;

const call = async (path, options) => {
  const answer = await ask(path, options);
  return answer.status === 204 ? null : answer.json();
};

const query = (parameters) => {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  return given.length > 0 ? `?${new URLSearchParams(given)}` : "";
};

// patience_ms: 0: for as long as it takes.
export const get = (path, parameters = {}, patience_ms = 0) =>
  call(path + query(parameters), patience_ms > 0 ? { signal: AbortSignal.timeout(patience_ms) } : {});
export const url = (path, parameters) => path + query(parameters);

export const send = (method, path, body, headers = {}) =>
  call(path, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

export async function readTagged(path) {
  const answer = await ask(path);
  return { tag: answer.headers.get("ETag"), content: await answer.json() };
}

export async function readSession() {
  const asked_ms = Date.now();
  const answer = await get("/api/session", {}, sessionPatience_ms);
  skew_ms.value = answer.time_ms - (asked_ms + Date.now()) / 2;
  session.value = answer;
  return answer;
}
