// Asks the gateway. What is wrong comes as a Problem, as RFC 9457 has it.

// Longer than any request may take, but for those that wait for an agent.
const TIMEOUT_MS = 45_000;
// Who waits so long for what is shown is told that nobody answers; it is waited for all the same.
const LATE_MS = 4_000;
// Where our key is kept: in the place of this origin alone, while a cookie goes to every port of a host. It is worth
// nothing without the cookie, which no script reads.
const KEY = "caxton-page-key";

// Tells of `away` and `back`, when the gateway does not answer and when it does again, and of `out`, when it does not
// know us any more.
export const connection = new EventTarget();
let isAway = false;

export class Problem extends Error {
  constructor(status, told) {
    super(told.detail ?? told.title ?? `status ${status}`);
    this.status = status;
    this.code = told.code ?? "";
    this.title = told.title ?? "";
    this.fields = told.fields ?? {};
  }

  // Nobody answers, which may be better in a moment.
  get isAway() {
    return this.status === 0;
  }
}

// Return what is kept in the browser under a name, null where nothing is.
export function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

// Keep a text; a browser that keeps nothing does without.
export function keep(name, text) {
  try {
    localStorage.setItem(name, text);
  } catch {
    // It holds for as long as the page is open.
  }
}

let key = kept(KEY) ?? "";
addEventListener("storage", (event) => {
  if (event.key === KEY) key = event.newValue ?? "";
});

export function isSignedIn() {
  return Boolean(key);
}

// Use this key from now on, or none.
export function setKey(given) {
  key = given;
  keep(KEY, given);
}

function ours() {
  return key ? { "X-Caxton-Page": key } : {};
}

// Return the path with these parameters, without those that say nothing.
export function withQuery(path, query = {}) {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") told.append(name, value);
  }
  return told.size ? `${path}?${told}` : path;
}

export function get(path, query, signal) {
  return asked("GET", withQuery(path, query), { signal });
}

export function post(path, body, headers = {}) {
  return asked("POST", path, { body, headers });
}

export function remove(path) {
  return asked("DELETE", path, {});
}

async function asked(method, path, { body, headers = {}, signal }) {
  const told = { ...ours(), ...headers };
  if (body !== undefined) told["Content-Type"] = "application/json";
  const response = await fetched(path, {
    method,
    headers: told,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: signal ? AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) : AbortSignal.timeout(TIMEOUT_MS),
  });
  return response.status === 204 ? null : readJson(response);
}

// Call `take` with each event of a stream, until it ends or the signal says so.
export async function follow(path, query, signal, take) {
  const response = await fetched(withQuery(path, query), { headers: { ...ours(), Accept: "text/event-stream" }, signal });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      // Before its name an event may have an id, which is in its data too.
      const found = /^event: (.*)\ndata: (.*)$/m.exec(part);
      if (found) take(found[1], JSON.parse(found[2]));
    }
  }
}

async function fetched(path, options) {
  const late = (options.method ?? "GET") === "GET" ? setTimeout(() => setAway(true), LATE_MS) : 0;
  let response;
  try {
    response = await fetch(path, { ...options, cache: "no-store", credentials: "same-origin", redirect: "error" });
  } catch (error) {
    if (options.signal?.aborted && error.name === "AbortError") throw error;
    setAway(true);
    throw new Problem(0, { title: "No answer", code: "NoAnswer", detail: "the gateway does not answer" });
  } finally {
    clearTimeout(late);
  }
  setAway(false);
  if (response.ok) return response;
  const problem = new Problem(response.status, await response.json().catch(() => ({})));
  // Where another tab has signed in since, the next request has its key.
  if (response.status === 401 && (options.headers["X-Caxton-Page"] ?? "") === key) connection.dispatchEvent(new Event("out"));
  throw problem;
}

async function readJson(response) {
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

function setAway(now) {
  if (now === isAway) return;
  isAway = now;
  connection.dispatchEvent(new Event(now ? "away" : "back"));
}
