/**
 * What a worker of the pool runs, as text, so that no second file has to be found or served. It is plain JavaScript for both
 * Node's workers, where `require` exists, and the browsers'. First message: the module and the shared memory; each later one
 * is a task, whose units the workers take from a common counter until none is left.
 */
export const workerSource = `"use strict";
const port = typeof require === "function" ? require("node:worker_threads").parentPort : self;
let kernels;
function receive(message) {
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
if (port.on) port.on("message", receive);
else port.onmessage = (event) => receive(event.data);
`;
