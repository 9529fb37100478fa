// Who may see the page where a token is wanted.
import assert from "node:assert/strict";
import { phone } from "./stage.mjs";

export async function aTokenIsWanted(stage) {
  stage.expected.push(/status of 401/);
  const page = await stage.open("#live?match=dport%3D23");
  await page.locator("#token").waitFor();
  await stage.picture(page, "login-light");
  await stage.assertAccessible(page);
  assert.equal(await page.getAttribute("#token", "autocomplete"), "current-password");
  await page.fill("#token", "wrong-token-of-nobody");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("not the right one").waitFor();
  assert.equal(await page.locator(".grid").count(), 0);
  assert.match(await page.evaluate(() => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${location.host}/ws/page`);
    socket.onopen = () => socket.send("wrong-token-of-nobody");
    socket.onmessage = ({ data }) => resolve(data);
    socket.onclose = () => resolve("closed");
  })), /failure|closed/i);

  const token = await stage.ask("token");
  await page.fill("#token", token);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator(".link-state.is-open").waitFor();
  await page.locator(".chip", { hasText: "23" }).waitFor(); // the address has outlived the login
  const kept = await page.evaluate(() => JSON.stringify([location.href, { ...localStorage }, { ...sessionStorage }, document.cookie]));
  assert.ok(!kept.includes(token), kept);
  await page.reload();
  await page.locator(".link-state.is-open").waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await page.locator("#token").waitFor();
  await page.reload();
  await page.locator("#token").waitFor();

  const small = await stage.open("", { size: phone, scheme: "dark" });
  await small.locator("#token").waitFor();
  await stage.picture(small, "login-phone-dark");
  await stage.assertNoOverlap(small);
}
