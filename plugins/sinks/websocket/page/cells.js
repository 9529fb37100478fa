// The columns of the table: their names, how wide they are at least, and how each shows a row. Made once for each row of the table's pool, and
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

// A value that a click makes a condition of.
function setValue(element, key, value, text) {
  setText(element, text);
  if (element.dataset.value !== String(value)) element.dataset.value = value;
  if (element.dataset.key !== key) element.dataset.key = key;
}

const value = (className, parent) => make("span", `value ${className}`, parent);

// Name, address and port of one side.
function side(address, name, port, portKey, addressKey) {
  return {
    build(cell) {
      const parts = { name: make("bdi", "name", cell), address: value("address", cell), port: value("port", cell) };
      return (row) => {
        const isThere = row[address] !== undefined;
        setText(parts.name, row[name] ? visible(row[name]) : "");
        setValue(parts.address, addressKey, row[address] ?? "", isThere ? row[address] : "");
        cell.title = isThere ? `${row[name] ? `${visible(row[name])} ` : ""}${endpoint(row[address], row[port])}` : "";
        setValue(parts.port, portKey, row[port] ?? "", row[port] === undefined ? "" : `:${row[port]}`);
      };
    },
  };
}

const plain = (key, field, className, show = visible) => ({
  build(cell) {
    const shown = value(className, cell);
    return (row) => setValue(shown, key, row[field] ?? "", row[field] === undefined ? "" : show(row[field]));
  },
});

export const columns = {
  time: {
    title: "Time",
    least_rem: 6.6,
    build(cell) {
      cell.classList.add("number");
      return (row) => {
        setText(cell, clock(row.t, true));
        cell.title = `${dateTime(row.t)} UTC${offset(row.t)}`;
      };
    },
  },
  action: {
    title: "Action",
    least_rem: 5.6,
    build(cell) {
      const mark = make("span", "mark", cell);
      mark.ariaHidden = "true";
      const word = value("action", cell);
      return (row) => {
        setText(mark, row.act === "blocked" ? "✕" : row.act === "allowed" ? "✓" : "");
        setValue(word, "action", row.act ?? "", row.act ?? "");
      };
    },
  },
  proto: { title: "Proto", least_rem: 3.4, ...plain("proto", "proto", "proto") },
  src: { title: "Source", least_rem: 9, share: 1.6, ...side("src", "sn", "sp", "sport", "src") },
  dst: { title: "Destination", least_rem: 9, share: 1.6, ...side("dst", "dn", "dp", "dport", "dst") },
  in: { title: "In", least_rem: 3.6, ...plain("in", "in", "device") },
  out: { title: "Out", least_rem: 3.6, ...plain("out", "out", "device") },
  topic: { title: "Topic", least_rem: 5, share: 0.75, ...plain("topic", "topic", "topic", (topic) => visible(topic.replace(/^nft:/, ""))) },
  length: {
    title: "Bytes",
    least_rem: 3.2,
    build(cell) {
      cell.classList.add("number", "right");
      return (row) => setText(cell, row.len === undefined ? "" : count(row.len));
    },
  },
  info: {
    title: "Info",
    least_rem: 5, share: 0.9,
    build(cell) {
      const text = make("bdi", "", cell);
      return (row) => {
        setText(text, row.info ? visible(row.info) : "");
        cell.title = text.textContent;
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
  if (row.k === "m") return { mark: "✉", text: `${visible(row.topic)}  ${visible(row.info ?? "")}`, time: row.t };
  const many = row.n > 0 ? count(row.n) : "Some";
  if (row.why === "busy") return { mark: "⋯", text: `${many} more came here than are drawn`, action: "show them" };
  if (row.why === "still") return { mark: "⋯", text: `${many} more came here while the table stood still`, action: "show them" };
  return { mark: "⋯", text: `This page missed ${row.n > 0 ? count(row.n) : "some"} here`, action: "load them" };
}

// Builds one row of the pool. Returns {element, fill(row, index)}.
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
  const text = make("bdi", "text", wide);
  const action = make("button", "link", wide);
  action.type = "button";
  action.tabIndex = -1; // Enter on the row does the same
  const cells = names.map((name) => {
    const cell = make("div", `cell c-${name}`);
    cell.role = "gridcell";
    return { cell, fill: columns[name].build(cell) };
  });
  let kind = "";
  return {
    element,
    fill(row) {
      const next = row.k === "p" ? "packet" : "wide";
      if (kind !== next) {
        kind = next;
        element.replaceChildren(...(kind === "packet" ? cells.map((each) => each.cell) : [wide]));
      }
      const className = `row ${row.k === "p" ? row.act ?? "" : `is-wide k-${row.k}`}`;
      if (element.className !== className) element.className = className;
      if (kind === "packet") {
        for (const each of cells) each.fill(row);
        return;
      }
      const shown = wideText(row);
      setText(wideTime, shown.time ? clock(shown.time, true) : "");
      setText(wideMark, shown.mark);
      setText(text, shown.text);
      setText(action, shown.action ?? "");
      action.hidden = !shown.action;
    },
  };
}
