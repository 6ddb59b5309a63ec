/** Gradients, chunk by chunk (equations section 9). */

import { type Plan, tensorLengths } from "../../plan.js";
import type { BackwardInputs, Tensor } from "../../types.js";
import type { Kept } from "../backend.js";
import type { ChunkCall, Sources } from "./call.js";
import { chunksOf } from "./chunks.js";
import type { Pass } from "./passes.js";
import { clamp, vectors } from "./records.js";
import { openResults, type Piece } from "./results.js";
import type { Bindings, Runner } from "./runner.js";
import { collect, openChunk } from "./steps.js";
import * as tiles from "./wgsl/backward.wgsl.js";
import { headGradients as headGradientsSource } from "./wgsl/heads.wgsl.js";
import * as pack from "./wgsl/pack-backward.wgsl.js";

const packCotangents: Pass = { name: "packCotangents", by: [], source: () => pack.packCotangents };
const project: Pass = { name: "project", by: [], source: () => pack.project };
const headGradients: Pass = { name: "headGradients", by: [], source: () => headGradientsSource };
const columnGradients: Pass = {
  name: "columnGradients",
  by: ["sphere"],
  source: ({ sphere }) => tiles.columnGradients(sphere),
};
const dQueries: Pass = {
  name: "dQueries",
  by: ["sphere", "slots"],
  source: ({ sphere, slots }) => tiles.dQueries(sphere, slots),
};
const dKeys: Pass = {
  name: "dKeys",
  by: ["sphere", "slots"],
  source: ({ sphere, slots }) => tiles.dKeys(sphere, slots),
};

export async function backward(
  runner: Runner,
  plan: Plan,
  sources: Required<Sources>,
  saved: BackwardInputs<Tensor>,
  signal?: AbortSignal,
  kept?: Kept,
) {
  const { q: dq, k: dk, v: dv, perHead } = tensorLengths(plan);
  const chunks = dq === 0 || dk === 0 ? [] : chunksOf(plan, runner.device.limits);
  const results = await openResults(runner, { dq, dk, dv, dAlpha: perHead, dKappa: perHead }, kept);
  // Shared by the chunks.
  const factors = runner.put(writeFactors(plan));
  const totals = runner.put(new Float32Array(4 * plan.heads));
  const [dAlpha, dKappa] = [runner.take(4 * plan.heads), runner.take(4 * plan.heads)];
  return collect(runner, results, chunks, signal, async (chunk, isLast) => {
    const call = await openChunk(runner, plan, chunk, signal, true);
    const isBiased = plan.degreeNormalization > 0;
    const isSphere = plan.manifold === "sphere";
    const needed = [packCotangents, dQueries, dKeys, headGradients];
    await call.prepare([...needed, ...(isBiased ? [columnGradients] : []), ...(isSphere ? [project] : [])]);
    await call.pack(sources);
    await call.measure();
    const cotangents = await layCotangents(call, saved);
    if (isBiased) await call.tilePass(columnGradients, { ...call.turned, cotangents }, call.keysAsRows);

    const rows = chunk.heads * plan.queries;
    const columns = chunk.keyHeads * plan.keys;
    const [ofQ, ofK, ofV] = [rows * plan.headDim, columns * plan.headDim, columns * plan.valueDim];
    const [dPoints, partials, dKeyPoints, dValues] = [ofQ, 2 * rows, ofK, ofV].map((n) => runner.take(4 * n));
    const ofQueries = { cotangents, dPoints, partials };
    await call.tilePass(dQueries, ofQueries, { ...call.queriesAsRows, chunks: call.slotChunks });
    const ofKeys = { ...call.turned, cotangents, dPoints: dKeyPoints, dValues };
    await call.tilePass(dKeys, ofKeys, { ...call.keysAsRows, heads: chunk.keyHeads, chunks: call.slotChunks });
    if (isSphere) {
      await call.rowPass(project, { points: call.turned.columns, gradient: dPoints }, rows, [plan.queries]);
      await call.rowPass(project, { points: call.turned.rows, gradient: dKeyPoints }, columns, [plan.keys]);
    }
    await sumHeads(call, { partials, factors, totals, dAlpha, dKappa });
    const firstColumn = chunk.keyHead * plan.keys;
    const pieces: Piece<"dq" | "dk" | "dv" | "dAlpha" | "dKappa">[] = [
      { name: "dq", from: dPoints, at: chunk.head * plan.queries * plan.headDim, length: ofQ },
      { name: "dk", from: dKeyPoints, at: firstColumn * plan.headDim, length: ofK },
      { name: "dv", from: dValues, at: firstColumn * plan.valueDim, length: ofV },
    ];
    if (!isLast) return pieces;
    return [
      ...pieces,
      { name: "dAlpha", from: dAlpha, at: 0, length: plan.heads },
      { name: "dKappa", from: dKappa, at: 0, length: plan.heads },
    ];
  });
}

/** dO with L and δ, as the backward passes read it. */
async function layCotangents(call: ChunkCall, saved: BackwardInputs<Tensor>): Promise<GPUBufferBinding> {
  const { plan, chunk, runner } = call;
  const { output, logSumExp, dOutput } = saved;
  const { queries, valueDim } = plan;
  const rows = chunk.heads * queries;
  const [from, length] = [chunk.head * queries * valueDim, rows * valueDim];
  const rawCotangents = call.place(dOutput, from, length);
  const rawOutput = call.place(output, from, length);
  const rawLevels = call.place(logSumExp, chunk.head * queries, rows);
  const cotangents = runner.take(16 * rows * (vectors(valueDim) + 1));
  const bindings = {
    rawCotangents: rawCotangents.binding,
    rawOutput: rawOutput.binding,
    rawLevels: rawLevels.binding,
    cotangents,
  };
  const fields = [queries, 1, rawCotangents.shift, 0, rawOutput.shift, rawLevels.shift];
  await call.rowPass(packCotangents, bindings, rows, fields);
  return cotangents;
}

/** dα and dκ of the heads of the chunk, added to those of the chunks before: see `wgsl/heads.wgsl.ts`. */
async function sumHeads(call: ChunkCall, bindings: Bindings): Promise<void> {
  const { plan, chunk, runner } = call;
  const compiled = await call.compiled(headGradients);
  const { queries, heads } = plan;
  const sizes = runner.put(Uint32Array.of(queries, chunk.head, chunk.heads, heads), "uniform");
  runner.dispatch(headGradients.name, compiled, { ...bindings, sizes }, Math.min(chunk.heads, heads));
}

/** What `wgsl/heads.wgsl.ts` multiplies the sums of each head by. */
function writeFactors(plan: Plan): Float32Array<ArrayBuffer> {
  const varies = plan.bandwidthExponent === "1/alpha" && typeof plan.bandwidth === "number";
  const logBandwidth = varies ? Math.log(plan.bandwidth as number) : 0;
  const factors = new Float32Array(4 * plan.heads);
  for (let head = 0; head < plan.heads; head++) {
    const alpha = plan.alpha[head];
    const exponent = plan.intrinsicDim + alpha;
    const length = (alpha < 2 ? exponent : 2) / plan.kappa[head];
    const power = Math.floor(Math.log2(length));
    const order = alpha < 2 ? [1 / exponent, (-exponent * logBandwidth) / alpha ** 2] : [0, 0];
    factors.set([...order.map(clamp), length / 2 ** power, power], 4 * head);
  }
  return factors;
}
