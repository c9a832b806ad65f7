// How far to trust Medic on a host, from what happened there. A suggestion for a person, who alone writes hosts.yaml: it
// needs enough cases, it is never above disruptive, and it always says why. Pure.
import type { Cases, HostTally } from "./tally.ts";

export type Trust = "observe" | "reversible" | "disruptive";

export type Suggestion = { trust: Trust; why: string };

/** So many cases of one risk at least; fewer say nothing. */
export const CASES_MIN = 5;
/** So much of them has to have been good, to be trusted with more; and bad, to be trusted with less. */
const GOOD_SHARE = 0.8;
const BAD_SHARE = 0.5;

/** Suggests from the most disturbing fixes on; what the owner has now stays, unless something speaks against it. */
export function suggestTrust({ cases }: HostTally, now: Trust): Suggestion {
  const levels = ["disruptive", "reversible"] as const;
  for (const risk of levels) {
    const { good, all, words } = weighed(cases[risk]);
    if (all >= CASES_MIN && good / all >= GOOD_SHARE)
      return { trust: higher(risk, now), why: `${risk} fixes: ${words}` };
    if (all >= CASES_MIN && (all - good) / all >= BAD_SHARE && isWithin(risk, now)) {
      return { trust: risk === "disruptive" ? "reversible" : "observe", why: `${risk} fixes: ${words}` };
    }
  }
  const most = levels.map((risk) => ({ risk, ...weighed(cases[risk]) })).toSorted((a, b) => b.all - a.all)[0];
  if (most === undefined || most.all === 0) return { trust: now, why: `there were no cases; it takes ${CASES_MIN}` };
  const short = most.all < CASES_MIN ? `too few cases, it takes ${CASES_MIN}: ` : "not clear enough: ";
  return { trust: now, why: `${short}${most.risk} fixes: ${most.words}` };
}

function weighed({ helped, needed, failed, needless, denied }: Cases): { good: number; all: number; words: string } {
  const named: [number, string][] = [
    [helped, "helped"],
    [needed, "would have been needed"],
    [failed, "did not help"],
    [needless, "would have been needless"],
    [denied, "denied by a person"],
  ];
  const words = named.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  const good = helped + needed;
  return { good, all: good + failed + needless + denied, words: words.join(", ") || "none" };
}

const ORDER: readonly Trust[] = ["observe", "reversible", "disruptive"];

function isWithin(risk: Trust, trust: Trust): boolean {
  return ORDER.indexOf(risk) <= ORDER.indexOf(trust);
}

function higher(one: Trust, other: Trust): Trust {
  return isWithin(one, other) ? other : one;
}
