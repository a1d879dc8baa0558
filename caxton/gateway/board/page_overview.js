// The runtime as a whole: what it does, how long it takes, what is wrong, and since when.

import { get, post } from "./api.js";
import { fill, h } from "./dom.js";
import { bytes, count, duration, line, micros, moment, rate, words } from "./format.js";
import { every } from "./live.js";
import { Plot } from "./plot.js";
import { Table, address, button, doing, empty, link, section, state, sure, tile, title } from "./parts.js";

const SPANS = [[300_000, "5 min"], [900_000, "15 min"], [3_600_000, "1 hour"]];
const LATENCIES = { routing: "Routing", waiting: "Waiting", processing: "Turn", commit: "Commit" };

const PERIOD_MS = 3_000;
const MOST_FAILING = 5;

let spanMs = SPANS[0][0];

export function overviewPage(main, { session, history, health, signal }) {
  const since = h("span", { class: "dim" });
  const reasons = h("div", { id: "reasons" });
  const tiles = h("dl", { class: "tiles" });
  const plots = [
    new Plot("Messages a second", [{ name: "turns", series: "messages", kind: "a" }, { name: "errors", series: "errors", kind: "b" }], rate),
    new Plot("Times", [
      { name: "waiting p50", series: "waiting50", kind: "c" },
      { name: "waiting p99", series: "waiting99", kind: "a" },
      { name: "turn p99", series: "processing99", kind: "d" },
      { name: "commit p99", series: "commit99", kind: "b" },
    ], micros, { isLog: true }),
    new Plot("What waits", [{ name: "for agents", series: "queued", kind: "a" }, { name: "for shards", series: "outbound", kind: "c" }], count, { least: 4 }),
    new Plot("Memory", [{ name: "resident", series: "memory", kind: "a" }], bytes, { base: 1024 }),
  ];
  const spans = h("div", { class: "choices", role: "group", "aria-label": "Time shown" });
  const choose = () => fill(spans, ...SPANS.map(([ms, name]) => button(name, () => { spanMs = ms; choose(); draw(); }, { "aria-pressed": String(ms === spanMs) })));
  const workers = workersTable();
  const times = timesTable();
  const errors = new Table("Errors", [
    { name: "What came to no good end", cell: (row) => words(row.name) },
    { name: "In this run", number: true, cell: (row) => count(row.number) },
  ], (row) => row.name);
  const noErrors = h("div");
  const failing = failingTable();
  const noneFails = h("div");
  const canRestart = session.roles.includes("operator");
  const restart = doing("Restart workers", async () => {
    if (!(await sure("Restart all workers?", "One after the other. Nothing is lost; agents of a shard wait meanwhile.", "Restart"))) return "";
    await post("/v1/workers/restart");
    return "The workers are restarted, one after the other.";
  });

  function draw() {
    const told = health();
    if (!told || !history.stats) return;
    const { runtime, dead_letters: letters, conversations } = history.stats;
    since.textContent = `version ${told.version}, up for ${duration(told.uptime_s * 1_000)}`;
    fill(reasons, ...reasonLines(told));
    fill(tiles,
      tile("Messages / s", rate(runtime.messages_per_second), `peak ${rate(runtime.peak_messages_per_second)}`),
      tile("Errors", count(runtime.total_errors), `${rate(history.last("errors"))} / s`, address("agents", { by: "failures" })),
      tile("Waiting p99", micros(history.last("waiting99")), `in this run ${micros(runtime.latencies.waiting?.p99_us)}`),
      tile("Waits for agents", count(runtime.inbound_queue_depth), `for shards ${count(runtime.outbound_queue_depth)}`, address("agents", { by: "mailbox" })),
      tile("Agents", count(told.workers.reduce((sum, worker) => sum + worker.agents, 0)), `${count(told.sessions)} clients`),
      tile("Dead letters", count(letters.total_messages), letters.oldest_message_age_ms === null ? "" : `oldest ${duration(letters.oldest_message_age_ms)}`, "#/dead-letters"),
      tile("Conversations", count(conversations.total_active), `${count(conversations.total_created)} ever`),
      tile("Memory", bytes(runtime.memory_usage_bytes), `files ${bytes(runtime.database_size_bytes)}`),
    );
    plots.forEach((plot) => plot.draw(history, spanMs));
    workers.update(told.workers);
    times.update(Object.keys(LATENCIES).map((name) => ({ name, ...runtime.latencies[name] })));
    const found = Object.entries(runtime.errors_by_type).filter(([, number]) => number > 0);
    errors.update(found.map(([name, number]) => ({ name, number })));
    errors.element.hidden = !found.length;
    fill(noErrors, found.length ? null : empty("Nothing came to no good end."));
  }

  choose();
  fill(main,
    title("Overview", since),
    reasons,
    tiles,
    h("section", { class: "card", "aria-label": "Plots" }, h("div", { class: "row spread" }, h("h2", {}, "As this page has seen it"), spans), h("div", { class: "plots" }, ...plots.map((plot) => plot.element))),
    section("Workers", {}, workers.element, canRestart ? h("div", { class: "row end" }, restart) : null),
    h("div", { class: "columns" }, section("Failing now", {}, failing.element, noneFails), section("Errors in this run", {}, errors.element, noErrors)),
    section("Times in this run", {}, times.element),
  );
  addEventListener("looked", draw, { signal });
  addEventListener("resize", draw, { signal });
  draw();
  every(PERIOD_MS, signal, async () => {
    const told = await get("/v1/busiest", { by: "failures", limit: MOST_FAILING }, signal);
    failing.update(told.agents);
    failing.element.hidden = !told.agents.length;
    fill(noneFails, told.agents.length ? null : empty("No turn of an agent has just failed."));
  });
}

