// The page as a whole: who is signed in, which page is shown, whether the gateway answers, dark or light.

import { connection, get, isSignedIn, keep, kept, remove, setKey } from "./api.js";
import { fill, h, say } from "./dom.js";
import { line } from "./format.js";
import { History, PERIOD_MS } from "./history.js";
import { every } from "./live.js";
import { button, empty, link, problem, state } from "./parts.js";
import { agentPage } from "./page_agent.js";
import { agentsPage } from "./page_agents.js";
import { auditPage } from "./page_audit.js";
import { callGraphPage } from "./page_call_graph.js";
import { conversationPage, conversationsPage } from "./page_conversations.js";
import { eventsPage } from "./page_events.js";
import { ledgerPage } from "./page_ledger.js";
import { letterPage, lettersPage } from "./page_letters.js";
import { overviewPage } from "./page_overview.js";
import { signInPage } from "./page_sign_in.js";

const THEME = "caxton-theme";
const THEMES = { auto: "System", light: "Light", dark: "Dark" };

// Each page: where it is, what it is called, whether it takes a token for all agents, and of which role.
const PAGES = [
  { path: "", name: "Overview", show: overviewPage, forAll: true },
  { path: "agents", name: "Agents", show: agentsPage, one: agentPage },
  { path: "call-graph", name: "Call graph", show: callGraphPage, forAll: true },
  { path: "conversations", name: "Conversations", show: conversationsPage, one: conversationPage, forAll: true },
  { path: "dead-letters", name: "Dead letters", show: lettersPage, one: letterPage },
  { path: "ledger", name: "Ledger", show: ledgerPage, forAll: true },
  { path: "events", name: "Events", show: eventsPage },
  { path: "audit", name: "Audit", show: auditPage, forAll: true, role: "admin" },
];

const main = document.getElementById("main");
const head = document.getElementById("head");
const notice = document.getElementById("notice");

let session = null;
// Ends what the page that is shown does, and what is done while somebody is signed in.
let showing = new AbortController();
let signedIn = new AbortController();
let history = new History();
let health = null;

function begin(found) {
  session = found;
  signedIn.abort();
  signedIn = new AbortController();
  history = new History();
  if (session.is_for_all) every(PERIOD_MS, signedIn.signal, look);
  route();
}

// Look at the whole runtime, whichever page is shown, so that the last hour is there.
async function look() {
  const [stats, told] = await Promise.all([get("/v1/stats"), get("/v1/health")]);
  history.take(stats, Date.now());
  health = told;
  drawHead();
  dispatchEvent(new CustomEvent("looked", { detail: { stats, health } }));
}

function end(text) {
  if (!session && main.dataset.page === "sign-in") return;
  session = null;
  health = null;
  setKey("");
  signedIn.abort();
  showing.abort();
  head.hidden = true;
  main.dataset.page = "sign-in";
  signInPage(main, begin, text);
}

function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...rest] = path.split("/");
  return { name, id: rest.length ? decoded(rest.join("/")) : null, query: new URLSearchParams(query) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function allowed() {
  return PAGES.filter((page) => (session.is_for_all || !page.forAll) && (!page.role || session.roles.includes(page.role)));
}

function route() {
  if (!session) return;
  showing.abort();
  showing = new AbortController();
  const at = place();
  const pages = allowed();
  const page = pages.find((one) => one.path === at.name) ?? (at.name === "" ? pages[0] : null);
  const show = page && (at.id ? page.one : page.show);
  main.dataset.page = at.name;
  drawHead();
  fill(main);
  scrollTo(0, 0);
  head.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (!show) fill(main, empty("There is no such page, or your token is not for it."));
  else {
    const context = { session, id: at.id, query: at.query, signal: showing.signal, history, health: () => health };
    Promise.resolve(show(main, context)).catch((error) => {
      if (error.name !== "AbortError" && error.status !== 401) fill(main, problem(error));
    });
  }
}

function drawHead() {
  head.hidden = !session;
  if (!session) return;
  const at = place().name;
  const pages = allowed();
  const items = pages.map((page) => {
    const isHere = page.path === at || (at === "" && page === pages[0]);
    return h("li", {}, h("a", { href: `#/${page.path}`, "aria-current": isHere ? "page" : null }, page.name));
  });
  const scope = session.is_for_all ? "" : ` for ${line(session.agents.join(", "), 60)}`;
  if (!head.firstChild) head.append(h("div", { class: "brand" }), h("nav", { "aria-label": "Pages" }), h("div", { class: "who" }));
  const [brand, nav, who] = head.children;
  fill(brand, h("span", { class: "mark", "aria-hidden": "true" }), h("strong", {}, "Caxton"), health ? link2(state(health.status)) : null);
  fill(nav, h("ul", {}, ...items));
  if (!who.firstChild) {
    const turn = button(THEMES[theme()], () => setTheme(turn), { id: "theme", "aria-label": `Theme: ${THEMES[theme()]}` });
    who.append(h("span", { class: "dim account" }), turn, button("Sign out", signOut));
  }
  fill(who.firstChild, h("bdi", {}, line(session.name, 60)), ` · ${session.role}${scope}`);
}

function link2(child) {
  return h("a", { href: "#/", class: "health", "aria-label": `The runtime is ${health.status}` }, child);
}

async function signOut() {
  await remove("/v1/session").catch(() => {});
  end("You have signed out.");
}

function theme() {
  return document.documentElement.dataset.theme ?? "auto";
}

function setTheme(turn) {
  const names = Object.keys(THEMES);
  const next = names[(names.indexOf(theme()) + 1) % names.length];
  if (next === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  keep(THEME, next);
  turn.textContent = THEMES[next];
  turn.setAttribute("aria-label", `Theme: ${THEMES[next]}`);
}

connection.addEventListener("away", () => {
  notice.hidden = false;
  notice.textContent = "The gateway does not answer. What is shown may be old; it is asked again.";
});
connection.addEventListener("back", () => {
  notice.hidden = true;
  say("The gateway answers again.", "good");
});
connection.addEventListener("out", () => end(session ? "The session has ended: sign in again." : ""));
addEventListener("hashchange", () => {
  route();
  main.focus({ preventScroll: true });
});

if (["light", "dark"].includes(kept(THEME))) document.documentElement.dataset.theme = kept(THEME);
if (isSignedIn()) {
  every(PERIOD_MS, signedIn.signal, async () => begin(await get("/v1/session")));
} else end("");
