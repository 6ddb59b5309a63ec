/**
 * Running steps: at once, or, where a signal could stop them, with pauses in which timers and events get through.
 */

import type { Steps } from "./steps.js";

/** All steps, without a pause. */
export function finish<Result>(steps: Steps<Result>): Result {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** All steps, with a pause about sixty times a second after which the signal is asked. */
export async function finishUnless<Result>(steps: Steps<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return finish(steps);
  for (let next = performance.now() + 16, step = steps.next(); ; step = steps.next()) {
    if (step.done) return step.value;
    if (performance.now() < next) continue;
    await pause();
    signal.throwIfAborted();
    next = performance.now() + 16;
  }
}

/** One turn of the event loop. Nested timeouts would wait for 4 ms each in browsers. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(0);
    }
  });
}
