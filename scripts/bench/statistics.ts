// The arithmetic of the benchmarks: quantiles, and ratios that are taken within a round before they are summed up, so
// that what slowed the machine for a while slowed both sides of the ratio.

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  if (low === undefined || high === undefined) return NaN;
  return low + (high - low) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export type PairedRatio = { ratio: number; lowest: number; highest: number };

/** Round by round, `ours` over `theirs`; undefined where no round has both. */
export function pairedRatio(ours: readonly number[], theirs: readonly number[]): PairedRatio | undefined {
  const ratios = ours.flatMap((value, round) => {
    const ratio = value / (theirs[round] ?? NaN);
    return Number.isFinite(ratio) ? [ratio] : [];
  });
  if (ratios.length === 0) return undefined;
  return { ratio: median(ratios), lowest: Math.min(...ratios), highest: Math.max(...ratios) };
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
