#!/usr/bin/env node
/** Entry of the `fna` executable. */

import { fileURLToPath } from "node:url";
import { nodeIo } from "./io.js";
import { main } from "./program.js";

/** Beside `dist/` in the repository; the package does not carry it. */
const checkpoint = fileURLToPath(new URL("../checkpoints/spam-8.safetensors", import.meta.url));

const code = await main(process.argv.slice(2), nodeIo(checkpoint));
// Not process.exit: what is still on its way to a pipe would be lost. An output that failed has set a code of its own.
process.exitCode ||= code;
