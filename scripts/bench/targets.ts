// The targets and their judgement. A target is a bound on one figure; whether it was met is told beside the figure, and
// what was missed comes first. A figure that could not be taken (a peer is missing) meets nothing.
import { median, pairedRatio, rounded } from "./statistics.ts";
import type { ClientName } from "./roster.ts";

export type Judged = {
  what: string;
  bound: number;
  wanted: "at most" | "at least";
  unit: "ratio" | "ms" | "commands";
  figure: number | null;
  /** Lowest and highest of the rounds. */
  spread?: [number, number];
  met: boolean;
  /** Told for comparison and judged by nobody: the two did not do the same work. */
  isBeside?: true;
};

type Asked = Pick<Judged, "what" | "bound" | "wanted"> & { unit?: Judged["unit"] };

export function judge(asked: Asked, figure: number | undefined, spread?: [number, number]): Judged {
  const known = figure !== undefined && Number.isFinite(figure) ? figure : undefined;
  // Judged as measured, told rounded: 0.5701 does not meet 0.57.
  const met = known !== undefined && (asked.wanted === "at most" ? known <= asked.bound : known >= asked.bound);
  return {
    ...asked,
    unit: asked.unit ?? "ratio",
    figure: known === undefined ? null : rounded(known, 3),
    ...(spread === undefined ? {} : { spread: [rounded(spread[0], 3), rounded(spread[1], 3)] }),
    met,
  };
}

/** Round by round; a client that is missing has no rounds. */
export function judgeRatio(asked: Asked, ours: readonly number[] = [], theirs: readonly number[] = []): Judged {
  const paired = pairedRatio(ours, theirs);
  return judge(asked, paired?.ratio, paired && [paired.lowest, paired.highest]);
}

export function beside(judged: Judged): Judged {
  return { ...judged, isBeside: true };
}

export function missedFirst(targets: readonly Judged[]): Judged[] {
  const place = ({ met, isBeside }: Judged) => (isBeside ? 2 : met ? 1 : 0);
  return targets.toSorted((a, b) => place(a) - place(b));
}

/** The peer that did best, by the middle of its rounds; never one of ours. */
export function bestPeer(
  figures: ReadonlyMap<ClientName, readonly number[]>,
  better: "lowest" | "highest",
): ClientName | undefined {
  const peers = [...figures].filter(([name, rounds]) => !name.startsWith("medic") && rounds.length > 0);
  const sign = better === "lowest" ? 1 : -1;
  const middle = (rounds: readonly number[]) => sign * median(rounds);
  return peers.toSorted(([, a], [, b]) => middle(a) - middle(b))[0]?.[0];
}
