// node run.mjs FILE SCENARIO: one scenario in a browser of its own. What it needs of the world around it, packets and a
// host, it asks for on standard output, a line of JSON each, and reads the answer from standard input.
import readline from "node:readline";
import { Stage } from "./stage.mjs";

const [file, name] = process.argv.slice(2);
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(what, parameters = {}) {
  process.stdout.write(`${JSON.stringify({ what, ...parameters })}\n`);
  const { value, done } = await lines.next();
  if (done) throw new Error("nobody answers");
  const answer = JSON.parse(value);
  if (answer.error) throw new Error(answer.error);
  return answer.result;
}

const scenarios = await import(`./${file}.mjs`);
const stage = new Stage(ask);
try {
  await stage.begin(name);
  await scenarios[name](stage);
  stage.assertNoErrors();
} catch (error) {
  console.error(error.stack ?? error);
  for (const line of stage.said) console.error(`the page said: ${line}`);
  await stage.keepPictures(name).catch(() => {});
  process.exitCode = 1;
} finally {
  await stage.end();
  lines.return?.();
  process.stdin.destroy();
}
