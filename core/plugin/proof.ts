// What a fix shows for itself: that it did something (its marker, or a postcondition that did not hold before), that the
// service is well, and that it can be seen not to be. Runs in conformance, on the fix's cases.
import type { ToolCase } from "./cases.ts";
import type { Fix } from "./contract.ts";

/** A fix's case, with the input it runs on. */
export type Shown = { one: ToolCase; input: object };

/** Why what a fix does could not be proved, or not be seen to fail: one sentence each. */
export function proofProblems(fix: Fix, cases: readonly Shown[]): string[] {
  const seen = new Set(cases.map(({ one }) => one.healthy));
  return [
    ...(seen.has(true) ? [] : ["no case shows it healthy afterwards"]),
    ...(seen.has(false) ? [] : ["no case shows it not healthy afterwards"]),
    ...changeProblems(fix, cases),
    ...hopelessProblems(fix, cases),
    ...tracesProblems(fix, cases),
  ];
}

/** What is read out of a log of the host has to be seen both ways: a service that is being changed, and one that is not. */
function tracesProblems({ traces }: Fix, cases: readonly Shown[]): string[] {
  if (traces === undefined) return [];
  const seen = new Set(cases.map(({ one }) => one.pending));
  return [true, false].flatMap((is) => (seen.has(is) ? [] : [`has traces, and no case shows what is pending: ${is}`]));
}

/** Something has to tell a fix that worked from one that did nothing. */
function changeProblems(fix: Fix, cases: readonly Shown[]): string[] {
  if (fix.marker !== undefined) return fix.proof === undefined ? [] : ["has a marker and a proof: leave the proof out"];
  if (fix.proof === "never-retry") return [];
  if (fix.proof === undefined)
    return ['has no marker: say what proves it, proof: "postcondition" or proof: "never-retry"'];
  return cases.flatMap(({ one, input }) => {
    const before = one.before ?? {};
    if ((one.plan === undefined && one.healthy !== true) || !fix.healthy(before, before, input)) return [];
    return [`"${one.name}" is healthy before it already, so health proves nothing: refuse there, or name a marker`];
  });
}

/** A verdict that ends the patience of everybody has to be seen, beside one that does not. */
function hopelessProblems(fix: Fix, cases: readonly Shown[]): string[] {
  const { hopeless } = fix;
  if (hopeless === undefined) return [];
  const sick = cases.flatMap(({ one, input }) => {
    const { before, after } = one;
    if (before === undefined || after === undefined || fix.healthy(after, before, input)) return [];
    return [hopeless(after, before, input) !== undefined];
  });
  const isSeen = { hopeless: sick.some((verdict) => verdict), waiting: sick.some((verdict) => !verdict) };
  return [
    ...(isSeen.hopeless ? [] : ["has hopeless, and no case shows it hopeless"]),
    ...(isSeen.waiting ? [] : ["no case shows it sick and not hopeless: waiting would never be allowed"]),
  ];
}
