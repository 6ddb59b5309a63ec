/**
 * How a list of mutants is written down: one file of the product at a time, each mutant as [name, find, replace], with
 * the tests that have to notice. `find` occurs exactly once in the file, or the list has rotted and the run says so.
 *
 * A mutant that nothing can notice, because the program it makes is the same, carries `equivalent` with the reason.
 */

/**
 * `tests` are all the tests that may notice, `stages` the same in the order in which they are tried, `at` where `find` is to
 * be found when it stands in several places.
 * @typedef {{ name: string, file: string, find: string, replace: string, tests: string[], equivalent?: string,
 *   stages?: string[][], at?: number, generated?: boolean, needsGpu?: boolean }} Mutant
 */

/**
 * @param {string} file the file that is broken, from the root of the repository
 * @param {string[]} tests names of the test files that have to notice, without folder and ending
 * @param {[name: string, find: string, replace: string, more?: { tests?: string[], equivalent?: string }][]} mutants
 * @returns {Mutant[]}
 */
export function inFile(file, tests, mutants) {
  return mutants.map(([name, find, replace, more = {}]) => ({
    name,
    file,
    find,
    replace,
    tests: (more.tests ?? tests).map((test) => `tests/${test}.test.ts`),
    ...(more.equivalent === undefined ? {} : { equivalent: more.equivalent }),
  }));
}

/** Tests of the kernels, the likeliest and quickest first; each stage is the arguments of one run. */
const wasmStages = [
  ["property-tests/agreement.test.ts", "-t", "holds on wasm"],
  ["tests/wasm-device.test.ts", "tests/wasm-lifecycle.test.ts"],
  [
    "property-tests/not-a-number.test.ts",
    "property-tests/gradients.test.ts",
    "property-tests/identities.test.ts",
    "property-tests/independence.test.ts",
    "property-tests/symmetries.test.ts",
    "property-tests/local-kernel.test.ts",
    "property-tests/lifecycle.test.ts",
    "tests/wasm-accuracy.test.ts",
    "-t",
    "wasm",
  ],
];
const webgpuStages = [["tests/webgpu.test.ts"], ["tests/webgpu-tensors.test.ts"], ["tests/webgpu-lifecycle.test.ts"]];
const packageStages = [["tests/plan.test.ts", "tests/attention.test.ts"], ["tests/bad-input.test.ts"], wasmStages[0]];

/** The stages of a file of the fast paths, and whether they need a GPU. */
export function stagesOf(file) {
  if (file.startsWith("src/backends/webgpu/")) return { stages: webgpuStages, needsGpu: true };
  if (file.startsWith("assembly/") || file.startsWith("src/backends/")) return { stages: wasmStages };
  return { stages: packageStages };
}

/** As `inFile`, for the fast paths: the tests are those of the device. */
export function inFastPath(file, mutants) {
  const { stages, ...more } = stagesOf(file);
  const tests = [...new Set(stages.flat())].filter((argument) => argument.endsWith(".ts"));
  return inFile(file, [], mutants).map((mutant) => ({ ...mutant, tests, stages, ...more }));
}
