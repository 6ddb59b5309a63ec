/**
 * The peak of this machine's WebAssembly SIMD multiply-add: the best of several loops whose accumulators do not depend on
 * each other, written as text and assembled as it stands, so that no optimiser takes part but the engine's own.
 *
 * - `chain n`: n accumulators a ← a·x + y, all in registers.
 * - `tile r×c`: a_rc ← a_rc + x_r·y_c as in a product of matrices, r vectors and c broadcast numbers loaded a step.
 *
 * Plain: f32x4.mul and f32x4.add. Relaxed: f32x4.relaxed_madd, where the runtime has it. 8 operations a step and
 * accumulator. The loops are run beside the contestants, so that a share compares what one machine did at one time.
 */

import { load } from "./load.js";

/** A loop, ready to run. */
export interface PeakLoop {
  /** "plain chain 8" */
  readonly name: string;
  readonly relaxed: boolean;
  readonly text: string;
  /** Floating-point operations of one run, some milliseconds long. */
  readonly operations: number;
  run(): void;
}

interface Wabt {
  parseWat(name: string, text: string, features: object): { toBinary(options: object): { buffer: Uint8Array } };
}

const steps = 64;
const passes = 20_000;

function multiplyAdd(relaxed: boolean, a: string, x: string, y: string): string {
  return relaxed ? `(f32x4.relaxed_madd ${x} ${y} ${a})` : `(f32x4.add ${a} (f32x4.mul ${x} ${y}))`;
}

const indices = (count: number) => Array.from({ length: count }, (_, i) => i);

function chainBody(count: number, relaxed: boolean): { locals: number; setup: string; step: string } {
  const setup = `(local.set $x (v128.const f32x4 0.9 0.9 0.9 0.9)) (local.set $y (v128.const f32x4 0.1 0.1 0.1 0.1))`;
  const step = indices(count)
    .map((i) =>
      relaxed
        ? `(local.set $a${i} (f32x4.relaxed_madd (local.get $a${i}) (local.get $x) (local.get $y)))`
        : `(local.set $a${i} (f32x4.add (f32x4.mul (local.get $a${i}) (local.get $x)) (local.get $y)))`,
    )
    .join("\n      ");
  return { locals: count, setup, step };
}

function tileBody(rows: number, columns: number, relaxed: boolean): { locals: number; setup: string; step: string } {
  const vectors = indices(rows).map((r) => `(local.set $v${r} (v128.load offset=${16 * r} (local.get $p)))`);
  const products = indices(columns).flatMap((c) => [
    `(local.set $x (v128.load32_splat offset=${32768 + 4 * c} (local.get $p)))`,
    ...indices(rows).map((r) => {
      const a = r * columns + c;
      return `(local.set $a${a} ${multiplyAdd(relaxed, `(local.get $a${a})`, "(local.get $x)", `(local.get $v${r})`)})`;
    }),
  ]);
  const setup = "(local.set $p (i32.const 0))";
  const move = `(local.set $p (i32.add (local.get $p) (i32.const ${16 * rows})))`;
  return { locals: rows * columns, setup, step: [...vectors, ...products, move].join("\n      ") };
}

function moduleText({ locals, setup, step }: ReturnType<typeof chainBody>): string {
  const sum = indices(locals).reduce((inner, i) => `(f32x4.add ${inner} (local.get $a${i}))`, "(local.get $x)");
  return `(module
  (memory 1)
  (func (export "run") (param $passes i32) (result f32)
    (local $n i32) (local $p i32) (local $x v128) (local $y v128) ${indices(8)
      .map((i) => `(local $v${i} v128)`)
      .join(" ")}
    ${indices(locals)
      .map((i) => `(local $a${i} v128)`)
      .join(" ")}
    (loop $pass
    ${setup}
    (local.set $n (i32.const ${steps}))
    (loop $next
      ${step}
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (br_if $pass (local.tee $passes (i32.sub (local.get $passes) (i32.const 1)))))
    (f32x4.extract_lane 0 ${sum})))`;
}

/** All loops that this runtime can run; relaxed ones are left out where it has no relaxed SIMD. */
export async function peakLoops(): Promise<PeakLoop[]> {
  const { default: open } = await load<{ default: () => Promise<Wabt> }>("wabt");
  const wabt = await open();
  const loops: PeakLoop[] = [];
  for (const relaxed of [false, true]) {
    const kind = relaxed ? "relaxed" : "plain";
    const chains = [8, 10, 12].map((n) => ({ name: `${kind} chain ${n}`, body: chainBody(n, relaxed) }));
    const tiles = [
      [1, 8],
      [2, 4],
      [4, 2],
      [2, 5],
    ].map(([r, c]) => ({
      name: `${kind} tile ${r}×${c}`,
      body: tileBody(r, c, relaxed),
    }));
    for (const { name, body } of [...chains, ...tiles]) {
      const text = moduleText(body);
      const { buffer } = wabt.parseWat(name, text, { simd: true, relaxed_simd: true }).toBinary({});
      const bytes = new Uint8Array(buffer);
      if (!WebAssembly.validate(bytes)) continue;
      const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes));
      const run = instance.exports.run as (passes: number) => number;
      loops.push({ name, relaxed, text, operations: passes * steps * body.locals * 8, run: () => void run(passes) });
    }
  }
  return loops;
}
