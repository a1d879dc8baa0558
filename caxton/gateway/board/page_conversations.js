// Conversations: all of them, and one as a sequence of messages.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { bytes, count, line, moment, words } from "./format.js";
import { every } from "./live.js";
import { namesOf } from "./names.js";
import { contentOf } from "./page_agent.js";
import { Table, address, choice, empty, facts, field, form, link, next, party, problem, section, state, title } from "./parts.js";
import { sequence } from "./sequence.js";

const STATES = ["initiated", "in progress", "completed", "failed", "expired"];
const PAGE = 50;
const PERIOD_MS = 3_000;

export function conversationsPage(main, { query, signal }) {
  const wanted = { agent: query.get("agent") ?? "", state: query.get("state") ?? "" };
  const after = query.get("after") ?? "";
  const wrong = h("div");
  const ends = h("nav", { class: "row spread", "aria-label": "Pages of conversations" });
  let names = new Map();
  const table = new Table("Conversations", [
    { name: "Conversation", cell: (one) => link(one.id, `#/conversations/${one.id}`, { class: "code" }) },
    { name: "State", cell: (one) => state(one.state), sort: (one) => one.state },
    { name: "Protocol", cell: (one) => line(one.protocol ?? "–", 60), sort: (one) => one.protocol },
    { name: "Begun by", cell: (one) => party(one.initiator, names) },
    { name: "Who", number: true, cell: (one) => count(one.participants.length), sort: (one) => one.participants.length },
    { name: "Messages", number: true, cell: (one) => count(one.messages), sort: (one) => one.messages },
    { name: "Size", number: true, cell: (one) => bytes(one.bytes), sort: (one) => one.bytes },
    { name: "Begun", number: true, cell: (one) => moment(one.created_at), sort: (one) => one.created_at },
    { name: "Last", number: true, cell: (one) => moment(one.last_activity), sort: (one) => one.last_activity },
  ], (one) => `${one.id} ${one.initiator}`);
  const search = form({ class: "row filters", role: "search" }, (told) => {
    location.hash = address("conversations", { agent: told.get("agent").trim(), state: told.get("state") });
  },
    field("Agent", h("input", { name: "agent", type: "search", value: wanted.agent, maxlength: 200, placeholder: "name or id" })),
    field("State", choice([["", "any"], ...STATES.map((one) => [one, one])], wanted.state, { name: "state" })),
    h("button", { type: "submit" }, "Search"),
  );
  fill(main, title("Conversations"), section("All conversations", {}, search, wrong, table.element, ends));

  every(PERIOD_MS, signal, async () => {
    const page = await get("/v1/conversations", { ...wanted, after, limit: PAGE }, signal);
    names = await namesOf(page.conversations.map((one) => one.initiator));
    table.update(page.conversations);
    fill(wrong, page.conversations.length ? null : empty("There is no such conversation."));
    fill(ends, ...next("conversations", wanted, after, page.next, page.conversations.length));
  }, (error) => fill(wrong, problem(error)));
}

export async function conversationPage(main, { id, signal }) {
  const path = `/v1/conversations/${encodeURIComponent(id)}`;
  const first = await get(path, {}, signal);
  const status = h("span");
  const wrong = h("div");
  const about = h("div");
  const drawn = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Sequence of messages" });
  const unkept = h("p", { class: "dim" }, "This conversation keeps no contents: who begins one says whether it does.");
  const said = h("ol", { class: "said-list" });
  fill(main,
    title("Conversation", h("code", { class: "dim" }, line(first.id, 60)), status),
    wrong,
    section("What it is", {}, about),
    section("Sequence", {}, drawn),
    section("Messages", {}, unkept, said),
  );
  await draw(first);
  every(PERIOD_MS, signal, async () => {
    await draw(await get(path, {}, signal));
    fill(wrong);
  }, (error) => fill(wrong, problem(error)));

  async function draw(told) {
    const parties = [...new Set([told.initiator, ...told.history.flatMap((one) => [one.sender, one.receiver]), ...told.participants])];
    const names = await namesOf(parties);
    fill(status, state(told.state));
    fill(about, facts(aboutOf(told, names)));
    fill(drawn, told.history.length ? sequence(told.history, names) : empty("No message of it is kept."));
    unkept.hidden = !told.history.length || told.history.some((one) => one.content !== undefined || one.content_base64 !== undefined);
    fill(said, ...told.history.map((one, place) => messageOf(one, place + 1, names)));
  }
}

function aboutOf(told, names) {
  const found = [
    ["Begun by", party(told.initiator, names)],
    ["Protocol", line(told.protocol ?? "none", 100)],
    ["Messages", `${count(told.messages)}, ${bytes(told.bytes)}${told.messages > told.history.length ? `; the last ${count(told.history.length)} are kept` : ""}`],
    ["Begun", moment(told.created_at)],
    ["Last message", moment(told.last_activity)],
    ["Ends by itself", moment(told.expires_at)],
    ["Who takes part", h("span", {}, ...told.participants.flatMap((id, place) => [place ? ", " : "", party(id, names)]))],
  ];
  if (told.outcome) found.push(["Outcome", line(told.outcome, 200)]);
  if (told.error) found.push(["Error", line(told.error, 600)]);
  for (const [name, value] of Object.entries(told.limits)) found.push([words(line(name, 60)), value === true ? "yes" : count(value)]);
  return found;
}

function messageOf(one, number, names) {
  const content = one.content_base64 === undefined ? one.content : { base64: one.content_base64 };
  return h("li", {},
    h("p", { class: "row" },
      h("span", { class: "dim number" }, `${number}.`),
      h("b", {}, line(one.performative, 40)),
      h("span", {}, party(one.sender, names), " → ", party(one.receiver, names)),
      one.automatic ? h("span", { class: "dim" }, "by the runtime") : null,
      h("span", { class: "dim" }, `${moment(one.sent_at)}, ${bytes(one.bytes)}${content === undefined ? ", not kept" : ""}`)),
    content === undefined ? null : contentOf(content),
  );
}
