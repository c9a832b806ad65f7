// How long each phase of a command takes on one host, in a histogram of fixed size: whoever looks at a host learns where
// its time goes, and a million commands take no more memory than one.

/**
 * `queue`: from the call until a channel may be used, a dial included. `dial`: of each connection, the login included.
 * `open`: until the channel is open, nearly nothing on a warm one. `run`: from the sent command to its end.
 */
export type LatencyPhase = "queue" | "dial" | "open" | "run";

export type Latency = {
  count: number;
  sumSeconds: number;
  /** Read from a histogram, so right within 12 %; 0 while nothing was counted. */
  p50Seconds: number;
  p95Seconds: number;
};

const firstSeconds = 0.000_1;
/** Each bucket ends so much later than the one before; 64 of them reach two minutes. */
const factor = 1.25;
const buckets = 64;

export class LatencyHistogram {
  readonly #counts = new Float64Array(buckets);
  #count = 0;
  #sumSeconds = 0;

  add(seconds: number): void {
    const index = seconds <= firstSeconds ? 0 : Math.ceil(Math.log(seconds / firstSeconds) / Math.log(factor));
    const bucket = Math.min(index, buckets - 1);
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#count += 1;
    this.#sumSeconds += seconds;
  }

  read(): Latency {
    return {
      count: this.#count,
      sumSeconds: rounded(this.#sumSeconds),
      p50Seconds: this.#quantile(0.5),
      p95Seconds: this.#quantile(0.95),
    };
  }

  // The middle of the bucket that holds it, so the error is half a bucket either way.
  #quantile(share: number): number {
    if (this.#count === 0) return 0;
    let left = Math.ceil(share * this.#count);
    const bucket = this.#counts.findIndex((count) => (left -= count) <= 0);
    return rounded(firstSeconds * factor ** (bucket - 0.5));
  }
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}
