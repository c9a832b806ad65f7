// Drives an inquiry: hands its questions to whoever can ask a host, and its answers back, until it concludes. Knows
// neither hosts nor incidents. An inquiry that had to see and could not ends blind; it is never told a guess.
import type { Calls, Inquiry, Seen, Unavailable } from "./contract.ts";

/** Who answers: diagnostics in parallel, each maybe unavailable, and patience. */
export type Answers = {
  ask<C extends Calls>(calls: C): Promise<Seen<C>>;
  pause(seconds: number): Promise<void>;
};

/** What an inquiry came to, or which answer it needed and did not get. */
export type Concluded<T> = { concluded: T } | { blind: string };

/** Runs an inquiry to its end. Throws what `answers` throws, and an Error that says where the inquiry itself broke. */
export async function conclude<T>(inquiry: Inquiry<T>, answers: Answers): Promise<Concluded<T>> {
  let asked = "";
  let step = advance(inquiry, undefined, asked);
  while (step.done !== true) {
    const question = step.value;
    let answer: object | undefined;
    // The rounds of an inquiry follow from each other, so they cannot run in parallel.
    // oxlint-disable no-await-in-loop
    if ("pauseSeconds" in question) {
      await answers.pause(question.pauseSeconds);
    } else {
      const seen = await answers.ask(question.ask);
      const blind = question.must ? blindSpots(question.ask, seen) : [];
      if (blind.length > 0) return { blind: blind.join("; ") };
      answer = seen;
      asked = Object.values(question.ask).map(({ tool }) => `"${tool.name}"`).join(", "); // prettier-ignore
    }
    // oxlint-enable no-await-in-loop
    step = advance(inquiry, answer, asked);
  }
  return { concluded: step.value };
}

/** The answers that are missing, each with its tool and the reason. */
export function blindSpots(calls: Calls, seen: Seen<Calls>): string[] {
  return Object.entries(calls).flatMap(([key, { tool }]) => {
    const finding: object | undefined = seen[key];
    if (finding === undefined) return [`"${tool.name}" was not answered`];
    return "unavailable" in finding ? [`"${tool.name}" cannot tell: ${(finding as Unavailable).unavailable}`] : [];
  });
}

function advance<T>(inquiry: Inquiry<T>, answer: unknown, asked: string): ReturnType<Inquiry<T>["next"]> {
  try {
    return inquiry.next(answer);
  } catch (error) {
    const after = asked === "" ? "before it asked anything" : `on the answer of ${asked}`;
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot conclude an inquiry: it broke ${after}: ${why}. This is a fault of its plugin`, {
      cause: error,
    });
  }
}
