// A start of Node with nothing to do.

import { report } from "./problem.mjs";

report([]);