function failingTable() {
  return new Table("Agents whose turns fail now", [
    { name: "Agent", cell: (agent) => link(line(agent.name, 200), `#/agents/${agent.agent_id}`) },
    { name: "State", cell: (agent) => state(agent.state) },
    { name: "Failed / s", number: true, cell: (agent) => rate(agent.failures_per_s) },
    { name: "Turns / s", number: true, cell: (agent) => rate(agent.turns_per_s) },
    { name: "Waits", number: true, cell: (agent) => count(agent.queued) },
  ], (agent) => agent.agent_id);
}

function reasonLines(health) {
  const told = [
    ...health.reasons.map((reason) => ({ level: reason.level, text: reason.text, advice: reason.advice, since: reason.since })),
    ...health.warnings.map((warning) => ({ level: "warning", text: warning.text, advice: "", since: warning.since })),
  ];
  if (!told.length) return [];
  const items = told.map((one) => h("li", {},
    state(one.level),
    h("span", { class: "grow" }, line(one.text, 600), one.advice ? h("span", { class: "dim" }, ` ${line(one.advice, 600)}`) : null),
    h("time", { class: "dim number" }, `since ${moment(one.since)}`),
  ));
  return [h("section", { class: "card", "aria-label": "What is wrong" }, h("ul", { class: "reasons" }, ...items))];
}

function workersTable() {
  return new Table("Workers", [
    { name: "Shard", cell: (row) => String(row.shard) },
    { name: "State", cell: (row) => state(row.state) },
    { name: "Agents", number: true, cell: (row) => count(row.agents) },
    { name: "Memory", number: true, cell: (row) => bytes(row.resident_bytes) },
    { name: "Restarts", number: true, cell: (row) => count(row.restarts) },
    { name: "Planned", number: true, cell: (row) => count(row.planned_restarts) },
    { name: "Process", number: true, cell: (row) => (row.pid ? String(row.pid) : "–") },
    { name: "Last end", cell: (row) => line(row.last_exit ?? "–", 200) },
  ], (row) => row.shard);
}

function timesTable() {
  const column = (name, key) => ({ name, number: true, cell: (row) => micros(row[key]) });
  return new Table("Times in this run", [
    { name: "Of", cell: (row) => LATENCIES[row.name] },
    column("p50", "p50_us"),
    column("p90", "p90_us"),
    column("p99", "p99_us"),
    column("p99.9", "p999_us"),
    { name: "Measured", number: true, cell: (row) => count(row.count) },
  ], (row) => row.name);
}
