// How the host itself is: what came, what was lost, who is behind. Also the sums for the header.
import { skew_ms } from "./api.js";
import { stats, status } from "./feed.js";
import { bytes, count, dateTime, duration, offset, percent, visible, zone } from "./format.js";
import { computed, html, view } from "./reactive.js";

const sum = (list, key) => (list ?? []).reduce((total, each) => total + (each[key] ?? 0), 0);

// {received, lost, queued, overflowed, failing: names of sinks}, or null before the first status.
export const health = computed(() => {
  const now = status.value;
  if (!now) return null;
  return {
    received: sum(now.capture, "received"),
    lost: sum(now.capture, "lost"),
    queued: sum(now.sinks, "queued"),
    overflowed: sum(now.sinks, "overflowed") + sum(now.sinks, "rejected"),
    failing: (now.sinks ?? []).filter((sink) => sink.state !== "running").map((sink) => sink.name),
  };
});

// What did not get where it was to go, and why: [{n, what, why}].
function lossesOf(now) {
  const losses = [];
  const note = (n, what, why) => n > 0 && losses.push({ n, what, why });
  for (const group of now.capture ?? []) {
    note(group.lost, `packets of group ${group.group},`, `${percent(group.lost, group.lost + group.received)} of what its rules logged: the kernel’s buffer was full. Raise its recv_buffer, or log less.`);
  }
  for (const source of now.sources ?? []) note(source.malformed, `events of the source ${source.name}`, "were no packet record or message.");
  for (const sink of now.sinks ?? []) {
    const where = `events for the sink ${sink.name}`;
    note(sink.overflowed, where, "found its queue full. Raise its queue, or give it less.");
    note(sink.rejected, where, `were refused${sink.dead_letters > 0 ? `; ${count(sink.dead_letters)} of them are in its dead letters` : ""}.`);
    note(sink.corrupted, where, "could not be read again from its spill.");
  }
  for (const { filter, where } of filtersOf(now)) note(filter.unheard, `messages for the filter ${filter.name} of ${where}`, "came faster than it could hear them.");
  note(now.clients_total?.overflowed, "lines for clients of the bus", "found a client that did not keep up.");
  return losses;
}

// Every filter with whose events it sees: [{filter, where}].
function filtersOf(now) {
  const groups = (filter) => `group${filter.groups?.length > 1 ? "s" : ""} ${(filter.groups ?? []).join(", ")}`;
  return [
    ...(now.filters ?? []).map((filter) => ({ filter, where: groups(filter) })),
    ...(now.sinks ?? []).flatMap((sink) => (sink.filters ?? []).map((filter) => ({ filter, where: `sink ${sink.name}` }))),
    ...(now.bus?.filters ?? []).map((filter) => ({ filter, where: "the bus" })),
  ];
}

const Verdict = view(({ host, sums }) => {
  const losses = lossesOf(host);
  const isBad = losses.length > 0 || sums.failing.length > 0;
  return html`
    <div class=${`panel verdict ${isBad ? "is-bad" : "is-good"}`}>
      ${losses.length === 0 && html`<p>${isBad ? "No packet lost" : html`<b>✓ No packet lost</b>`} <span class="muted">of ${count(sums.received)} that the rules logged</span></p>`}
      ${losses.length > 0 && sums.lost === 0 && html`<p class="muted">The kernel lost none of the ${count(sums.received)} packets that the rules logged; behind it:</p>`}
      ${losses.map(({ n, what, why }) => html`<p key=${what + why}><b>▲ ${count(n)} lost:</b> <bdi>${visible(what)}</bdi> <span class="muted">${why}</span></p>`)}
      ${sums.failing.length > 0 && html`<p><b>▲ Not delivering:</b> <bdi>${sums.failing.map(visible).join(", ")}</bdi></p>`}
    </div>`;
});

const Cell = view(({ value, isBad }) => html`<td class=${`number${isBad && value > 0 ? " bad" : ""}`}>${isBad && value > 0 ? html`<span aria-hidden="true">▲ </span>` : ""}${count(value)}</td>`);

const Table = view(({ title, note, head, children }) => html`
  <section class="panel">
    <h2>${title} ${note && html`<span class="muted">${note}</span>`}</h2>
    <div class="wide-table" tabindex="0" role="region" aria-label=${title}>
      <table><thead><tr>${head.map((name) => html`<th key=${name} scope="col">${name}</th>`)}</tr></thead><tbody>${children}</tbody></table>
    </div>
  </section>`);

const Queue = view(({ sink }) => html`
  <td class="number">${count(sink.queued)}${sink.queue_limit ? html` <span class="gauge" aria-hidden="true"><span style=${{ width: `${(100 * sink.queued) / sink.queue_limit}%` }}></span></span>
    <span class="muted">${percent(sink.queued, sink.queue_limit)}</span>` : ""}</td>`);

const Call = view(({ of }) => (of.call ? html`<span class="bad">in ${of.call}() for ${duration(of.call_s)}</span>` : null));

