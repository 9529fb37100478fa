// The rules of all three shapes: ours as a form, SPR's as their JSON.
import { readNotifications, ruleOverview, rulesError } from "./feed.js";
import { visible } from "./format.js";
import { RulesError, Severity } from "./notifications.js";
import { batch, component, effect, html, signal, untracked } from "./reactive.js";
import { RuleForm, emptyRule, wordsOf } from "./rule_form.js";
import { Preview, tryRule } from "./rule_preview.js";
import { addRule, exchangeRule, readRules, removeRule } from "./rule_lists.js";
import * as state from "./state.js";

const reread_ms = 10000;
const shapes = [
  { name: "rules", title: "Rules" },
  { name: "alerts", title: "Alerts of SPR" },
  { name: "notifications", title: "Notifications of SPR’s older form" },
];

// What a rule means, in a line.
function summary(shape, rule) {
  if (shape === "rules") {
    const words = wordsOf(rule.match);
    return words === null ? "several matches" : words || "every packet";
  }
  if (shape === "alerts") return `${rule.TopicPrefix} ${(rule.Conditions ?? []).map((each) => each.JPath).join(rule.MatchAnyOne ? " or " : " and ")}`;
  const given = Object.entries(rule.Conditions ?? {}).filter(([, value]) => value !== "" && value !== 0);
  return given.map(([key, value]) => `${key}=${value}`).join(" ") || "everything";
}

// What is being edited: {number, shape, rule, isNew, isJson, draft: the match that it began with, written: a signal of what
// the editor holds}. It stays while another view is shown.
const editing = signal(null);
let opened = 0;
const open = (shape, rule, { isNew = false, isJson = false, draft = "" } = {}) =>
  (editing.value = { number: (opened += 1), shape, rule, isNew, isJson, draft, written: signal(null) });

const JsonEditor = component(({ rule, written: text }) => {
  text.value ??= JSON.stringify(rule, null, 2);
  const problem = signal("");
  const preview = signal(null);
  const doing = (action) => async (event) => {
    event.preventDefault();
    problem.value = "";
    try {
      await action(JSON.parse(text.value));
    } catch (error) {
      problem.value = error.message;
    }
  };
  const tryIt = doing(async (rule) => (preview.value = await tryRule(rule)));
  return ({ saved, cancel }) => html`
    <form class="panel rule-form" aria-label="Rule as JSON" onSubmit=${doing(saved)}>
      <label class="wide">JSON <textarea class="number" rows="14" spellcheck="false" value=${text.value} onInput=${(event) => (text.value = event.target.value)}></textarea></label>
      <p class="error" role="alert">${problem.value}</p>
      <div class="actions">
        <button type="submit" class="primary">Save</button>
        <button type="button" onClick=${tryIt}>Preview</button>
        <button type="button" onClick=${cancel}>Cancel</button>
      </div>
      <${Preview} answer=${preview.value} />
    </form>`;
});

