/**
 * The peak of this machine's WebAssembly SIMD multiply-add: the best of several loops whose accumulators do not depend on
 * each other, put together instruction by instruction, so that no optimiser takes part but the engine's own.
 *
 * - `chain n`: n accumulators a ← a·x + y, all in registers; they tend to y/(1 − x) = 1.
 * - `tile r×c`: a_rc ← a_rc + x_r·y_c as in a product of matrices, r vectors and c broadcast numbers loaded a step.
 *
 * Plain: f32x4.mul and f32x4.add. Relaxed: f32x4.relaxed_madd, where the runtime has it. 8 operations a step and
 * accumulator. The loops are run beside what is timed, so that a share compares what one machine did at one time.
 */

/** A loop, ready to run. */
export interface PeakLoop {
  /** "plain chain 8" */
  readonly name: string;
  readonly relaxed: boolean;
  /** Its instructions, for people. */
  readonly text: string;
  /** Floating-point operations of one run. */
  readonly operations: number;
  /** What is run, for other threads: `run(passes)`. */
  readonly module: WebAssembly.Module;
  readonly passes: number;
  /** Runs; the sum of the accumulators of the first lane. */
  run(): number;
}

const steps = 64;
// A millisecond or so: as short as a small call, so that a busy machine interrupts the one as often as the other.
const passes = 5_000;

/** An instruction as text and as bytes. */
interface Instruction {
  readonly text: string;
  readonly bytes: readonly number[];
}

/** Unsigned LEB128. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >>> 7)];
}

/** Signed LEB128. */
function signedLeb(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signedLeb(value >> 7)];
}

const op = (text: string, ...bytes: number[]): Instruction => ({ text, bytes });
const simd = (text: string, code: number, ...rest: number[]): Instruction => op(text, 0xfd, ...leb(code), ...rest);
const get = (local: number) => op(`local.get ${local}`, 0x20, ...leb(local));
const set = (local: number) => op(`local.set ${local}`, 0x21, ...leb(local));
const tee = (local: number) => op(`local.tee ${local}`, 0x22, ...leb(local));
const integer = (value: number) => op(`i32.const ${value}`, 0x41, ...signedLeb(value));
const plus = op("i32.add", 0x6a);
const minus = op("i32.sub", 0x6b);
const loopStart = op("loop", 0x03, 0x40);
const repeatIf = op("br_if 0", 0x0d, 0);
const end = op("end", 0x0b);
const add = simd("f32x4.add", 228);
const multiply = simd("f32x4.mul", 230);
const fused = simd("f32x4.relaxed_madd", 261);
const firstLane = simd("f32x4.extract_lane 0", 31, 0);
const load = (offset: number) => simd(`v128.load offset=${offset}`, 0, 4, ...leb(offset));
const loadSplat = (offset: number) => simd(`v128.load32_splat offset=${offset}`, 9, 2, ...leb(offset));

function constant(value: number): Instruction {
  const bytes = new Uint8Array(Float32Array.of(value, value, value, value).buffer);
  return simd(`v128.const f32x4 ${value} ${value} ${value} ${value}`, 12, ...bytes);
}

// Locals: the argument, two more integers, then vectors.
const [passesLeft, stepsLeft, pointer, x, y, firstVector] = [0, 1, 2, 3, 4, 5];
const vectors = 8;
const accumulator = (index: number) => firstVector + vectors + index;

const indices = (count: number) => Array.from({ length: count }, (_, i) => i);

/** What a loop does before its steps and in each of them. */
interface Body {
  readonly accumulators: number;
  readonly setup: readonly Instruction[];
  readonly step: readonly Instruction[];
}

function chainBody(count: number, relaxed: boolean): Body {
  const step = indices(count).flatMap((i) => {
    const a = accumulator(i);
    return relaxed ? [get(a), get(x), get(y), fused, set(a)] : [get(a), get(x), multiply, get(y), add, set(a)];
  });
  return { accumulators: count, setup: [constant(0.9), set(x), constant(0.1), set(y)], step };
}

function tileBody(rows: number, columns: number, relaxed: boolean): Body {
  const vector = (r: number) => firstVector + r;
  const loads = indices(rows).flatMap((r) => [get(pointer), load(16 * r), set(vector(r))]);
  const products = indices(columns).flatMap((c) => [
    ...[get(pointer), loadSplat(32768 + 4 * c), set(x)],
    ...indices(rows).flatMap((r) => {
      const a = accumulator(r * columns + c);
      return relaxed
        ? [get(x), get(vector(r)), get(a), fused, set(a)]
        : [get(a), get(x), get(vector(r)), multiply, add, set(a)];
    }),
  ]);
  const move = [get(pointer), integer(16 * rows), plus, set(pointer)];
  return { accumulators: rows * columns, setup: [integer(0), set(pointer)], step: [...loads, ...products, ...move] };
}

function instructionsOf({ accumulators, setup, step }: Body): Instruction[] {
  const countDown = (local: number) => [get(local), integer(1), minus, tee(local), repeatIf];
  return [
    ...[loopStart, ...setup, integer(steps), set(stepsLeft)],
    ...[loopStart, ...step, ...countDown(stepsLeft), end],
    ...[...countDown(passesLeft), end],
    ...[get(accumulator(0)), ...indices(accumulators - 1).flatMap((i) => [get(accumulator(i + 1)), add])],
    ...[firstLane, end],
  ];
}

/** A module with one page of memory and `run: (passes: i32) -> f32`. */
function moduleOf(instructions: readonly Instruction[], accumulators: number): Uint8Array<ArrayBuffer> {
  const [i32, f32, v128] = [0x7f, 0x7d, 0x7b];
  const sized = (bytes: readonly number[]) => [...leb(bytes.length), ...bytes];
  const section = (id: number, bytes: readonly number[]) => [id, ...sized(bytes)];
  const locals = [2, ...leb(2), i32, ...leb(2 + vectors + accumulators), v128];
  const code = [...locals, ...instructions.flatMap(({ bytes }) => bytes)];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, i32, 1, f32]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [1, ...sized([...new TextEncoder().encode("run")]), 0, 0]),
    ...section(10, [1, ...sized(code)]),
  ]);
}

/** All loops that this runtime can run; relaxed ones are left out where it has no relaxed SIMD. */
export function peakLoops(): PeakLoop[] {
  const loops: PeakLoop[] = [];
  for (const relaxed of [false, true]) {
    const kind = relaxed ? "relaxed" : "plain";
    const chains = [8, 10, 12].map((n) => ({ name: `${kind} chain ${n}`, body: chainBody(n, relaxed) }));
    const shapes = [
      [1, 8],
      [2, 4],
      [4, 2],
      [2, 5],
    ];
    const tiles = shapes.map(([r, c]) => ({ name: `${kind} tile ${r}×${c}`, body: tileBody(r, c, relaxed) }));
    for (const { name, body } of [...chains, ...tiles]) {
      const instructions = instructionsOf(body);
      const bytes = moduleOf(instructions, body.accumulators);
      if (!WebAssembly.validate(bytes)) continue;
      const module = new WebAssembly.Module(bytes);
      const instance = new WebAssembly.Instance(module);
      const run = instance.exports.run as (passes: number) => number;
      const text = instructions.map((instruction) => instruction.text).join("\n");
      const operations = passes * steps * body.accumulators * 8;
      loops.push({ name, relaxed, text, operations, module, passes, run: () => run(passes) });
    }
  }
  return loops;
}
