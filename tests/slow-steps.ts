import { vi } from "vitest";

/**
 * Sets the clock so that every step of a call seems to take so long that a pause follows it, whatever the machine.
 * `vi.restoreAllMocks` sets it right.
 */
export function slowSteps(): void {
  let milliseconds = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => {
    milliseconds += 20;
    return milliseconds;
  });
}
