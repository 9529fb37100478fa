// The words of a match, as command lines have them: key=value,value !key="a b". The server alone knows what they mean; here
// they are only taken apart, so that each can be a chip, and put together again.

// [{raw, start, end, isOpen}]: what blanks separate. isOpen: a quote has not been closed.
export function split(text) {
  const words = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at])) {
      at += 1;
      continue;
    }
    const start = at;
    let quote = "";
    while (at < text.length && (quote || !/\s/.test(text[at]))) {
      const c = text[at];
      if (c === "\\" && quote !== "'") at += 1;
      else if (quote) quote = c === quote ? "" : quote;
      else if (c === '"' || c === "'") quote = c;
      at += 1;
    }
    at = Math.min(at, text.length);
    words.push({ raw: text.slice(start, at), start, end: at, isOpen: quote !== "" });
  }
  return words;
}

// {isNegated, key, values}; values without their quotes. key is "" for a word that has no "=".
export function parse(raw) {
  const isNegated = raw.startsWith("!");
  const body = isNegated ? raw.slice(1) : raw;
  const equals = body.indexOf("=");
  if (equals < 0) return { isNegated, key: "", values: [body] };
  const values = [""];
  let quote = "";
  for (let at = equals + 1; at < body.length; at += 1) {
    const c = body[at];
    if (c === "\\" && quote !== "'" && at + 1 < body.length) {
      at += 1;
      values[values.length - 1] += body[at];
    } else if (quote) {
      if (c === quote) quote = "";
      else values[values.length - 1] += c;
    } else if (c === '"' || c === "'") {
      quote = c;
    } else if (c === ",") {
      values.push("");
    } else {
      values[values.length - 1] += c;
    }
  }
  return { isNegated, key: body.slice(0, equals), values };
}

const quoted = (value) => (/^[^\s,"'\\]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`);

export function word(key, values, isNegated = false) {
  return `${isNegated ? "!" : ""}${key}=${[].concat(values).map((value) => quoted(String(value))).join(",")}`;
}

// What people type first: an address alone means either side, a number alone a port, a MAC a MAC.
export function completed(text) {
  return joined(split(text).map(({ raw }) => {
    const [, mark, body] = /^(!?)(.*)$/s.exec(raw);
    if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(body)) return `${mark}mac=${body}`;
    if (/^\d+(\.\d+){3}(\/\d+)?$/.test(body) || /^[0-9a-f]*:[0-9a-f:.]*:[0-9a-f:.]*(\/\d+)?$/i.test(body)) return `${mark}host=${body}`;
    return /^\d{1,5}$/.test(body) ? `${mark}port=${body}` : raw;
  }));
}

const joined = (words) => words.map((each) => each.raw ?? each).join(" ");

// One condition more. What must hold of a key is replaced, since an event has one value of it; what must not grows.
export function withCondition(text, key, value, isNegated = false) {
  const words = split(text).map((each) => each.raw);
  const at = words.findIndex((raw) => {
    const parsed = parse(raw);
    return parsed.key === key && parsed.isNegated === isNegated;
  });
  if (at < 0) return joined([...words, word(key, value, isNegated)]);
  const before = parse(words[at]).values;
  const values = isNegated ? [...new Set([...before, String(value)])] : [value];
  words[at] = word(key, values, isNegated);
  return joined(words);
}

export const without = (text, index) => joined(split(text).filter((_, at) => at !== index));

// The same condition, the other way round; where one of that kind is there already, they become one.
export function inverted(text, index) {
  const words = split(text).map((each) => each.raw);
  const { key, isNegated, values } = parse(words[index]);
  const other = words.findIndex((raw, at) => at !== index && key !== "" && parse(raw).key === key && parse(raw).isNegated !== isNegated);
  if (other < 0) {
    words[index] = isNegated ? words[index].slice(1) : `!${words[index]}`;
  } else {
    // What must hold is the last word; what must not grows.
    words[other] = word(key, isNegated ? values : [...new Set([...parse(words[other]).values, ...values])], !isNegated);
    words.splice(index, 1);
  }
  return joined(words);
}
