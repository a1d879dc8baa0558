// Looks again and again, as long as somebody sees the page.

// The longest time until a gateway that does not answer is asked again.
const LONGEST_WAIT_MS = 4_000;

// Do `work` now and each so many milliseconds, until the signal says so; `failed` is told what it raises. What lasts ends
// when the signal says so that `work` is given: when nobody sees the page any more, and is done again when somebody does.
export async function every(periodMs, signal, work, failed = () => {}) {
  let failures = 0;
  while (!signal.aborted) {
    await seen(signal);
    if (signal.aborted) return;
    const hidden = new AbortController();
    const look = () => document.hidden && hidden.abort();
    document.addEventListener("visibilitychange", look);
    try {
      await work(AbortSignal.any([signal, hidden.signal]));
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (hidden.signal.aborted) continue;
      failures += 1;
      failed(error);
    } finally {
      document.removeEventListener("visibilitychange", look);
    }
    await pause(failures ? Math.min(LONGEST_WAIT_MS, periodMs * failures) : periodMs, signal);
  }
}

// Wait so long, or until the signal.
export function pause(ms, signal) {
  return new Promise((done) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      done();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

// Wait until the page is seen, or until the signal.
function seen(signal) {
  if (!document.hidden || signal.aborted) return Promise.resolve();
  return new Promise((done) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      done();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
  });
}
