#!/usr/bin/env node
/** Entry of the `fna` executable. */

import { nodeIo } from "./io.js";
import { main } from "./program.js";

// Not process.exit: what is still on its way to a pipe would be lost.
process.exitCode = await main(process.argv.slice(2), nodeIo());
