/**
 * How a list of mutants is written down: one file of the product at a time, each mutant as [name, find, replace], with
 * the tests that have to notice. `find` occurs exactly once in the file, or the list has rotted and the run says so.
 *
 * A mutant that nothing can notice, because the program it makes is the same, carries `equivalent` with the reason.
 */

/**
 * @typedef {{ name: string, file: string, find: string, replace: string, tests: string[], equivalent?: string }} Mutant
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
