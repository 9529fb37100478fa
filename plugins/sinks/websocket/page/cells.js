// The columns of the table: their names, how wide they may be, and how each shows a row. Made once for each row of the table's pool, and
// filled again and again: only texts that differ are written.
import { clock, count, dateTime, endpoint, offset, visible } from "./format.js";

const make = (tag, className, parent) => {
  const element = document.createElement(tag);
  element.className = className;
  parent?.append(element);
  return element;
};

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Makes an element a value: a click on it becomes a condition.
function setCondition(element, key, value) {
  if (element.dataset.value !== String(value)) element.dataset.value = value;
  if (element.dataset.key !== key) element.dataset.key = key;
}

function setValue(element, key, value, text) {
  setText(element, text);
  setCondition(element, key, value);
}

const value = (className, parent) => make("span", `value ${className}`, parent);

// [beginning, end] of an address. Where it does not fit it is shortened between the two: what tells the hosts of a network
// apart is at the end.
export function parted(address) {
  const at = address.includes(":") ? Math.max(0, address.length - 9) : address.lastIndexOf(".");
  return at > 0 ? [address.slice(0, at), address.slice(at)] : ["", address];
}

const nameWidth = 1.15; // of a character of a name, in characters of the table's font
const mostForNamed = 30; // of what has a name: more of it may be left out before other columns become narrower

// Name and port of one side, and its address where there is room for all of it; address and port where it has no name.
function side(address, name, port, portKey, addressKey) {
  return {
    build(cell) {
      const who = make("span", "who", cell);
      const called = make("bdi", "value name", who);
      const nameless = value("address", who);
      const begin = make("span", "begin", nameless);
      const end = make("span", "end", nameless);
      const through = value("port", who);
      const aside = value("aside", cell);
      return (row) => {
        const where = row[address] ?? "";
        const shownName = where && row[name] ? visible(row[name]) : "";
        const shownPort = row[port] === undefined ? "" : `:${row[port]}`;
        const [first, last] = shownName ? ["", ""] : parted(where);
        setValue(called, addressKey, where, shownName);
        setText(begin, first);
        setText(end, last);
        setCondition(nameless, addressKey, where);
        setValue(through, portKey, row[port] ?? "", shownPort);
        setValue(aside, addressKey, where, shownName ? ` ${where}` : ""); // the blank is for those who copy or hear it
        cell.title = where ? `${shownName} ${endpoint(where, row[port])}`.trimStart() : "";
        if (!shownName) return where.length + shownPort.length;
        const named = Math.ceil(shownName.length * nameWidth) + shownPort.length;
        const whole = named + 1 + where.length;
        return whole <= mostForNamed ? whole : Math.min(named, mostForNamed);
      };
    },
  };
}

const plain = (key, field, className, show = visible) => ({
  build(cell) {
    const shown = value(className, cell);
    return (row) => {
      const text = row[field] === undefined ? "" : show(row[field]);
      setValue(shown, key, row[field] ?? "", text);
      return text.length;
    };
  },
});

// least, most: the width in characters. A column takes what its widest text so far needs; where that is too much for all, each
// has at least so much of it, and most at most. build(cell) returns a function that shows a row and returns how many
// characters that needs.
export const columns = {
  time: {
    title: "Time",
    least: 12, most: 12,
    build(cell) {
      cell.classList.add("number");
      return (row) => {
        setText(cell, clock(row.t, true));
        cell.title = `${dateTime(row.t)} UTC${offset(row.t)}`;
        return 12;
      };
    },
  },
  action: {
    title: "Action",
    least: 9.3, most: 9.3,
    build(cell) {
      const mark = make("span", "mark", cell);
      mark.ariaHidden = "true";
      const word = value("action", cell);
      return (row) => {
        setText(mark, row.act === "blocked" ? "✕" : row.act === "allowed" ? "✓" : "");
        setValue(word, "action", row.act ?? "", row.act ?? "");
        return 9.3; // the mark is not of the font
      };
    },
  },
  proto: { title: "Proto", least: 6, most: 9, ...plain("proto", "proto", "proto") },
  src: { title: "Source", least: 18, most: 47, ...side("src", "sn", "sp", "sport", "src") },
  dst: { title: "Destination", least: 18, most: 47, ...side("dst", "dn", "dp", "dport", "dst") },
  in: { title: "In", least: 4, most: 15, ...plain("in", "in", "device") },
  out: { title: "Out", least: 4, most: 15, ...plain("out", "out", "device") },
  topic: { title: "Topic", least: 7, most: 24, ...plain("topic", "topic", "topic", (topic) => visible(topic.replace(/^nft:/, ""))) },
  length: {
    title: "Bytes",
    least: 6, most: 7,
    build(cell) {
      cell.classList.add("number", "right");
      const shown = value("length", cell);
      return (row) => {
        const text = row.len === undefined ? "" : count(row.len);
        setValue(shown, "length", row.len ?? "", text);
        return text.length;
      };
    },
  },
  info: {
    title: "Info",
    least: 16, most: 200,
    build(cell) {
      const text = make("bdi", "", cell);
      return (row) => {
        setText(text, row.info ? visible(row.info) : "");
        cell.title = text.textContent;
        return text.textContent.length;
      };
    },
  },
};

