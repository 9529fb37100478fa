// Asks for the token. It goes into one request, and the server's answer is a cookie that scripts cannot read.
import { readSession, send, session } from "./api.js";
import { component, html, signal } from "./reactive.js";

export const Login = component((_, life) => {
  const problem = signal("");
  const isBusy = signal(false);
  const input = { current: null };
  life.mounted(() => input.current.focus());

  const submit = async (event) => {
    event.preventDefault();
    isBusy.value = true;
    problem.value = "";
    try {
      await send("POST", "/api/login", { token: input.current.value });
      input.current.value = "";
      await readSession();
    } catch (error) {
      if (error.status === 401) problem.value = "This token is not the right one.";
      else if (error.status === 429) problem.value = `Too many wrong tokens: try again in ${error.retryAfter_s || "some"} s.`;
      else problem.value = error.message;
      input.current.select();
    } finally {
      isBusy.value = false;
    }
  };

  return () => html`
    <main class="login">
      <form class="panel" onSubmit=${submit}>
        <h1><span class="logo" aria-hidden="true"></span>nfbus ${session.value?.instance && html`<span class="muted"><bdi>${session.value.instance}</bdi></span>`}</h1>
        <label for="token">Token, or user:password</label>
        <input id="token" ref=${input} type="password" required autocomplete="current-password" aria-describedby="login-error" aria-invalid=${problem.value ? "true" : undefined} />
        <p id="login-error" class="error" role="alert">${problem.value}</p>
        <button type="submit" class="primary" disabled=${isBusy.value}>Log in</button>
      </form>
    </main>`;
});
