/** Why the operator mutants that are known to survive do: the program is the same, or differs only where nothing is promised. */

/** @type {Record<string, string>} */
export const survivors = {
  "src/attention.ts: this.#refuseDisposed();  ->  (left out) (2)":
    "whoever waits is refused by the queue or the device, and whoever does not by the question before this one",
  "src/attention.ts: return { plan: makePlan(inputs, common), tensors: { q, k, v: v ?? new arrays[0](0) }, signal, kept };  ->  return { plan: makePlan(inputs, common), tensors: { q, k, v: v ?? new arrays[0](1) }, signal, kept };":
    "v may be left out for weights only, for which no device reads it: all tests pass also with undefined in its place",
  "assembly/backward.ts: for (let block = own; block < blocks; block += parts) backward_unit(b, h, block, block + 1);  ->  for (let block = own; block <= blocks; block += parts) backward_unit(b, h, block, block + 1);":
    "the block after the last has no rows: every tile of it is skipped, nothing is written and 0 is added to the sums of the head",
  "assembly/distance.ts: let a0 = f32x4.splat(0), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);  ->  let a0 = f32x4.splat(1), a1 = f32x4.splat(0), a2 = f32x4.splat(0), a3 = f32x4.splat(0);":
    "every chunk of components, the first as well, begins by setting it to 0",
  "assembly/masks.ts: export const PARTIAL: i32 = 2;  ->  export const PARTIAL: i32 = 3;":
    "the kinds of a tile are compared with each other by name only",
  "assembly/masks.ts: if (!(j1 < g || (p0 >= 0 && p1 < g))) kind = PARTIAL;  ->  if (!(j1 < g || (p0 >= 1 && p1 < g))) kind = PARTIAL;":
    "a tile without a masked pair that is asked pair by pair gives the same numbers more slowly",
  "assembly/masks.ts: while (at + 16 <= end) {  ->  while (at + 16 < end) {":
    "the last 16 bytes go through the loop for single bytes, with the same outcome",
  "assembly/masks.ts: const window = ignore ? -1 : field(Field.WINDOW);  ->  const window = ignore ? -2 : field(Field.WINDOW);":
    "only a window of at least 0 is looked at, and -2 is below it as -1 is",
  "assembly/state.ts: export let keyHead: i32 = 0;  ->  export let keyHead: i32 = 1;":
    "bind sets it before anything reads it",
  "assembly/state.ts: export let columnGradients: usize = 0;  ->  export let columnGradients: usize = 1;":
    "open sets it before the backward pass, which alone reads it",
  "assembly/tile.ts: const flag = bad && lane < valid ? load<u8>(bad + lane0 + lane) & 1 : 0;  ->  const flag = bad && lane <= valid ? load<u8>(bad + lane0 + lane) & 1 : 0;":
    "the lane after the last valid one is masked from every row, and whether it is exempt is asked of kept pairs only: every test passes also with all such lanes flagged",
  "src/backends/wasm/arena.ts: if (missing > 0) {  ->  if (missing > 1) {":
    "addresses and the size of the memory are multiples of 64, so no more than 0 bytes are missing or at least 64",
  "src/backends/wasm/call.ts: scale = 1;  ->  scale = 2;": "the constructor sets it whatever it was",
  "src/backends/wasm/call.ts: this.#set(field.dv, arena.take(parts * lengths.v * 4));  ->  this.#set(field.dv, arena.take(parts * lengths.v * 5));":
    "a buffer larger than needed holds the same numbers",
  "src/backends/wasm/steps.ts: kernels.open(call.record, call.scratch(1, false)[0], 0);  ->  kernels.open(call.record, call.scratch(2, false)[0], 0);":
    "scratch for a second thread that nobody uses",
  "src/backends/wasm/threaded.ts: const tasks = heads.map(([b, h]) => [b, h, median, 0]);  ->  const tasks = heads.map(([b, h]) => [b, h, median, 1]);":
    "kernels do not read the last number of a bandwidth task",
  "src/backends/wasm/threaded.ts: const perPiece = Math.max(1, Math.ceil(blocks / pieces));  ->  const perPiece = Math.max(2, Math.ceil(blocks / pieces));":
    "the blocks of a head may be split in any way without changing a bit of the result",
  "src/backends/wasm/threaded.ts: const isSplit = plan.degreeNormalization === 0 && plan.batch * plan.keyHeads < 4 * threads;  ->  const isSplit = plan.degreeNormalization === 0 && plan.batch * plan.keyHeads <= 4 * threads;":
    "from how many key heads on their queries are no longer split is a question of speed",
  "src/backends/webgpu/wgsl/measure.wgsl.ts: if (tc == 0u) {  ->  if (tc != 0u) {":
    "all eight threads of a row hold its sum, and of the pairs that are NaN only whether there are any is asked",
  "src/backends/webgpu/wgsl/pack.wgsl.ts: ? `let own = bitcast<f32>((254u - clamp(most >> 23u, 1u, 253u)) << 23u);  ->  ? `let own = bitcast<f32>((255u - clamp(most >> 23u, 1u, 253u)) << 23u);":
    "the power of two that is taken out of a vector cancels when it is divided by its norm",
  "src/backends/webgpu/wgsl/pack.wgsl.ts: point(row, select(0.0, 2.0, bad));  ->  point(row, select(0.5, 2.0, bad));":
    "flags are read as whole numbers",
  "src/backends/webgpu/wgsl/softmax.wgsl.ts: var<workgroup> tops: array<vec4f, 8u * R / 4u>;  ->  var<workgroup> tops: array<vec4f, 9u * R / 4u>;":
    "memory that nobody uses",
  "src/backends/webgpu/wgsl/tile.wgsl.ts: var kind = select(FULL, PARTIAL, i1 - 1 > iLast || j1 - 1 > jLast || params.threshold != 0u);  ->  var kind = select(FULL, PARTIAL, i1 - 1 > iLast || j1 + 1 > jLast || params.threshold != 0u);":
    "a tile without a masked pair that is asked pair by pair gives the same numbers more slowly",
  "src/backends/webgpu/backward.ts: await call.prepare([...needed, ...(isBiased ? [columnGradients] : []), ...(isSphere ? [project] : [])]);  ->  (left out)":
    "it starts compiling early; a pass that has not been compiled is when it is needed",
  "src/backends/webgpu/backward.ts: const factors = new Float32Array(4 * plan.heads);  ->  const factors = new Float32Array(5 * plan.heads);":
    "a buffer larger than needed holds the same numbers",
  "src/backends/webgpu/call.ts: return batch * heads * Math.floor(queries / 64) >= busyWorkgroups ? 8 : 4;  ->  return batch * heads / Math.floor(queries / 64) >= busyWorkgroups ? 8 : 4;":
    "how many rows a thread takes is a question of speed",
};