// "in" is a word of two columns in the address: in and out belong together.
export const expand = (names) => names.flatMap((name) => (name === "in" ? ["in", "out"] : [name]));

// What rows that are no packets say, over all columns.
export function wideText(row) {
  if (row.k === "l" && row.group === undefined) {
    return { mark: "▲", text: `${count(row.lost)} events lost: the queue of this page’s sink was full`, time: row.t };
  }
  if (row.k === "l") {
    return { mark: "▲", text: `${count(row.lost)} packets lost in group ${row.group}: the kernel’s buffer for nfbus was full`, time: row.t };
  }
  if (row.k === "m") return { mark: "✉", topic: row.topic, text: visible(row.info ?? ""), time: row.t };
  const many = row.n > 0 ? count(row.n) : "Some";
  if (row.why === "busy") return { mark: "⋯", text: `${many} more came here than are drawn`, action: "show them" };
  if (row.why === "still") return { mark: "⋯", text: `${many} more came here while the table stood still`, action: "show them" };
  if (row.why === "lost" && row.n > 0) return { mark: "⋯", text: `${count(row.n)} came here and ${row.n === 1 ? "is" : "are"} kept no more` };
  if (row.why === "lost") return { mark: "⋯", text: "What came here, if anything did, is kept no more" };
  return { mark: "⋯", text: `This page missed ${row.n > 0 ? count(row.n) : "some"} here`, action: "load them" };
}

// Builds one row of the pool. Returns {element, fill(row, needs)}; needs: how many characters each column has needed so far, which
// fill() adds to, and returns true if it did.
export function buildRow(names, id) {
  const element = make("div", "row");
  element.role = "row";
  element.id = id;
  const wide = make("div", "wide");
  wide.role = "gridcell";
  wide.ariaColSpan = String(names.length);
  const wideTime = make("span", "number", wide);
  const wideMark = make("span", "mark", wide);
  wideMark.ariaHidden = "true";
  const text = make("span", "text", wide);
  const topic = make("bdi", "value topic", text);
  const said = make("bdi", "said");
  text.append(" ", said);
  const action = make("button", "link", wide);
  action.type = "button";
  action.tabIndex = -1; // Enter on the row does the same
  const cells = names.map((name) => {
    const cell = make("div", `cell c-${name}`);
    cell.role = "gridcell";
    return { name, cell, fill: columns[name].build(cell) };
  });
  let kind = "";
  return {
    element,
    fill(row, needs) {
      const next = row.k === "p" ? "packet" : "wide";
      if (kind !== next) {
        kind = next;
        element.replaceChildren(...(kind === "packet" ? cells.map((each) => each.cell) : [wide]));
      }
      const className = `row ${row.k === "p" ? row.act ?? "" : `is-wide k-${row.k}`}`;
      if (element.className !== className) element.className = className;
      if (kind === "packet") {
        let hasGrown = false;
        for (const each of cells) {
          const need = Math.min(each.fill(row), columns[each.name].most);
          if (need <= needs[each.name]) continue;
          needs[each.name] = need;
          hasGrown = true;
        }
        return hasGrown;
      }
      const shown = wideText(row);
      setText(wideTime, shown.time ? clock(shown.time, true) : "");
      setText(wideMark, shown.mark);
      setValue(topic, "topic", shown.topic ?? "", visible(shown.topic ?? ""));
      setText(said, shown.text);
      setText(action, shown.action ?? "");
      action.hidden = !shown.action;
      return false;
    },
  };
}
