// Agents: the busiest of all, and all of them by name, in pages.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { count, duration, line, rate } from "./format.js";
import { every } from "./live.js";
import { note } from "./names.js";
import { Table, address, agentState, choice, empty, field, form, link, next, problem, section, state, title } from "./parts.js";

const STATES = ["running", "attached", "detached", "paused", "draining", "failed", "stopped"];
const BUSY = { turns: "most turns", time: "most time", failures: "most failures", mailbox: "most that waits" };
const PAGE = 50;
const PERIOD_MS = 3_000;

export function agentLink(agent) {
  return link(line(agent.name, 200), `#/agents/${agent.agent_id}`);
}

export function agentsPage(main, { session, query, signal }) {
  const name = query.get("name") ?? "";
  const wanted = { name: pattern(name), state: query.get("state") ?? "", capability: query.get("capability") ?? "", after: query.get("after") ?? "" };
  const by = query.get("by") ?? "turns";
  const wrong = h("div");
  const ends = h("nav", { class: "row spread", "aria-label": "Pages of agents" });
  const found = h("span", { class: "dim" });
  const table = agentsTable();
  const busy = busyTable();

  const search = form({ class: "row filters", role: "search" }, (told) => go({ name: told.get("name"), state: told.get("state"), capability: told.get("capability"), by: kept().by }),
    field("Name", h("input", { name: "name", type: "search", value: name, maxlength: 200, placeholder: "any; * is any text" })),
    field("State", choice([["", "any"], ...STATES.map((one) => [one, one])], wanted.state, { name: "state" })),
    field("Capability", h("input", { name: "capability", type: "search", value: wanted.capability, maxlength: 200, placeholder: "any" })),
    h("button", { type: "submit" }, "Search"),
  );
  const busyBy = choice(Object.entries(BUSY), by, { id: "busy-by", onchange: () => go({ name, state: wanted.state, capability: wanted.capability, by: busyBy.value }) });

  const shows = [title("Agents", found)];
  if (session.is_for_all) {
    shows.push(h("section", { class: "card", "aria-label": "The busiest" }, h("div", { class: "row spread" }, h("h2", {}, "The busiest"), field("by", busyBy)), busy.element));
  }
  fill(main, ...shows, section("All agents", {}, search, wrong, table.element, ends));

  every(PERIOD_MS, signal, async () => {
    const asked = wanted.capability ? { capability: wanted.capability, after: wanted.after } : { name: wanted.name, state: wanted.state, after: wanted.after };
    const page = await get("/v1/agents", { ...asked, limit: PAGE }, signal);
    page.agents.forEach((agent) => note(agent.agent_id, agent.name));
    table.update(page.agents);
    fill(wrong, page.agents.length ? null : empty("No agent is like that."));
    fill(ends, ...next("agents", kept(), wanted.after, page.next, page.agents.length));
  }, (error) => fill(wrong, problem(error)));

  if (session.is_for_all) {
    every(PERIOD_MS, signal, async () => {
      const told = await get("/v1/busiest", { by, limit: 8 }, signal);
      busy.update(told.agents);
      found.textContent = `${count(told.total)} in all`;
    });
  }

  function kept() {
    return { name, state: wanted.state, capability: wanted.capability, by: by === "turns" ? "" : by };
  }
}

// What somebody looks for is anywhere in a name, unless they say so with a star.
function pattern(name) {
  return name && !name.includes("*") ? `*${name}*` : name;
}

function go(query) {
  location.hash = address("agents", query);
}

function agentsTable() {
  const turns = (agent) => agent.counters.run ?? 0;
  const failed = (agent) => (agent.counters.failed ?? 0) + (agent.counters.agent_errors ?? 0);
  return new Table("Agents", [
    { name: "Name", cell: agentLink, sort: (agent) => agent.name },
    { name: "State", cell: agentState, sort: (agent) => agent.state },
    { name: "Shard", number: true, cell: (agent) => String(agent.shard), sort: (agent) => agent.shard },
    { name: "Waits", number: true, cell: (agent) => count(agent.queued), sort: (agent) => agent.queued },
    { name: "Oldest", number: true, cell: (agent) => (agent.queued ? duration(agent.oldest_ms) : "–"), sort: (agent) => agent.oldest_ms },
    { name: "Turns", number: true, cell: (agent) => count(turns(agent)), sort: turns },
    { name: "Failed", number: true, cell: (agent) => count(failed(agent)), sort: failed },
    { name: "Capabilities", cell: (agent) => line(agent.capabilities.join(", ") || "–", 120) },
  ], (agent) => agent.agent_id);
}

function busyTable() {
  return new Table("The busiest agents", [
    { name: "Name", cell: agentLink },
    { name: "State", cell: (agent) => state(agent.state) },
    { name: "Turns / s", number: true, cell: (agent) => rate(agent.turns_per_s) },
    { name: "Failed / s", number: true, cell: (agent) => rate(agent.failures_per_s) },
    { name: "Time", number: true, cell: (agent) => `${rate(agent.time_share * 100)} %` },
    { name: "Waits", number: true, cell: (agent) => count(agent.queued) },
  ], (agent) => agent.agent_id);
}
