/**
 * What the browser test bundles into its page: verification of the package's devices inside the browser, with the golden
 * vectors fetched from the server that serves the page. The result is left on the window for the test to read.
 */

import { decodeGolden, weightFiles, withWeights } from "../../src/verify/golden.js";
import { type VerifyOptions, type VerifyResult, verifyWith } from "../../src/verify/run.js";

declare global {
  interface Window {
    verify(options: VerifyOptions): Promise<VerifyResult>;
  }
}

async function read(file: string): Promise<Response> {
  const response = await fetch(`/golden/${file}.gz`);
  if (!response.ok || !response.body) throw new Error(`${response.url} answered ${response.status}`);
  return new Response(response.body.pipeThrough(new DecompressionStream("gzip")));
}

async function load(group: string) {
  const decoded = decodeGolden(await (await read(`${group}.json`)).text());
  const files: Record<string, Uint8Array> = {};
  for (const file of weightFiles(decoded)) files[file] = new Uint8Array(await (await read(file)).arrayBuffer());
  return withWeights(decoded, files);
}

window.verify = (options) => verifyWith(load, options);
