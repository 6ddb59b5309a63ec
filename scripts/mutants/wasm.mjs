/** Bugs of the WebAssembly kernels and of what calls them: tails, strides, masks, running maxima, memory. */

import { inFastPath } from "./list.mjs";

/** @type {import("./list.mjs").Mutant[]} */
export const mutants = [
  ...inFastPath("assembly/forward.ts", [
    [
      "wasm: sums are not rescaled when the reference rises",
      "v128.store(sum + lane, f32x4.mul(v128.load(sum + lane), factor));",
      "",
    ],
    ["wasm: outputs are not rescaled when the reference rises", "v128.store(o, f32x4.mul(v128.load(o), factor));", ""],
    [
      "wasm: the reference never rises",
      "const higher = f32x4.gt(t, f32x4.add(r, f32x4.splat(28)));",
      "const higher = v128.and(f32x4.gt(t, f32x4.add(r, f32x4.splat(28))), f32x4.lt(r, f32x4.splat(<f32>UNSEEN / 2)));",
    ],
    [
      "wasm: the factor of the reference upside down",
      "exp(table, f32x4.sub(r, next))",
      "exp(table, f32x4.sub(next, r))",
    ],
    ["wasm: outputs of the block before are kept", "if (values) memory.fill(outputs, 0, <usize>W * ROW);", ""],
    [
      "wasm: rows beyond the query length are written",
      "const valid = max(0, min(rows, queryLength - i0));\n    pack_lanes(i0, valid, true, 0);\n    block_forward(i0, valid, keyLength, true, column_sums(), true);",
      "const valid = rows;\n    pack_lanes(i0, valid, true, 0);\n    block_forward(i0, valid, keyLength, true, column_sums(), true);",
    ],
    [
      "wasm: the wrong tail of a row is written",
      "scatter(row, bytes, min(4, rows - lane0), min(4, V - c));",
      "scatter(row, bytes, min(4, rows - lane0), 4);",
    ],
    [
      "wasm: an empty row is divided by its sum",
      "v128.and(f32x4.div(f32x4.splat(1), l), v128.and(f32x4.gt(l, f32x4.splat(0)), limit))",
      "v128.and(f32x4.div(f32x4.splat(1), l), limit)",
    ],
    [
      "wasm: column sums of the first head for all",
      "(<usize>batch * <usize>field(Field.HEADS) + <usize>head) * (<usize>M << 2)",
      "(<usize>batch * <usize>field(Field.HEADS)) * (<usize>M << 2)",
    ],
    [
      "wasm: values by the stride of the points",
      "values + keyRow * (<usize>V << 2), keyLength, flags(false), columns",
      "values + keyRow * (<usize>D << 2), keyLength, flags(false), columns",
    ],
    [
      "wasm: keys after the cut of a causal tile are skipped",
      "for (let first = 0; first < limit; first = tileEnd) {",
      "for (let first = 0; first < limit; first = (first & -64) + 64) {",
    ],
    ["wasm: weights of one block over those of the block before", "out += <usize>rows * (<usize>M << 2);", ""],
  ]),
  ...inFastPath("assembly/tile.ts", [
    [
      "wasm: keys from the tile's edge on are seen",
      "masked = kind == PARTIAL || threshold || bad || tileRowCount != rows;",
      "masked = kind == PARTIAL || threshold || bad;",
    ],
    ["wasm: causal clips one key too many", "rowEnd = min(tileEnd, p1 + 1);", "rowEnd = min(tileEnd, p1);"],
    [
      "wasm: the stairs of a causal tile are a step too low",
      "lane0 + keyLength - queryLength + 8 - row0",
      "lane0 + keyLength - queryLength - row0",
    ],
    [
      "wasm: a window clips without its globals",
      "rowEnd = min(rowEnd, max(p1 + window + 1, g));",
      "rowEnd = min(rowEnd, p1 + window + 1);",
    ],
    ["wasm: the bias of masked pairs is not taken off", "if (masked || bias) adjust(", "if (masked) adjust("],
    [
      "wasm: maxima over masked pairs",
      "m = f32x4.pmax(m, x);\n    }\n    v128.store(top + lane, m);",
      "m = f32x4.pmax(m, x);\n    }",
    ],
    [
      "wasm: NaN in keys poisons who cannot see them",
      "v128.and(v128.load(keep + row + lane), v128.or(own, i32x4.splat(flag)))",
      "v128.or(own, i32x4.splat(flag))",
    ],
  ]),
  ...inFastPath("assembly/masks.ts", [
    [
      "wasm: causal counts from the first key",
      "const p = i32x4.add(laneIsQuery ? here : row, i32x4.splat(offset));",
      "const p = laneIsQuery ? here : row;",
    ],
    [
      "wasm: causal off by one",
      "if (causal) masked = v128.or(masked, i32x4.gt_s(j, p));",
      "if (causal) masked = v128.or(masked, i32x4.ge_s(j, p));",
    ],
    [
      "wasm: axes of the mask swapped where columns are summed",
      "explicit(lane0 + lane, row0 + r) : explicit(row0 + r, lane0 + lane)",
      "explicit(lane0 + lane, row0 + r) : explicit(lane0 + lane, row0 + r)",
    ],
    [
      "wasm: the mask of the first head for all",
      "<usize>head * pointer(Field.MASK_HEAD)",
      "0 * pointer(Field.MASK_HEAD)",
    ],
    [
      "wasm: global keys are not seen",
      "const near = v128.or(i32x4.lt_s(j, g), v128.and(",
      "const near = v128.and(i32x4.lt_s(j, g), v128.and(",
    ],
    [
      "wasm: a tile at the edge of a window is skipped",
      "if (max(j0 - p1, p0 - j1) > window && !anyGlobal) return SKIP;",
      "if (max(j0 - p1, p0 - j1) >= window && !anyGlobal) return SKIP;",
    ],
    ["wasm: the tail of an explicit mask is not looked at", "while (at < end) {", "while (false) {"],
  ]),
  ...inFastPath("assembly/distance.ts", [
    ["wasm: close points by the expanded form", "done = !v128.any_true(close);", "done = true;"],
    ["wasm: partial sums of long vectors are lost", "a0 = f32x4.add(a0, c0);", "a0 = c0;"],
  ]),
  ...inFastPath("assembly/state.ts", [
    [
      "wasm: query heads read the key heads in turn",
      "keyHead = <i32>((<i64>h * <i64>keyHeads) / <i64>heads);",
      "keyHead = h % keyHeads;",
    ],
    [
      "wasm: keys of the head before",
      "if (packedRow == keyRow) return true;",
      "if (packedRow != usize.MAX_VALUE) return true;",
    ],
    [
      "wasm: lengths of the first batch entry for all",
      "keyLength = load<i32>(pointer(Field.KEY_LENGTHS) + (<usize>b << 2));",
      "keyLength = load<i32>(pointer(Field.KEY_LENGTHS));",
    ],
  ]),
  ...inFastPath("assembly/sphere.ts", [
    ["wasm: partial sums of long unit vectors are lost", "b3 = f32x4.add(b3, d3);", "b3 = d3;"],
    [
      "wasm: a cosine beyond 1 is not clamped",
      "f32x4.neg(f32x4.pmax(f32x4.splat(0), f32x4.sub(f32x4.splat(4), a)))",
      "f32x4.neg(f32x4.sub(f32x4.splat(4), a))",
    ],
    [
      "wasm: obtuse angles by cancellation",
      "if (v128.any_true(f32x4.gt(largest, f32x4.splat(3))))",
      "if (v128.any_true(f32x4.gt(largest, f32x4.splat(30))))",
    ],
  ]),
  ...inFastPath("assembly/backward.ts", [
    ["wasm: gradients of the key head before are kept", "memory.fill(dKeys, 0, rows * (<usize>P << 2));", ""],
    [
      "wasm: gradients on the sphere are not projected",
      "for (let d = 0; d < E; d++) along += component(points, d, pitch) * component(gradient, d, pitch);",
      "",
    ],
    [
      "wasm: sums of one part replace those before",
      "store<f64>(sums, load<f64>(sums) + orderSum);",
      "store<f64>(sums, orderSum);",
    ],
    ["wasm: delta of the query before", "store<f32>(delta + at, d);", "store<f32>(delta + (lane ? at - 4 : at), d);"],
    [
      "wasm: column gradients of all heads together",
      "if (column_sums()) memory.fill(columnGradients, 0, <usize>roundUp(M, TILE) << 3);",
      "",
    ],
  ]),
  ...inFastPath("assembly/spread.ts", [
    [
      "wasm: forces on queries and keys alike",
      "v128.store(to, f32x4.sub(v128.load(to), d0));",
      "v128.store(to, f32x4.add(v128.load(to), d0));",
    ],
    [
      "wasm: the odd group of values is left out",
      "for (let g = 0; g < groups; g += 2) {",
      "for (let g = 0; g + 1 < groups; g += 2) {",
    ],
  ]),
  ...inFastPath("assembly/slope.ts", [
    ["wasm: slope at distance 0", "onSphere ? ratio : v128.and(ratio, f32x4.gt(x, zero))", "ratio"],
    [
      "wasm: degree normalisation without its share of dS",
      "f32x4.sub(v128.load(p + at), f32x4.mul(factor, share))",
      "v128.load(p + at)",
    ],
  ]),
  ...inFastPath("assembly/bandwidth.ts", [
    ["wasm: the upper median", "rank = (pairs - 1) >> 1;", "rank = pairs >> 1;"],
  ]),
  ...inFastPath("src/backends/wasm/arena.ts", [
    ["wasm: memory grows a page too little", "Math.ceil(missing / page)", "Math.floor(missing / page)"],
    [
      "wasm: what zeros should hold is left as it was",
      "new Uint8Array(this.memory.buffer, address, bytes).fill(0);",
      "",
    ],
  ]),
  ...inFastPath("src/backends/wasm/call.ts", [
    [
      "wasm: a view from before the memory grew",
      "    const view = arena.view();\n    for (let b = 0; b < plan.batch; b++) {\n      for (let h = 0; h < plan.heads; h++) {",
      "    this.kept ??= arena.view();\n    const view = this.kept;\n    for (let b = 0; b < plan.batch; b++) {\n      for (let h = 0; h < plan.heads; h++) {",
    ],
    [
      "wasm: parameters of the head before",
      "(b * plan.heads + h) * headRecord.length * 8",
      "(b * plan.heads + Math.max(0, h - 1)) * headRecord.length * 8",
    ],
    [
      "wasm: a measured bandwidth of an earlier batch entry",
      "(b * plan.heads + h) * bandwidthBytes",
      "h * bandwidthBytes",
    ],
  ]),
  ...inFastPath("src/backends/wasm/steps.ts", [
    [
      "wasm: parts of threads are not added",
      "for (let part = 1; part < parts; part++) {",
      "for (let part = 1; part < 1; part++) {",
    ],
    ["wasm: dAlpha without the bandwidth's part", " - (exponent * scale * logBandwidth) / alpha ** 2;", ";"],
  ]),
];
