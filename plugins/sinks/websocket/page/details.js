// All that is known of one event, beside the table: what it says, the rule that logged it, and what can be done with it.
import { get } from "./api.js";
import { addCondition } from "./chips.js";
import { dateTime, offset, visible } from "./format.js";
import { nameOf } from "./names.js";
import { component, effect, html, signal, view } from "./reactive.js";
import * as state from "./state.js";
import { word } from "./words.js";

// Which key of the matcher compares a field of the packet's JSON.
const keys = {
  "IP.SrcIP": "src", "IP.DstIP": "dst", "IP.Length": "length", "Prefix": "prefix", "Action": "action", "InDev": "in", "OutDev": "out",
  "PhysInDev": "physin", "PhysOutDev": "physout", "Group": "group", "Mark": "mark", "UID": "uid", "Ethernet.SrcMAC": "mac",
  "Ethernet.DstMAC": "mac", "Topic": "topic", "ARP.SourceProtAddress": "src", "ARP.DstProtAddress": "dst", "rule": "rule",
};
for (const layer of ["TCP", "UDP", "SCTP"]) {
  keys[`${layer}.SrcPort`] = "sport";
  keys[`${layer}.DstPort`] = "dport";
}
for (let at = 0; at < 4; at += 1) keys[`DNS.Questions[${at}].Name`] = "domain";
const layers = ["IP", "TCP", "UDP", "ICMP", "ICMPv6", "SCTP", "ARP", "DNS", "DHCP", "Ethernet", "VLAN"];
const bulky = new Set(["Contents", "Payload"]);

const base64 = (text) => {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)));
  } catch {
    return text;
  }
};

// [{path, text}] of a layer; names in DNS messages are base64.
function flatten(value, path, out = []) {
  if (value === null || value === undefined || value === "") return out;
  if (Array.isArray(value)) {
    value.forEach((each, at) => flatten(each, `${path}[${at}]`, out));
  } else if (typeof value === "object") {
    for (const [name, each] of Object.entries(value)) if (!bulky.has(name)) flatten(each, path ? `${path}.${name}` : name, out);
  } else if (value !== false) {
    const isName = path.startsWith("DNS.") && /\.(Name|NS|CNAME|PTR)$/.test(path);
    out.push({ path, text: isName ? base64(value) : value === true ? "yes" : String(value) });
  }
  return out;
}

const Field = view(({ name, text, matchKey }) => html`
  <div class="field">
    <dt>${visible(name)}</dt>
    <dd><bdi>${visible(text)}</bdi></dd>
    ${matchKey && html`<dd class="do">
      <button type="button" title="Show only these" aria-label=${`Show only ${name} ${text}`} onClick=${() => addCondition(matchKey, text)}>=</button>
      <button type="button" title="Leave these out" aria-label=${`Leave out ${name} ${text}`} onClick=${() => addCondition(matchKey, text, true)}>≠</button>
    </dd>`}
  </div>`);

// isMark: what a filter added; the matcher knows it by its name.
const Layer = view(({ name, value, isMark }) => {
  const fields = flatten(value, name);
  if (fields.length === 0) return null;
  return html`
    <section>
      <h3>${visible(name)}</h3>
      <dl>${fields.map(({ path, text }) => html`
        <${Field} key=${path} name=${path.slice(name.length).replace(/^\./, "") || name} text=${text}
          matchKey=${isMark && path === name ? name : keys[path]} />`)}
      </dl>
    </section>`;
});

function splitEvent(event) {
  const top = [];
  const marks = [];
  const ours = new Set(["Prefix", "Action", "Timestamp", "InDev", "OutDev", "PhysInDev", "PhysOutDev", "Group", "Mark", "UID", "GID", "Hook",
    "Seq", "DecodeError", "Truncated", "Topic", "Message"]);
  for (const [name, value] of [...Object.entries(event), ...Object.entries(event.Fields ?? {})]) {
    if (name === "Fields" || layers.includes(name) || bulky.has(name)) continue;
    if (ours.has(name)) top.push(...flatten(value, name));
    else marks.push([name, value]);
  }
  return { top, marks };
}

// The words that mean events like this one: who, to whom, where.
export function wordsFor(event) {
  const transport = event.TCP ? "tcp" : event.UDP ? "udp" : event.ICMP ? "icmp" : event.ICMPv6 ? "icmpv6" : "";
  const port = (event.TCP ?? event.UDP)?.DstPort;
  return [
    transport && word("proto", transport),
    event.IP?.SrcIP && word("src", event.IP.SrcIP),
    port !== undefined && word("dport", port),
    event.Prefix && word("prefix", event.Prefix.trim()),
  ].filter(Boolean).join(" ");
}

