// Who is on the network: the addresses seen most, and a page for each.
import { get } from "./api.js";
import { addCondition } from "./chips.js";
import { stats } from "./feed.js";
import { ago, count, dateTime, visible } from "./format.js";
import { nameOf } from "./names.js";
import { component, effect, html, signal, view } from "./reactive.js";
import * as state from "./state.js";
import { word } from "./words.js";

const hostLink = (address) => state.link({ view: "hosts", host: address, event: "" });

const Ranking = view(({ title, list }) => {
  const most = Math.max(1, ...list.map(([, number]) => number));
  return html`
    <section class="panel">
      <h2>${title} <span class="muted">last hour</span></h2>
      ${list.length === 0 && html`<p class="muted empty">Nothing yet.</p>`}
      <ol class="ranking">${list.map(([address, number, error]) => html`
        <li key=${address}>
          <span class="bar" aria-hidden="true" style=${{ width: `${(100 * number) / most}%` }}></span>
          <a href=${hostLink(address)}>${nameOf(address) && html`<b><bdi>${visible(nameOf(address))}</bdi></b> `}<bdi>${visible(address)}</bdi></a>
          <span class="number" title=${error ? `at most ${count(error)} too many` : "exact"}>${error ? "≈ " : ""}${count(number)}</span>
        </li>`)}</ol>
    </section>`;
});

const Counted = view(({ title, items }) => html`
  <section class="panel">
    <h2>${title} <span class="muted">${items.length}</span></h2>
    ${items.length === 0 ? html`<p class="muted empty">None.</p>` : html`
      <ul class="counted" tabindex="0" aria-label=${title}>${items.map(({ key, content, number }) => html`
        <li key=${key}>${content}<span class="number">${number === undefined ? "" : count(number)}</span></li>`)}</ul>`}
  </section>`);

const valueButton = (key, value, shown) => html`
  <button type="button" class="value" title="Show only these; with shift, all others"
    onClick=${(click) => addCondition(key, value, click.shiftKey)}><bdi>${visible(shown ?? value)}</bdi></button>`;

const Host = component((_, life) => {
  const shown = signal(null);
  const problem = signal("");

  const read = () => {
    const address = state.host.peek();
    if (!address) return;
    get(`/api/host/${encodeURIComponent(address)}`).then(
      (answer) => {
        if (state.host.peek() !== address) return;
        shown.value = answer;
        problem.value = "";
      },
      (error) => {
        if (state.host.peek() !== address) return;
        shown.value = null;
        problem.value = error.message;
      },
    );
  };
  life.mounted(() => effect(() => {
    state.host.value;
    shown.value = null;
    read();
  }));

  const body = (host) => {
    const now_ms = Date.now();
    if (!host.first_ms && host.in + host.out === 0) return html`<p class="panel muted note-line">No event of this address is kept, nor was it seen before.</p>`;
    const bound = (direction) => host.ports.filter((each) => each.direction === direction).map(({ proto, port, count: number }) => ({
      key: `${proto}/${port}`,
      content: html`<button type="button" class="value" title="Show only these" onClick=${() => state.go({ view: "live", match:
        [word(direction === "from" ? "src" : "dst", state.host.value), word("proto", proto), word("dport", port)].join(" ") })}><bdi>${proto}/${port}</bdi></button>`,
      number,
    }));
    return html`
      <div class="panel facts"><dl>
        <div><dt>First seen</dt><dd>${dateTime(host.first_ms)}</dd><dd class="muted">${host.first_ms ? ago(host.first_ms, now_ms) : ""}</dd></div>
        <div><dt>Last seen</dt><dd>${dateTime(host.last_ms)}</dd><dd class="muted">${host.last_ms ? ago(host.last_ms, now_ms) : ""}</dd></div>
        <div><dt>Sent</dt><dd class="number">${count(host.out)}</dd><dd class="muted">packets</dd></div>
        <div><dt>Received</dt><dd class="number">${count(host.in)}</dd><dd class="muted">packets</dd></div>
        <div class="blocked"><dt><span aria-hidden="true">✕ </span>Blocked</dt><dd class="number">${count(host.blocked)}</dd></div>
        <div class="allowed"><dt><span aria-hidden="true">✓ </span>Allowed</dt><dd class="number">${count(host.allowed)}</dd></div>
      </dl></div>
      <div class="columns">
        <${Counted} title="Topics" items=${host.topics.map((each) => ({ key: each.topic, content: valueButton("topic", each.topic), number: each.count }))} />
        <${Counted} title="Ports that it asks for" items=${bound("from")} />
        <${Counted} title="Ports that it is asked on" items=${bound("to")} />
        <${Counted} title="Peers" items=${host.peers.map((each) => ({
          key: each.address,
          content: html`<a href=${hostLink(each.address)}>${each.name && html`<b><bdi>${visible(each.name)}</bdi></b> `}<bdi>${visible(each.address)}</bdi></a>`,
          number: each.count,
        }))} />
        <${Counted} title="Domain names" items=${host.domains.map((each) => ({ key: each.name, content: valueButton("domain", each.name), number: each.count }))} />
        <${Counted} title="MAC addresses" items=${host.macs.map((mac) => ({ key: mac, content: valueButton("mac", mac) }))} />
      </div>
      <p class="muted">Counted over the events that are kept, since ${dateTime(host.kept_since_ms)}; “first seen” is remembered longer.</p>`;
  };

  return () => html`
    <section class="host">
      <header class="title">
        <a href=${state.link({ host: "" })}>Hosts</a> <span aria-hidden="true">/</span>
        <h1><bdi>${shown.value?.name ? visible(shown.value.name) : visible(state.host.value)}</bdi>
          ${shown.value?.name && html` <span class="muted"><bdi>${visible(state.host.value)}</bdi></span>`}</h1>
        <span class="grow"></span>
        <button type="button" onClick=${() => state.go({ view: "live", match: word("host", state.host.value), event: "" })}>Show its events</button>
        <a class="button" href=${state.link({ view: "rules", draft: word("host", state.host.value) })}>Tell me of it…</a>
        <button type="button" onClick=${read}>Count again</button>
      </header>
      ${problem.value && html`<p class="error">${problem.value}</p>`}
      ${shown.value && body(shown.value)}
    </section>`;
});

export const Hosts = component(() => {
  const typed = signal("");
  return () => {
    if (state.host.value) return html`<${Host} />`;
    const top = stats.value?.top ?? { src: [], dst: [] };
    return html`
      <section>
        <header class="title"><h1>Hosts</h1><span class="grow"></span>
          <form class="row-form" onSubmit=${(event) => {
            event.preventDefault();
            if (typed.value.trim()) state.go({ host: typed.value.trim() });
          }}>
            <label for="address">Address</label>
            <input id="address" value=${typed.value} onInput=${(event) => (typed.value = event.target.value)} placeholder="192.0.2.1 or 2001:db8::1" spellcheck="false" autocomplete="off" />
            <button type="submit">Open</button>
          </form>
        </header>
        <div class="columns">
          <${Ranking} title="Senders" list=${top.src ?? []} />
          <${Ranking} title="Receivers" list=${top.dst ?? []} />
        </div>
      </section>`;
  };
});
