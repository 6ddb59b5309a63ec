/**
 * What the browser test bundles into its page: verification of the package's devices inside the browser, with the golden
 * vectors fetched from the server that serves the page. The result is left on the window for the test to read.
 */

import { decodeGolden } from "../../src/verify/golden.js";
import { type VerifyOptions, type VerifyResult, verifyWith } from "../../src/verify/run.js";

declare global {
  interface Window {
    verify(options: VerifyOptions): Promise<VerifyResult>;
  }
}

async function load(group: string) {
  const response = await fetch(`/golden/${group}.json.gz`);
  if (!response.ok || !response.body) throw new Error(`${response.url} answered ${response.status}`);
  const text = await new Response(response.body.pipeThrough(new DecompressionStream("gzip"))).text();
  return decodeGolden(text);
}

window.verify = (options) => verifyWith(load, options);
