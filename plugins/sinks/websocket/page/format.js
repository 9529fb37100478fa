// Numbers, times and texts as people read them.

const grouped = new Intl.NumberFormat("en-US");
export const count = (number) => grouped.format(number ?? 0);

// 999, 12.3k, 4.5M: for places where the exact number does not fit, or does not matter.
export function short(number) {
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (number >= size) return Number((number / size).toFixed(number < size * 10 ? 2 : number < size * 100 ? 1 : 0)) + unit;
  }
  return String(Math.round(number));
}

export function bytes(size) {
  for (const [unit, name] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (size >= unit) return `${(size / unit).toFixed(1)} ${name}`;
  }
  return `${count(size)} B`;
}

export function percent(part, whole) {
  const share = whole > 0 ? (100 * part) / whole : 0;
  return share > 0 && share < 0.1 ? "< 0.1 %" : `${share.toFixed(1)} %`;
}

const two = (number) => (number < 10 ? `0${number}` : String(number));
const three = (number) => (number < 10 ? `00${number}` : number < 100 ? `0${number}` : String(number));

export function clock(time_ms, withFraction = false) {
  const date = new Date(time_ms);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withFraction ? `${text}.${three(date.getMilliseconds())}` : text;
}

export function day(time_ms) {
  const date = new Date(time_ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export const dateTime = (time_ms) => (time_ms ? `${day(time_ms)} ${clock(time_ms)}` : "–");

// "+01:00", as it is at that time.
export function offset(time_ms) {
  const minutes = -new Date(time_ms).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

export function duration(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export const ago = (time_ms, now_ms) => `${duration(Math.max(0, (now_ms - time_ms) / 1000))} ago`;

// Control characters, and those that have no width or turn the direction of writing, are shown as their numbers: a name
// must not look like another one.
const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]/g;

export function visible(text) {
  return String(text).replace(hidden, (c) => `‹U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

// An address with its port, as it is written in URLs.
export function endpoint(address, port) {
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
