/**
 * What a worker of the pool runs, as text, so that no second file has to be found or served. It is plain JavaScript that is
 * both a script and a module, as Node decides by its own flags which it takes it for. First message: the module and the
 * shared memory; each later one is a task, whose units the workers take from a common counter until none is left.
 */
const body = `"use strict";
let kernels;
function receive(port, message) {
  try {
    if (message.module) {
      kernels = new WebAssembly.Instance(message.module, { env: { memory: message.memory } }).exports;
    } else {
      const { record, scratch, backward, kernel, units, next } = message;
      kernels.open(record, scratch, backward);
      for (let u = Atomics.add(next, 0, 1) * 4; u < units.length; u = Atomics.add(next, 0, 1) * 4) {
        kernels[kernel](units[u], units[u + 1], units[u + 2], units[u + 3]);
      }
    }
    port.postMessage("");
  } catch (error) {
    port.postMessage(String((error && error.message) || error));
  }
}
`;

/** For Node's workers. */
export const nodeWorkerSource = `${body}
import("node:worker_threads").then(({ parentPort }) => parentPort.on("message", (message) => receive(parentPort, message)));
`;

/** For the workers of browsers. */
export const webWorkerSource = `${body}
self.onmessage = (event) => receive(self, event.data);
`;
