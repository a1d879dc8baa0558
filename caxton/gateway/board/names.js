// What agents are called whose ids are known: asked once each, and forgotten, the oldest first, beyond a bound.

import { get } from "./api.js";
import { line } from "./format.js";

const MOST = 500;
const names = new Map();
// That an agent is gone, or is none of ours, stays so; what else went wrong is asked again.
const LASTING = new Set([403, 404]);

// The ids of clients have the highest of their 64 bits set.
export function isClient(id) {
  return /^[89a-f]/.test(id);
}

// Return the name of an agent, what a client is, or the id where nobody has one.
export async function nameOf(id) {
  if (isClient(id)) return id === "f".repeat(16) ? "everyone" : `client ${id.slice(-6)}`;
  if (!names.has(id)) {
    if (names.size >= MOST) names.delete(names.keys().next().value);
    names.set(id, get(`/v1/agents/${id}`).then((agent) => line(agent.name, 200), (error) => {
      if (!LASTING.has(error.status)) names.delete(id);
      return id;
    }));
  }
  return names.get(id);
}

// Return the names of all these ids, by id.
export async function namesOf(ids) {
  const asked = [...new Set(ids)];
  const found = await Promise.all(asked.map(nameOf));
  return new Map(asked.map((id, place) => [id, found[place]]));
}

export function note(id, name) {
  if (names.size < MOST) names.set(id, Promise.resolve(line(name, 200)));
}
