// Dead letters: find them, look into one, send them again, forget them.

import { get, post } from "./api.js";
import { fill, h } from "./dom.js";
import { bytes, count, line, local, moment, words } from "./format.js";
import { every } from "./live.js";
import { namesOf } from "./names.js";
import { contentOf } from "./page_agent.js";
import { Table, address, asText, choice, doing, empty, facts, field, form, link, next, party, problem, section, sure, title } from "./parts.js";

const PAGE = 50;
const PERIOD_MS = 4_000;

export function lettersPage(main, { session, query, signal, history }) {
  const wanted = { agent: query.get("agent") ?? "", sender: query.get("sender") ?? "", reason: query.get("reason") ?? "", before: query.get("before") ?? "" };
  const after = query.get("after") ?? "";
  const chosen = new Set();
  const wrong = h("div");
  const acts = h("div", { class: "row" });
  const total = h("span", { class: "dim" });
  const ends = h("nav", { class: "row spread", "aria-label": "Pages of dead letters" });
  const reason = choice([["", "any"], ...(wanted.reason ? [[wanted.reason, words(wanted.reason)]] : [])], wanted.reason, { name: "reason" });
  const mayAct = session.roles.includes("operator");
  let names = new Map();
  let listed = [];

  const columns = [
    { name: "Letter", cell: (one) => link(one.id, `#/dead-letters/${one.id}`, { class: "code" }) },
    { name: "Died", number: true, cell: (one) => moment(one.died_at), sort: (one) => one.died_at },
    { name: "Reason", cell: (one) => words(one.reason), sort: (one) => one.reason },
    { name: "Error", cell: (one) => line(one.error.code, 60), sort: (one) => one.error.code },
    { name: "To", cell: (one) => receiver(one, names) },
    { name: "From", cell: (one) => party(one.message.sender, names) },
    { name: "Said", cell: (one) => line(one.message.performative, 40) },
    { name: "Tries", number: true, cell: (one) => count(one.attempts), sort: (one) => one.attempts },
    { name: "Size", number: true, cell: (one) => bytes(one.content_bytes), sort: (one) => one.content_bytes },
  ];
  if (mayAct) columns.unshift({ name: "Choose", plain: true, cell: (one) => box(one) });
  const table = new Table("Dead letters", columns, (one) => one.id);
  const search = form({ class: "row filters", role: "search" }, (told) => {
    const before = told.get("before");
    location.hash = address("dead-letters", { agent: told.get("agent").trim(), sender: told.get("sender").trim(), reason: told.get("reason"), before: before && Date.parse(before) });
  },
    field("To agent", h("input", { name: "agent", type: "search", value: wanted.agent, maxlength: 200, placeholder: "name or id" })),
    field("From", h("input", { name: "sender", type: "search", value: wanted.sender, maxlength: 200, placeholder: "name or id" })),
    field("Reason", reason),
    field("Died before", h("input", { name: "before", type: "datetime-local", value: wanted.before && local(Number(wanted.before)) })),
    h("button", { type: "submit" }, "Search"),
  );
  fill(main, title("Dead letters", total), section("Messages that came to nothing", {}, search, wrong, mayAct ? acts : null, table.element, ends));
  drawActs();
  addEventListener("looked", drawTotal, { signal });
  drawTotal();

  every(PERIOD_MS, signal, look, (error) => fill(wrong, problem(error)));

  async function look() {
    const page = await get("/v1/dead-letters", { ...wanted, after, limit: PAGE }, signal);
    listed = page.dead_letters;
    for (const id of chosen) if (!listed.some((one) => one.id === id)) chosen.delete(id);
    names = await namesOf(listed.flatMap((one) => [one.message.sender, one.message.receiver]).filter((id) => typeof id === "string"));
    table.update(listed);
    drawActs();
    fill(wrong, listed.length ? null : empty("There is no such dead letter."));
    fill(ends, ...next("dead-letters", wanted, after, page.next, listed.length));
  }

  // Of all there are, as the last look at the whole runtime has it; a token for some agents has none.
  function drawTotal() {
    const told = history.stats?.dead_letters;
    if (!told) return;
    total.textContent = `${count(told.total_messages)} in all, ${bytes(told.queue_size_bytes)}`;
    const numbers = told.messages_by_reason;
    for (const option of reason.options) if (option.value) option.textContent = written(option.value, numbers[option.value] ?? 0);
    for (const [name, number] of Object.entries(numbers)) {
      const isThere = [...reason.options].some((option) => option.value === name);
      if (number && !isThere) reason.append(h("option", { value: name }, written(name, number)));
    }
  }

  function written(name, number) {
    return `${words(name)} (${count(number)})`;
  }

  function box(one) {
    const made = h("input", { type: "checkbox", "aria-label": `Choose ${one.id}`, onchange: () => {
      if (made.checked) chosen.add(one.id);
      else chosen.delete(one.id);
      drawActs();
    } });
    return made;
  }

  function drawActs() {
    const some = chosen.size > 0;
    const body = some ? () => ({ ids: [...chosen] }) : () => filter(wanted);
    const which = some ? `${count(chosen.size)} chosen` : "all that fit";
    if (acts.dataset.which === which && acts.dataset.any === String(listed.length > 0)) return;
    acts.dataset.which = which;
    acts.dataset.any = String(listed.length > 0);
    fill(acts, ...(listed.length ? [
      doing(`Requeue ${which}`, async () => {
        if (!some && !(await sure("Requeue all that fit?", "Every dead letter to which the search fits is sent again, on every page.", "Requeue"))) return "";
        return again(await requeue(body()));
      }),
      doing(`Purge ${which}`, async () => {
        if (!(await sure(`Purge ${which}?`, "They are forgotten for good, with what they say.", "Purge"))) return "";
        const told = await post("/v1/dead-letters/purge", body());
        return again(`${count(told.count)} dead letters are forgotten.`);
      }, { class: "danger" }),
    ] : []));
  }

  async function again(text) {
    chosen.clear();
    for (const one of table.body.querySelectorAll("input")) one.checked = false;
    await look();
    return text;
  }
}

