// One agent: what it is and uses, what it logs, with whom it talks, and what may be done with it.

import { get, post, remove, withQuery } from "./api.js";
import { fill, h } from "./dom.js";
import { bytes, count, duration, line, micros, moment, rate, shown, words } from "./format.js";
import { every } from "./live.js";
import { LogTail } from "./log_tail.js";
import { note } from "./names.js";
import { Table, address, agentState, choice, doing, empty, facts, field, form, link, meter, once, problem, section, state, sure, tile, title } from "./parts.js";

const PERIOD_MS = 2_000;
const MOST_ROWS = 10;
const PERFORMATIVES = ["request", "inform", "query-if", "query-ref", "cfp", "propose", "subscribe", "cancel"];
// Each: what it is called, the least role, in which states it makes sense, and what is asked before.
const ACTS = [
  { act: "pause", name: "Pause", role: "operator", when: ["running", "attached", "detached"], done: "is paused" },
  { act: "resume", name: "Resume", role: "operator", when: ["paused", "failed"], done: "runs again" },
  { act: "drain", name: "Drain", role: "operator", when: ["running", "attached", "detached", "paused"], done: "drains", ask: "It finishes what it has, takes nothing new, and stops." },
  { act: "stop", name: "Stop", role: "operator", when: ["running", "attached", "detached", "paused", "draining", "failed"], done: "is stopped", ask: "What waits for it goes to the dead letters." },
];

export async function agentPage(main, { session, id, signal }) {
  const path = `/v1/agents/${encodeURIComponent(id)}`;
  let agent = await get(path, {}, signal);
  let before = null;
  note(agent.agent_id, agent.name);

  const status = h("span", {}, ...agentState(agent));
  const acts = h("div", { class: "row acts" });
  const wrong = h("div");
  const tiles = h("dl", { class: "tiles" });
  const about = h("div");
  const uses = h("div", { class: "uses" });
  const counters = new Table("Counters", [
    { name: "Counter", cell: (row) => words(row.name) },
    { name: "Since its worker started", number: true, cell: (row) => count(row.number) },
    { name: "A second", number: true, cell: (row) => rate(row.more) },
  ], (row) => row.name);
  const tail = new LogTail(`${path}/logs`, signal);
  const conversations = session.is_for_all ? conversationsOf(agent.agent_id, signal) : null;

  fill(main,
    title(line(agent.name, 200), status, acts),
    elsewhere(agent, session),
    wrong,
    tiles,
    h("div", { class: "columns" }, section("Use of its limits", {}, uses), section("What it is", {}, about)),
    h("section", { class: "card", "aria-label": "Log" }, h("div", { class: "row spread" }, h("h2", {}, "Log"), tail.controls), tail.element),
    h("div", { class: "columns" },
      session.roles.includes("sender") ? section("Send a message", {}, sending(agent)) : null,
      section("Counters", {}, counters.element)),
    conversations,
  );
  draw(0);
  drawActs();

  every(PERIOD_MS, signal, async () => {
    const askedMs = performance.now();
    const was = agent;
    agent = await get(path, {}, signal);
    fill(wrong);
    draw(askedMs);
    if (was.state !== agent.state) drawActs();
  }, (error) => fill(wrong, problem(error)));

  function draw(atMs) {
    const passedS = before && atMs ? (atMs - before.atMs) / 1_000 : 0;
    const more = (name) => (passedS ? Math.max(0, (agent.counters[name] ?? 0) - (before.counters[name] ?? 0)) / passedS : NaN);
    const failed = (agent.counters.failed ?? 0) + (agent.counters.agent_errors ?? 0);
    fill(status, ...agentState(agent));
    fill(tiles,
      tile("Turns / s", rate(more("run")), `${count(agent.counters.run ?? 0)} in all`),
      tile("Failed", count(failed), `${rate(more("failed") + more("agent_errors"))} / s`),
      tile("Waits", count(agent.queued), agent.queued ? `oldest ${duration(agent.oldest_ms)}` : "nothing"),
      tile("Conversations", count(agent.conversations), "going on"),
      tile("Time a turn", agent.counters.run ? micros(agent.counters.time_us / agent.counters.run) : "–", "on average"),
      agent.drains_for_ms ? tile("Drains", duration(agent.drains_for_ms), "at most") : null,
    );
    fill(uses, ...limits(agent));
    fill(about, facts(aboutOf(agent)));
    counters.update(Object.entries(agent.counters).sort().map(([name, number]) => ({ name, number, more: more(name) })));
    if (atMs) before = { atMs, counters: agent.counters };
  }

  function drawActs() {
    const may = ACTS.filter((one) => session.roles.includes(one.role) && one.when.includes(agent.state));
    const made = may.map((one) => doing(one.name, async () => {
      if (one.ask && !(await sure(`${one.name} ${line(agent.name, 80)}?`, one.ask, one.name))) return "";
      await post(`${path}/${one.act}`);
      agent = await get(path);
      draw(0);
      drawActs();
      return `${line(agent.name, 80)} ${one.done}.`;
    }, { class: one.ask ? "danger" : null }));
    if (session.roles.includes("admin")) {
      made.push(doing("Remove", async () => {
        if (!(await sure(`Remove ${line(agent.name, 80)}?`, "It is forgotten, with its state; what waits for it goes to the dead letters.", "Remove"))) return "";
        await remove(path);
        location.hash = "#/agents";
        return `${line(agent.name, 80)} is removed.`;
      }, { class: "danger" }));
    }
    const hadFocus = acts.contains(document.activeElement);
    fill(acts, ...made);
    if (hadFocus && !acts.contains(document.activeElement)) acts.querySelector("button")?.focus();
  }
}