// A browser has a clipboard for pages of TLS and of this device; to others it lends it as to somebody who types.
async function copyText(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  if (!isCopied) throw new Error("no clipboard");
}

export const Details = component((_, life) => {
  const shown = signal(null);
  const problem = signal("");
  const said = signal("");

  life.mounted(() => effect(() => {
    const id = state.event.value;
    said.value = "";
    if (!id) return; // about to go
    get(`/api/event/${encodeURIComponent(id)}`).then(
      (answer) => {
        if (state.event.peek() !== id) return;
        shown.value = answer;
        problem.value = "";
      },
      (error) => {
        if (state.event.peek() !== id) return;
        shown.value = null;
        problem.value = error.status === 404 ? "This event is no longer kept." : error.message;
      },
    );
  }));

  const closer = { current: null };
  life.mounted(() => {
    // Over the whole of a small window it takes the keyboard; beside the table it leaves it there.
    if (matchMedia("(max-width: 900px)").matches) closer.current.focus();
  });

  const close = () => state.go({ event: "" });

  const copy = async () => {
    try {
      await copyText(JSON.stringify(shown.value.event, null, 2));
      said.value = "Copied.";
    } catch {
      said.value = "The browser does not let this page copy.";
    }
  };

  const body = ({ id, topic, time_ns, event, ulogd }) => {
    const time_ms = Number(BigInt(time_ns) / 1000000n);
    const { top, marks } = splitEvent(event);
    const rule = marks.filter(([name]) => name === "rule" || name === "rule_candidates");
    const others = marks.filter(([name]) => name !== "rule" && name !== "rule_candidates");
    const ends = [["Source", event.IP?.SrcIP], ["Destination", event.IP?.DstIP]].filter(([, address]) => address);
    return html`
      <p class="lead"><span class=${`badge ${event.Action ?? ""}`}><span aria-hidden="true">${event.Action === "blocked" ? "✕ " : event.Action ? "✓ " : ""}</span>${event.Action ?? "message"}</span>
        <bdi>${visible(topic)}</bdi></p>
      <p class="muted number">${dateTime(time_ms)}.${time_ns.slice(-9)} <span title="this browser's zone">UTC${offset(time_ms)}</span></p>
      <div class="actions">
        <button type="button" onClick=${copy}>Copy as JSON</button>
        <a class="button" href=${state.link({ view: "rules", event: "", draft: wordsFor(event) || word("topic", topic) })}>Tell me of these…</a>
      </div>
      <p class="muted" role="status">${said.value}</p>
      <section class="rule"><h3>Rule that logged it</h3>
        ${rule.length === 0
          ? html`<p class="muted">Not known: the filter nftcontext under [[capture]] finds it.</p>`
          : html`<dl>${rule.flatMap(([name, value]) => flatten(value, name)).map(({ path, text }) => html`
              <${Field} key=${path} name=${path.startsWith("rule_candidates") ? "one of" : "rule"} text=${text} matchKey=${path === "rule" ? "rule" : ""} />`)}</dl>`}
      </section>
      ${ends.length > 0 && html`<section><h3>Hosts</h3><ul class="plain">${ends.map(([side, address]) => html`
        <li key=${side}>${side} <a href=${state.link({ view: "hosts", host: address, event: "" })}>${nameOf(address) && html`<b><bdi>${visible(nameOf(address))}</bdi></b> `}<bdi>${address}</bdi></a></li>`)}</ul></section>`}
      ${others.map(([name, value]) => html`<${Layer} key=${name} name=${name} value=${value} isMark=${true} />`)}
      <section><h3>Log</h3><dl>${top.map(({ path, text }) => html`<${Field} key=${path} name=${path} text=${text} matchKey=${keys[path]} />`)}</dl></section>
      ${layers.filter((name) => event[name]).map((name) => html`<${Layer} key=${name} name=${name} value=${event[name]} />`)}
      <details><summary>JSON</summary><pre tabindex="0">${visible(JSON.stringify(event, null, 2)).replace(/‹U\+000A›/g, "\n")}</pre></details>
      ${ulogd && html`<details><summary>As ulogd2 writes it</summary><pre tabindex="0">${visible(JSON.stringify(ulogd, null, 2)).replace(/‹U\+000A›/g, "\n")}</pre></details>`}
      <p class="muted">Event ${id}</p>`;
  };

  return () => html`
    <aside class="panel details" aria-label="Event">
      <header><h2>Event</h2><button ref=${closer} type="button" class="close" aria-label="Close details (Escape)" onClick=${close}>×</button></header>
      <div class="scroll" tabindex="0" role="group" aria-label="All fields">
        ${problem.value && html`<p class="error">${problem.value}</p>`}
        ${shown.value && body(shown.value)}
      </div>
    </aside>`;
});