export const Rules = component((_, life) => {
  const lists = signal({});
  const isRead = signal(false);
  const readProblem = signal("");
  const problem = signal("");
  const said = signal("");

  const read = async () => {
    try {
      const answers = await Promise.all(shapes.map(({ name }) => readRules(name)));
      lists.value = Object.fromEntries(shapes.map(({ name }, at) => [name, answers[at]]));
      isRead.value = true;
      readProblem.value = "";
    } catch (error) {
      readProblem.value = error.message;
    }
  };

  life.mounted(() => {
    const readAll = () => {
      read();
      readNotifications().catch(() => {}); // which of them are wrong
    };
    readAll();
    const timer = setInterval(readAll, reread_ms); // others change them, too
    const stop = effect(() => {
      const draft = state.draft.value;
      if (draft && untracked(() => editing.value?.draft) !== draft) open("rules", { ...emptyRule, match: draft }, { isNew: true, draft });
    });
    return () => {
      clearInterval(timer);
      stop();
    };
  });

  const close = (edited) => {
    if (editing.peek() !== edited) return; // another one was opened meanwhile
    batch(() => {
      editing.value = null;
      state.go({ draft: "" }, false);
    });
  };

  // made: a promise of the list as it is afterwards.
  const change = async (shape, made, what) => {
    try {
      const list = await made;
      lists.value = { ...lists.value, [shape]: list };
    } catch (error) {
      read(); // it may be another list by now
      throw error;
    }
    said.value = what;
    problem.value = "";
    readNotifications().catch(() => {}); // the counts follow by themselves
  };

  const save = (edited) => async (rule) => {
    const { shape, rule: before, isNew } = edited;
    await change(shape, isNew ? addRule(shape, rule) : exchangeRule(shape, before, rule), "Saved.");
    close(edited);
  };

  const trying = (action) => () => action().catch((error) => (problem.value = error.message));

  const item = (shape, rule, index) => {
    const name = rule.name ?? rule.Name ?? `${shape} ${index}`;
    const isOff = rule.disabled ?? rule.Disabled ?? false;
    const wrong = ruleOverview.value.find((each) => each.shape === shape && each.index === index)?.error ?? "";
    const edit = (isJson) => () => batch(() => {
      open(shape, rule, { isJson });
      said.value = "";
    });
    const turned = { ...rule, [shape === "rules" ? "disabled" : "Disabled"]: !isOff };
    return html`
      <li key=${`${shape}-${index}-${name}`}>
        <div class="line">
          ${shape === "rules" && html`<${Severity} severity=${rule.severity ?? "info"} />`}
          <b><bdi>${visible(name)}</bdi></b>
          ${isOff && html`<span class="badge">off</span>`}
          ${wrong && html`<span class="badge blocked"><span aria-hidden="true">✕ </span>wrong</span>`}
          <span class="grow"></span>
          ${shape === "rules" && html`<button type="button" aria-label=${`Edit ${name}`} onClick=${edit(false)}>Edit</button>`}
          <button type="button" aria-label=${`JSON of ${name}`} onClick=${edit(true)}>JSON</button>
          ${shape !== "notifications" && html`<button type="button" aria-label=${`Turn ${isOff ? "on" : "off"} ${name}`}
            onClick=${trying(() => change(shape, exchangeRule(shape, rule, turned), isOff ? "Turned on." : "Turned off."))}>${isOff ? "Turn on" : "Turn off"}</button>`}
          <button type="button" class="danger" aria-label=${`Delete ${name}`} onClick=${trying(async () => {
            if (confirm(`Delete “${name}”?`)) await change(shape, removeRule(shape, rule), "Deleted.");
          })}>Delete</button>
        </div>
        ${wrong && html`<p class="error">${visible(`${shape} ${index}: ${wrong}`)}</p>`}
        <p class="muted number"><bdi>${visible(summary(shape, rule))}</bdi></p>
        ${rule.message && html`<p class="muted">“<bdi>${visible(rule.message)}</bdi>”</p>`}
      </li>`;
  };

  return () => {
    const now = editing.value;
    const editor = now && (now.isJson || now.shape !== "rules" ? JsonEditor : RuleForm);
    return html`
      <section>
        <header class="title"><h1>Rules</h1><span class="muted" role="status">${said.value}</span><span class="grow"></span>
          ${!now && html`<button type="button" class="primary" onClick=${() => open("rules", emptyRule, { isNew: true })}>New rule</button>`}
        </header>
        ${[readProblem.value, problem.value].filter(Boolean).map((each) => html`<p class="error" role="alert">${each}</p>`)}
        <${RulesError} />
        ${now && html`<${editor} key=${now.number} rule=${now.rule} written=${now.written} saved=${save(now)} cancel=${() => close(now)} />`}
        ${shapes.map(({ name, title }) => {
          const list = lists.value[name] ?? [];
          if (name !== "rules" && list.length === 0) return null;
          return html`<section key=${name} class="panel"><h2>${title} <span class="muted">${list.length}</span></h2>
            ${list.length === 0 && isRead.value && !rulesError.value && html`<p class="muted empty">None yet. A rule says of which events you are told, and how often.</p>`}
            <ul class="plain rule-list">${list.map((rule, index) => item(name, rule, index))}</ul></section>`;
        })}
      </section>`;
  };
});
