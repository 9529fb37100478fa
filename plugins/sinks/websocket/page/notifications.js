// What the rules had to say, newest first, and how to have some quiet.
import { isHidden, keptNotes, notes, readNotifications, ruleOverview, rulesError } from "./feed.js";
import { skew_ms } from "./api.js";
import { clock, count, dateTime, day, duration, visible } from "./format.js";
import { component, html, signal, view } from "./reactive.js";
import { snooze } from "./rule_lists.js";
import * as state from "./state.js";

export const seenNote = signal(Number.MAX_SAFE_INTEGER); // the newest that was looked at; none yet: all that are there
const serverNow_ms = () => Date.now() + skew_ms.peek(); // a snooze ends by the server's clock

const firstNotes = 50;
// The page keeps no more than these.
export const upToMost = (number) => (number < keptNotes ? count(number) : `${count(keptNotes)}+`);

const marks = { info: "i", success: "✓", warning: "!", error: "✕", danger: "‼" };

export const Severity = view(({ severity }) => html`
  <span class=${`severity ${severity}`}><span class="mark" aria-hidden="true">${marks[severity] ?? "i"}</span>${severity}</span>`);

const Snooze = component(() => {
  const isChoosing = signal(false);
  const until = signal("");
  const problem = signal("");
  const run = async (name, until_ms) => {
    try {
      await snooze(name, until_ms);
      await readNotifications();
      problem.value = "";
      isChoosing.value = false;
    } catch (error) {
      problem.value = error.message;
    }
  };
  return ({ rule }) => {
    const isSnoozed = rule.snooze_until && Date.parse(rule.snooze_until) > serverNow_ms();
    const hour_ms = 3600e3;
    return html`
      <div class="snooze">
        ${isSnoozed
          ? html`<span class="muted">silent until ${dateTime(Date.parse(rule.snooze_until))}</span>
              <button type="button" onClick=${() => run(rule.name, null)}>Wake</button>`
          : html`
              <span class="muted" id=${`snooze-${rule.index}`}>Silent for</span>
              <span role="group" aria-labelledby=${`snooze-${rule.index}`} class="buttons">
                <button type="button" onClick=${() => run(rule.name, serverNow_ms() + hour_ms)}>1 h</button>
                <button type="button" onClick=${() => run(rule.name, serverNow_ms() + 24 * hour_ms)}>1 day</button>
                <button type="button" aria-expanded=${isChoosing.value ? "true" : "false"} onClick=${() => (isChoosing.value = !isChoosing.value)}>until…</button>
              </span>`}
        ${isChoosing.value && !isSnoozed && html`
          <form class="row-form" onSubmit=${(event) => {
            event.preventDefault();
            const until_ms = new Date(until.value).getTime();
            if (until_ms > serverNow_ms()) run(rule.name, until_ms);
            else problem.value = "Choose a time that is still to come.";
          }}>
            <label>Until <input type="datetime-local" required value=${until.value} onInput=${(event) => (until.value = event.target.value)} /></label>
            <button type="submit">Set</button>
          </form>`}
        ${problem.value && html`<p class="error" role="alert">${problem.value}</p>`}
      </div>`;
  };
});

export const RulesError = view(() => rulesError.value &&
  html`<p class="error" role="alert">The file of rules cannot be read, and what is shown here is in force: <bdi>${visible(rulesError.value)}</bdi></p>`);

const RuleCounts = view(() => {
  const rules = ruleOverview.value;
  return html`
    <section class="panel rules-summary">
      <h2>Rules <span class="muted">${rules.length}</span></h2>
      ${rules.length === 0 && !rulesError.value && html`<p class="muted empty">No rules yet. <a href=${state.link({ view: "rules" })}>Make one</a></p>`}
      <ul class="plain">${rules.map((rule) => html`
        <li key=${`${rule.shape}-${rule.index}`} class=${rule.error ? "is-wrong" : ""}>
          <div class="line"><b><bdi>${visible(rule.name || `${rule.shape} ${rule.index}`)}</bdi></b>
            ${rule.disabled && html`<span class="badge">off</span>`}
            ${rule.error && html`<span class="badge blocked"><span aria-hidden="true">✕ </span>wrong</span>`}</div>
          ${rule.error
            ? html`<p class="error">${visible(rule.error)}</p>`
            : html`<p class="muted">matched <b class="number">${count(rule.matched)}</b> · told <b class="number">${count(rule.told)}</b> · rolled up <b class="number">${count(rule.rolled_up)}</b>${" "}
                · held back <b class="number">${count(rule.held_back)}</b> · snoozed <b class="number">${count(rule.snoozed)}</b></p>`}
          ${rule.shape === "rules" && !rule.error && html`<${Snooze} rule=${rule} />`}
        </li>`)}</ul>
    </section>`;
});

const Note = view(({ note, isNewDay }) => html`
  <li class=${`note ${note.severity}`}>
    ${isNewDay && html`<h3 class="muted">${day(note.t)}</h3>`}
    <div class="line">
      <time class="number" datetime=${new Date(note.t).toISOString()} title=${dateTime(note.t)}>${clock(note.t)}</time>
      <${Severity} severity=${note.severity} />
      <b><bdi>${visible(note.title || note.rule || "Notification")}</bdi></b>
      ${note.count > 1 && html`<span class="badge number">× ${count(note.count)}${note.window_s ? ` in ${duration(note.window_s)}` : ""}</span>`}
    </div>
    <p><bdi>${visible(note.message)}</bdi></p>
    <p class="muted">${[note.rule, note.topic].filter(Boolean).map((text, at) => html`${at > 0 ? " · " : ""}<bdi>${visible(text)}</bdi>`)}</p>
  </li>`);

export const Notifications = component((_, life) => {
  const problem = signal("");
  const shown = signal(firstNotes);
  life.mounted(() => {
    const read = () => readNotifications().then(() => (problem.value = ""), (error) => (problem.value = error.message));
    read();
    const timer = setInterval(read, 10000); // the counts of the rules
    return () => clearInterval(timer);
  });
  return () => {
    const list = notes.value;
    if (!isHidden.value) seenNote.value = list[0]?.id ?? 0;
    return html`
      <section>
        <header class="title"><h1>Notifications</h1><span class="grow"></span><a class="button" href=${state.link({ view: "rules" })}>Edit rules</a></header>
        ${problem.value && html`<p class="error">${problem.value}</p>`}
        <${RulesError} />
        <div class="two">
          <section class="panel">
            <h2>What was told <span class="muted">${upToMost(list.length)}</span></h2>
            ${list.length === 0 && html`<p class="muted empty">Nothing has been told yet. Rules say of which events you want to hear.</p>`}
            <ol class="plain notes">${list.slice(0, shown.value).map((note, at) => html`
              <${Note} key=${note.id} note=${note} isNewDay=${at === 0 || day(list[at - 1].t) !== day(note.t)} />`)}</ol>
            ${list.length > shown.value && html`<p class="more"><button type="button" onClick=${() => (shown.value = list.length)}>Show ${count(list.length - shown.value)} older</button></p>`}
          </section>
          <${RuleCounts} />
        </div>
      </section>`;
  };
});
