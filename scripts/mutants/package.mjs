/** The package around the reference: plan, checks, merging, presets, and the reference as a device. */

import { inFile } from "./list.mjs";

/** @type {import("./list.mjs").Mutant[]} */
export const mutants = [
  ...inFile(
    "src/plan.ts",
    ["attention", "plan"],
    [
      ["plan: d_M of the sphere", "sphere ? Math.max(1, headDim - 1) : headDim", "headDim"],
      ["plan: kappa of the sphere", 'sphere && kappaOption === "paper" ? 1 :', 'kappaOption === "none" ? 1 :'],
      ["plan: radius at alpha = 2", "a < 2 ? rescaledRadius(intrinsicDim) : 1", "rescaledRadius(intrinsicDim)"],
      ["plan: radius of the plane", "  if (sphere) {\n", "  if (!sphere) {\n"],
      [
        "plan: query lengths of cross-attention",
        "queries === keys ? keyLengths.slice() :",
        "queries > 0 ? keyLengths.slice() :",
      ],
      [
        "plan: query lengths of self-attention",
        "queries === keys ? keyLengths.slice() :",
        "queries < 0 ? keyLengths.slice() :",
      ],
      ["plan: no window is a window of 0", "options.window ?? -1", "options.window ?? 0"],
      ["plan: default alpha", "options.alpha ?? 1.2", "options.alpha ?? 1.5"],
      ["plan: mask of one query repeated wrongly", "queryStride: n > 1 ? m : 0", "queryStride: m"],
      ["plan: mask of one head repeated wrongly", "headStride: h > 1 ? n * m : 0", "headStride: n * m"],
      [
        "plan: mask of one batch entry repeated wrongly",
        "batchStride: b > 1 ? h * n * m : 0",
        "batchStride: h * n * m",
      ],
      ["plan: the caller's lengths are kept, not copied", "options.keyLengths?.slice() ??", "options.keyLengths ??"],
      ["plan: the caller's mask is kept, not copied", "data: shaped.data.slice()", "data: shaped.data"],
      ["plan: lengths of the values", "v: columns * sizes.valueDim", "v: columns * sizes.headDim"],
    ],
  ),
  ...inFile(
    "src/validate.ts",
    ["bad-input", "plan"],
    [
      ["checks: alpha up to 2 exclusively", "(x) => x > 0 && x <= 2", "(x) => x > 0 && x < 2"],
      ["checks: alpha above 2", "(x) => x > 0 && x <= 2", "(x) => x > 0"],
      ["checks: heads that do not divide", "heads % keyHeads !== 0", "heads % keyHeads < 0"],
      ["checks: lengths beyond the tensor", ", length, 0, maximum);", ", length, 0);"],
      ["checks: ambiguous mask", "if (shapes.length > 1) {", "if (shapes.length > 9) {"],
      [
        "checks: shape of a mask",
        "given[axis] === extent || (given[axis] === 1 && axis < 3)",
        "given[axis] === extent || given[axis] === 1",
      ],
      ["checks: results over the inputs", "const taken = [...read];", "const taken: Extent[] = [];"],
      ["checks: results over each other", "    taken.push(extent);\n", ""],
      ["checks: overlap by the last element", "a.start < b.end", "a.start + 8 < b.end"],
      ["checks: no signal", "signal !== undefined && !(signal instanceof AbortSignal)", "signal === null"],
      ["checks: misspelt options", 'record("options", options, optionNames);', 'record("options", options);'],
      ["checks: one number per head", "if (value.length !== heads) {", "if (value.length < heads) {"],
      ["checks: array type", "!arrays.some((type) => value instanceof type) || ", "!ArrayBuffer.isView(value) || "],
    ],
  ),
  ...inFile(
    "src/merge.ts",
    ["attention", "plan"],
    [
      ["merge: largest not put back", "logSumExp[i] = largest + Math.log(sum);", "logSumExp[i] = Math.log(sum);"],
      ["merge: equal shares", "(Math.exp(part.logSumExp[i] - largest) / sum)", "(1 / parts.length)"],
      ["merge: empty parts", "if (part.logSumExp[i] === Number.NEGATIVE_INFINITY) continue;", ""],
      ["merge: rows without any key", "if (largest === Number.NEGATIVE_INFINITY) continue;", ""],
      [
        "merge: parts of other lengths",
        "|| part[name].length !== first[name].length",
        "|| part[name].length < 0",
        { tests: ["bad-input"] },
      ],
    ],
  ),
  ...inFile(
    "src/presets.ts",
    ["attention", "plan"],
    [
      ["presets: shared queries keep the diagonal", "authors.excludeSelf = true", "authors.excludeSelf = false"],
      ["presets: one head", "heads === 1 ? Math.max(1, headDim - 1) : headDim", "headDim"],
      ["presets: bandwidth exponent", 'authors.bandwidthExponent = "1/2";', ""],
      ["presets: vision radius", "rescaledRadius(Math.max(1, headDim - 1))", "rescaledRadius(headDim)"],
      ["presets: measured over unmasked pairs", 'bandwidthPairs: "all"', 'bandwidthPairs: "unmasked"'],
    ],
  ),
  ...inFile(
    "src/backends/reference.ts",
    ["attention"],
    [
      ["device: key heads taken in turn", "Math.floor((head * plan.keyHeads) / plan.heads)", "head % plan.keyHeads"],
      [
        "device: shared heads replace each other",
        "target[index * source.length + e] += source[e]",
        "target[index * source.length + e] = source[e]",
      ],
      [
        "device: offset of the positions",
        "plan.keyLengths[batch] - plan.queryLengths[batch]",
        "plan.queryLengths[batch] - plan.keyLengths[batch]",
      ],
      ["device: global tokens", "plan.window, plan.globalTokens, offset", "plan.window, 0, offset"],
      [
        "device: dAlpha of the last batch entry",
        "dAlpha[slice.head] += gradient.dAlpha;",
        "dAlpha[slice.head] = gradient.dAlpha;",
      ],
      [
        "device: dKappa of the last batch entry",
        "dKappa[slice.head] += gradient.dKappa;",
        "dKappa[slice.head] = gradient.dKappa;",
      ],
      ["device: alpha of the first head", "alpha: plan.alpha[slice.head]", "alpha: plan.alpha[0]"],
      ["device: radius of the first head", "radius: plan.radius[slice.head]", "radius: plan.radius[0]"],
      ["device: batch entries of the mask", "batch * batchStride + head", "head"],
      ["device: a signal stops nothing", "signal?.throwIfAborted();", ""],
    ],
  ),
];
