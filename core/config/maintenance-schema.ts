// A maintenance window that hosts.yaml repeats: when it opens (cron), for how long, and for whom. Refuses one that never
// opens and one that never closes. Knows not what a window holds back.
import { Cron } from "croner";
import * as v from "valibot";
import { duration, glob, mapping, text } from "./field.ts";

/** Of one kind with what a person may open by hand. */
const secondsMax = 7 * 86_400;
/** Enough to meet each gap of a pattern that repeats within days. */
const openingsLookedAt = 200;

export const maintenanceSchema = v.pipe(
  mapping("One window.", {
    cron: v.pipe(
      text("When it opens: minute, hour, day, month, weekday; 0 3 * * 0 is Sundays at three"),
      v.rawCheck(({ dataset, addIssue }) => {
        const why = dataset.typed ? unreadable(dataset.value) : undefined;
        if (why !== undefined) addIssue({ message: `expected a cron pattern of five parts, like 0 3 * * 0 (${why})` });
      }),
    ),
    for: v.pipe(
      duration("How long it stays open", { atLeast: "1m" }),
      v.check((seconds) => seconds <= secondsMax, "expected 7d at most"),
    ),
    service: v.exactOptional(glob("The service meant, with * and ? as wildcards; the whole host when absent")),
    timezone: v.exactOptional(
      v.pipe(
        text("Whose clock the pattern means, like Europe/Berlin; this machine's when absent"),
        v.check(isTimezone, "expected a time zone, like Europe/Berlin or UTC"),
      ),
    ),
  }),
  v.forward(
    v.check(
      ({ cron, for: seconds }) => !isAlwaysOpen(cron, seconds),
      "never ends: it opens again before it has closed",
    ),
    ["for"],
  ),
);

function unreadable(pattern: string): string | undefined {
  try {
    return cronOf(pattern).nextRun() === null ? "it never opens" : undefined;
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, "") : String(error);
  }
}

function isAlwaysOpen(pattern: string, seconds: number): boolean {
  if (unreadable(pattern) !== undefined) return false;
  const openings = cronOf(pattern).nextRuns(openingsLookedAt).map(Number);
  return (
    openings.length === openingsLookedAt && openings.every((at, index) => isSoon(at, openings[index + 1], seconds))
  );
}

function isSoon(at: number, next: number | undefined, seconds: number): boolean {
  return next === undefined || next - at <= seconds * 1000;
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

/** Times are compared with each other only, so no time zone with its shifts is needed. */
function cronOf(pattern: string): Cron {
  return new Cron(pattern, { mode: "5-part", paused: true, timezone: "UTC" });
}
