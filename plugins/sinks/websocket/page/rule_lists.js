// The rules as the server has them, and changes of one. Others may change them meanwhile, and a rule is known by its number
// alone: so a change looks for the rule that is meant, and says of which list it speaks.
import { readTagged, send } from "./api.js";

const mostTries = 3;
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const withoutSnooze = ({ snooze_until, ...rest }) => rest;

// Of "rules", "alerts" or "notifications".
export const readRules = async (shape) => (await readTagged(`/${shape}`)).content;

export const addRule = (shape, rule) => send("PUT", `/${shape}`, rule);

async function change(method, shape, find, make) {
  for (let tried = 1; ; tried += 1) {
    const { tag, content } = await readTagged(`/${shape}`);
    const index = find(content);
    if (index < 0) throw new Error("This rule was changed or removed elsewhere meanwhile.");
    try {
      return await send(method, `/${shape}/${index}`, make(content[index]), { "If-Match": tag });
    } catch (error) {
      if (error.status !== 412 || tried === mostTries) throw error;
    }
  }
}

// before: the rule as it was read. Both return the whole list. A snooze that came meanwhile stays.
const place = (before) => (list) => list.findIndex((rule) => isSame(withoutSnooze(rule), withoutSnooze(before)));
export const exchangeRule = (shape, before, rule) =>
  change("PUT", shape, place(before), (now) => (rule.snooze_until === before.snooze_until ? { ...rule, snooze_until: now.snooze_until } : rule));
export const removeRule = (shape, before) => change("DELETE", shape, place(before), () => undefined);

// Sets until when a rule of our shape is silent; null: not at all.
export const snooze = (name, until_ms) =>
  change("PUT", "rules", (list) => list.findIndex((rule) => rule.name === name),
    (rule) => ({ ...rule, snooze_until: until_ms ? new Date(until_ms).toISOString() : null }));