// Where more is told of it.
function elsewhere({ name }, session) {
  const pages = [
    ["Its dead letters", address("dead-letters", { agent: name })],
    ["Its events", address("events", { agent: name })],
    session.is_for_all ? ["Who it talks to", address("call-graph", { name })] : null,
  ];
  return h("nav", { class: "row more", "aria-label": "More about it" }, ...pages.filter(Boolean).map(([text, href]) => h("a", { href }, text)));
}

function limits(agent) {
  const { limits: most, counters } = agent;
  const turns = counters.run ?? 0;
  const found = [];
  if (most.mailbox_capacity) found.push(meter("Mailbox", agent.queued, most.mailbox_capacity, count));
  if (most.max_fuel && counters.fuel) found.push(meter("Fuel a turn", counters.fuel / Math.max(1, turns), most.max_fuel, count));
  if (most.max_execution_ms && turns) found.push(meter("Time a turn", counters.time_us / turns, most.max_execution_ms * 1_000, micros));
  const others = [
    ["max_memory_bytes", "Memory", bytes], ["max_message_bytes", "Message", bytes], ["max_output_bytes", "Output", bytes],
    ["max_output_messages", "Messages of a turn", count], ["max_hops", "Hops", count],
  ].filter(([name]) => most[name] !== undefined);
  return [...found, facts(others.map(([name, text, written]) => [`${text}, at most`, written(most[name])]))];
}

function aboutOf(agent) {
  const told = [
    ["Id", h("code", {}, agent.agent_id)],
    ["Shard", String(agent.shard)],
    ["Health", `${agent.health}${agent.healthy ? "" : ", no candidate now"}`],
    ["Capabilities", line(agent.capabilities.join(", ") || "–", 600)],
    ["Weight", String(agent.weight)],
    ["Encoding", agent.encoding],
    ["Module", agent.module_sha256 ? h("code", { title: agent.module_sha256 }, agent.module_sha256.slice(0, 16)) : "none: a program has it"],
    ["In memory", agent.instantiated ? "yes" : "no"],
  ];
  if (agent.version) told.push(["Version", line(agent.version, 200)]);
  if (agent.system) told.push(["System", line(agent.system, 200)]);
  if (agent.escalate_to) told.push(["Escalates to", line(agent.escalate_to, 200)]);
  for (const member of agent.members) told.push(["Program", `${member.session.slice(-6)}: has ${count(member.under_way)}${member.is_there ? "" : ", is away"}`]);
  return told;
}

function sending(agent) {
  const answer = h("div", { "aria-live": "polite" });
  const send = h("button", { type: "submit", class: "main" }, "Send");
  return form({ class: "stack" }, (told) => once(send, async () => {
    const asks = told.get("how") === "ask";
    const message = { receiver: agent.agent_id, performative: told.get("performative"), content: told.get("content") };
    try {
      const began = performance.now();
      const found = await post(asks ? withQuery("/v1/messages/request", { timeout_s: 10 }) : "/v1/messages", message);
      const tookUs = (performance.now() - began) * 1_000;
      fill(answer, asks ? reply(found, tookUs) : h("p", {}, "Acknowledged: ", h("code", {}, found.message_id)));
    } catch (error) {
      fill(answer, problem(error));
    }
  }),
    h("div", { class: "row" },
      field("Performative", choice(PERFORMATIVES.map((one) => [one, one]), "request", { name: "performative" })),
      field("And", choice([["ask", "wait for the answer"], ["send", "wait for nothing"]], "ask", { name: "how" }))),
    field("Content", h("textarea", { name: "content", rows: 3, spellcheck: "false" })),
    h("div", { class: "row end" }, send),
    answer,
  );
}

export function contentOf(content) {
  if (content === undefined) return h("p", { class: "dim" }, "The content is not kept.");
  const text = typeof content === "string" ? content : content?.base64 !== undefined ? `base64: ${content.base64}` : JSON.stringify(content, null, 2);
  return text === "" ? h("p", { class: "dim" }, "no content") : h("pre", { tabindex: 0 }, shown(text));
}

function reply(message, tookUs) {
  return h("div", { class: "stack" }, h("p", {}, h("b", {}, line(message.performative, 40)), h("span", { class: "dim" }, ` after ${micros(tookUs)}`)), contentOf(message.content));
}

function conversationsOf(id, signal) {
  const table = new Table("Its conversations", [
    { name: "Conversation", cell: (one) => link(one.id, `#/conversations/${one.id}`, { class: "code" }) },
    { name: "State", cell: (one) => state(one.state) },
    { name: "Messages", number: true, cell: (one) => count(one.messages) },
    { name: "Last", number: true, cell: (one) => moment(one.last_activity) },
  ], (one) => one.id);
  const none = h("div");
  const shows = section("Conversations", {}, table.element, none);
  every(5_000, signal, async () => {
    const found = await get("/v1/conversations", { agent: id, limit: MOST_ROWS }, signal);
    table.update(found.conversations);
    table.element.hidden = !found.conversations.length;
    const all = h("a", { href: `#/conversations?agent=${id}` }, "All of its conversations");
    fill(none, found.conversations.length ? all : empty("It takes part in none."));
  });
  return shows;
}
