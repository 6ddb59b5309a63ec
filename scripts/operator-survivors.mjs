/** Why the operator mutants that are known to survive do: the program is the same, or differs only where nothing is promised. */

/** @type {Record<string, string>} */
export const survivors = {};