export async function letterPage(main, { session, id, signal }) {
  const letter = await get(`/v1/dead-letters/${encodeURIComponent(id)}`, {}, signal);
  const { message } = letter;
  const names = await namesOf([message.sender, message.receiver].filter((one) => typeof one === "string"));
  const acts = session.roles.includes("operator") ? h("div", { class: "row acts" },
    doing("Requeue", async () => {
      const text = await requeue({ ids: [letter.id] });
      location.hash = "#/dead-letters";
      return text;
    }),
    doing("Purge", async () => {
      if (!(await sure(`Purge ${letter.id}?`, "It is forgotten for good, with what it says.", "Purge"))) return "";
      await post("/v1/dead-letters/purge", { ids: [letter.id] });
      location.hash = "#/dead-letters";
      return `${letter.id} is forgotten.`;
    }, { class: "danger" })) : null;
  const told = Object.entries(message).filter(([name, value]) => !["content", "sender", "receiver"].includes(name) && value !== null && value !== "");
  fill(main,
    title(`Dead letter ${letter.id}`, acts),
    section("What came of it", {}, facts([
      ["Reason", words(letter.reason)],
      ["Died", moment(letter.died_at)],
      ["Tries", count(letter.attempts)],
      ...(letter.retry_reasons.length ? [["Before", line(letter.retry_reasons.join(", "), 400)]] : []),
      ...(letter.requeued_from ? [["Sent again from", line(letter.requeued_from, 60)]] : []),
    ])),
    section("The error", {}, facts([
      ["Kind", line(letter.error.code, 100)],
      ...Object.entries(letter.error.fields).map(([name, value]) => [words(name), asText(value)]),
    ])),
    section("The message", {}, facts([
      ["To", receiver(letter, names)],
      ["From", party(message.sender, names)],
      ...told.map(([name, value]) => [words(name), valueOf(name, value)]),
    ])),
    section("What it says", {}, contentOf(message.content)),
  );
}

function valueOf(name, value) {
  if (typeof value === "number" && /_(at|by)$/.test(name)) return moment(value);
  return name === "conversation_id" ? link(line(value, 60), `#/conversations/${encodeURIComponent(value)}`, { class: "code" }) : asText(value);
}

function receiver(letter, names) {
  const to = letter.message.receiver;
  if (typeof to === "string") return party(to, names, letter.message.receiver_name);
  return asText(to ?? letter.message.receiver_name ?? "–");
}

async function requeue(body) {
  const told = await post("/v1/dead-letters/requeue", body);
  return `${count(Object.keys(told.message_ids).length)} messages were sent again.`;
}

// Return what the API takes for a search: everything, where it asks for nothing.
function filter(wanted) {
  const told = Object.entries(wanted).filter(([, value]) => value);
  if (!told.length) return { everything: true };
  return Object.fromEntries(told.map(([name, value]) => [name, name === "before" ? Number(value) : value]));
}
