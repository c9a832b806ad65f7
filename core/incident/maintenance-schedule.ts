// When a window that hosts.yaml repeats is open: pure, from a cron pattern and a time. Knows no host and no journal.
import { Cron } from "croner";

/** `for`: seconds. Without a `timezone` the machine's own counts. */
export type Schedule = { cron: string; for: number; service?: string; timezone?: string };

/** From the opening to the end; milliseconds. */
export type Span = { sinceMs: number; untilMs: number };

/** The opening that is on at this time; of two that overlap the later one, which ends last. */
export function spanAt(schedule: Schedule, nowMs: number): Span | undefined {
  // A whole second later, because the library looks strictly before a time of whole seconds.
  const opened = cronOf(schedule)
    .previousRuns(2, new Date(nowMs + 1000))
    .map(Number)
    .find((at) => at <= nowMs);
  if (opened === undefined) return undefined;
  const span = spanFrom(schedule, opened);
  return nowMs < span.untilMs ? span : undefined;
}

/** The next opening after this time; undefined when the pattern has none left. */
export function spanAfter(schedule: Schedule, nowMs: number): Span | undefined {
  const opens = cronOf(schedule).nextRun(new Date(nowMs));
  return opens === null ? undefined : spanFrom(schedule, opens.getTime());
}

function spanFrom({ for: seconds }: Schedule, sinceMs: number): Span {
  return { sinceMs, untilMs: sinceMs + seconds * 1000 };
}

/** Paused: it tells times and never starts a timer. */
function cronOf({ cron, timezone }: Schedule): Cron {
  return new Cron(cron, { mode: "5-part", paused: true, ...(timezone === undefined ? {} : { timezone }) });
}
