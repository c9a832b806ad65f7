// What an answer is worth that lacks a part: nothing, for the part that is gone may be the one that decides. Knows no tool.
import { unavailable } from "medic/plugin";
import type { Result, Unavailable } from "medic/plugin";

/** Why it tells nothing: what the command printed last, or that its beginning is lost. */
export function brokenOff(result: Result): Unavailable {
  const lost = `its answer is too long: the first ${result.cutBytes} bytes of it are lost`;
  return unavailable(result.cutBytes > 0 ? lost : result);
}