// Columns that none of them has anything for are left out.
const Sinks = view(({ sinks }) => {
  const hasTarget = sinks.some((sink) => sink.target);
  return html`
  <${Table} title="Sinks" head=${["Name", "Plugin", ...(hasTarget ? ["Writes to"] : []), "State", "Delivered", "Waiting", "Overflowed", "Rejected", "On disk", "Last error"]}>
    ${sinks.map((sink) => html`
      <tr key=${sink.name}><th scope="row"><bdi>${visible(sink.name)}</bdi></th><td>${sink.plugin}</td>${hasTarget && html`<td class="path"><bdi>${visible(sink.target ?? "–")}</bdi></td>`}
        <td class=${sink.state === "running" ? "" : "bad"}>${sink.state}${sink.call && html`<br /><${Call} of=${sink} />`}</td>
        <${Cell} value=${sink.delivered} /><${Queue} sink=${sink} /><${Cell} value=${sink.overflowed} isBad=${true} /><${Cell} value=${sink.rejected} isBad=${true} />
        <td class="number">${sink.spilled_bytes ? bytes(sink.spilled_bytes) : "–"}</td><td class="path">${sink.last_error ? visible(sink.last_error.text ?? sink.last_error) : "–"}</td></tr>`)}
  <//>`;
});

const Filters = view(({ filters }) => html`
  <${Table} title="Filters" head=${["Name", "Plugin", "Where", "Failed calls", "Heard", "Unheard", "Its own counts"]}>
    ${filters.map(({ filter, where }) => html`
      <tr key=${`${where}/${filter.name}`}><th scope="row"><bdi>${visible(filter.name)}</bdi></th><td>${filter.plugin}</td><td><bdi>${visible(where)}</bdi>${filter.call && html`<br /><${Call} of=${filter} />`}</td>
        <${Cell} value=${filter.failures} isBad=${true} /><${Cell} value=${filter.heard} /><${Cell} value=${filter.unheard} isBad=${true} />
        <td class="path">${Object.entries(filter.counters ?? {}).map(([name, n]) => `${visible(name)} ${count(n)}`).join(" · ") || "–"}</td></tr>`)}
  <//>`);

const Groups = view(({ groups }) => html`
  <${Table} title="NFLOG groups" note="received + lost is what your rules’ counters saw"
    head=${["Group", "Action", "Received", "Lost", "Published", "Filtered", "Not forwarded", "Decode errors", "Buffer ran over"]}>
    ${groups.map((group) => html`
      <tr key=${group.group}><th scope="row" class="number">${group.group}</th><td class=${group.action}>${group.action}</td>
        <${Cell} value=${group.received} /><${Cell} value=${group.lost} isBad=${true} /><${Cell} value=${group.published} /><${Cell} value=${group.filtered} />
        <${Cell} value=${group.not_forwarded} /><${Cell} value=${group.decode_errors} isBad=${true} /><${Cell} value=${group.enobufs} isBad=${true} /></tr>`)}
  <//>`);

export const Health = view(() => {
  const host = status.value;
  const page = stats.value;
  const sums = health.value;
  return html`
    <section>
      <header class="title"><h1>Health</h1></header>
      ${sums && html`<${Verdict} host=${host} sums=${sums} />`}
      ${!host && html`<p class="panel muted note-line">The host’s status has not come yet. This sink needs “nfbus:” among its topics for it.</p>`}
      ${host && html`<${Groups} groups=${host.capture ?? []} />`}
      ${host && html`<${Sinks} sinks=${host.sinks ?? []} />`}
      ${host && filtersOf(host).length > 0 && html`<${Filters} filters=${filtersOf(host)} />`}
      <div class="columns">
        ${host && html`<section class="panel"><h2>Process</h2><dl class="pairs">
          <div><dt>nfbus</dt><dd>${host.version}</dd></div>
          <div><dt>Running for</dt><dd>${duration(host.uptime_s)}</dd></div>
          <div><dt>Processor time</dt><dd class="number">${duration(host.cpu_s)}</dd></div>
          <div><dt>Memory</dt><dd class="number">${bytes(host.memory?.resident_bytes ?? 0)}</dd></div>
          <div><dt>Bus clients</dt><dd class="number">${count(host.clients_total?.connected ?? 0)}</dd></div>
          <div><dt>Log lines dropped</dt><dd class="number">${count(host.log?.dropped ?? 0)}</dd></div>
        </dl></section>`}
        ${page && html`<section class="panel"><h2>This page’s server</h2><dl class="pairs">
          <div><dt>Events kept</dt><dd class="number">${count(page.history.events)} · ${bytes(page.history.bytes)}</dd></div>
          <div><dt>Oldest kept</dt><dd>${dateTime(page.history.oldest_ms)}</dd></div>
          <div><dt>Pages connected</dt><dd class="number">${count(page.clients)}</dd></div>
          <div><dt>Notifications told</dt><dd class="number">${count(page.notified)}</dd></div>
          <div><dt>Held back</dt><dd class="number">${count(page.held_back)}</dd></div>
        </dl></section>`}
        <section class="panel"><h2>Clocks</h2><dl class="pairs">
          <div><dt>Browser’s zone</dt><dd>${zone()} (UTC${offset(Date.now())})</dd></div>
          <div><dt>Server − browser</dt><dd class=${`number${Math.abs(skew_ms.value) > 2000 ? " bad" : ""}`}>${duration(Math.abs(skew_ms.value) / 1000)} ${skew_ms.value < 0 ? "behind" : "ahead"}</dd></div>
        </dl></section>
      </div>
    </section>`;
});
