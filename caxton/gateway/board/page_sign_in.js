// Signing in: the token goes to the gateway once, in a header, and is kept nowhere in the page.

import { Problem, setKey } from "./api.js";
import { fill, h } from "./dom.js";
import { field, form, once, problem, title } from "./parts.js";

// Show the form; `begin` is given who signed in. text: why one has to.
export function signInPage(main, begin, text) {
  const token = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const wrong = h("div", { "aria-live": "assertive" });
  const enter = h("button", { type: "submit", class: "main" }, "Sign in");
  const signIn = form({ class: "card sign-in" }, () => once(enter, async () => {
    try {
      const found = await signedIn(token.value.trim());
      token.value = "";
      begin(found);
    } catch (error) {
      fill(wrong, problem(error));
      token.select();
    }
  }),
    h("span", { class: "mark large", "aria-hidden": "true" }),
    title("Sign in"),
    text ? h("p", { class: "dim" }, text) : null,
    field("Token", token),
    enter,
    wrong,
    h("p", { class: "dim" }, "Who serves makes one: ", h("code", {}, "caxton token create NAME --role operator")),
  );
  fill(main, signIn);
  token.focus();
}

async function signedIn(token) {
  // What no header can say is no token.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Problem(401, { title: "Token refused", code: "TokenRefused", detail: "this is no token" });
  let response;
  try {
    response = await fetch("/v1/session", { method: "POST", headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
  } catch {
    throw new Problem(0, { title: "No answer", code: "NoAnswer", detail: "the gateway does not answer" });
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(response.status, told);
  setKey(told.page_key);
  return told;
}
