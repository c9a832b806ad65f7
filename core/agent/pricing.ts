// What a model's reply costs. Pure, and a table with a date: prices change, so the owner's dollar limit is checked
// against what was known then, and a model that is not in the table is taken for the dearest one in it, because a limit
// must err on the side of the owner's purse. It refuses to know how the tokens came about.

/** What one reply used. The four kinds are disjoint; their sum is what the token limit counts. */
export type Usage = {
  /** Read at full price. */
  inputTokens: number;
  cacheWriteTokens: number;
  cacheReadTokens: number;
  outputTokens: number;
};

type Price = {
  /** Dollars per million tokens. */
  input: number;
  /** Written to the five-minute cache, the only one that is asked for. */
  cacheWrite: number;
  cacheRead: number;
  output: number;
  /** A prompt longer than this pays every rate of that request several times. */
  long?: { aboveTokens: number; times: number };
};

/** List prices of the public API, read on 2026-11-23 from https://platform.claude.com/docs/en/about-claude/pricing. */
const PRICES: ReadonlyMap<string, Price> = new Map(
  Object.entries({
    "claude-fable-5-1": { input: 10, cacheWrite: 12.5, cacheRead: 0.25, output: 50 },
    "claude-opus-5-5": { input: 4, cacheWrite: 5, cacheRead: 0.2, output: 20 },
    "claude-opus-5": { input: 5, cacheWrite: 6.25, cacheRead: 0.5, output: 25 },
    "claude-sonnet-5-5": { input: 2, cacheWrite: 2.5, cacheRead: 0.1, output: 10 },
    "claude-sonnet-5": { input: 2, cacheWrite: 2.5, cacheRead: 0.2, output: 10 },
    "claude-haiku-5-5": {
      input: 0.1,
      cacheWrite: 0.125,
      cacheRead: 0.01,
      output: 0.5,
      long: { aboveTokens: 100_000, times: 5 },
    },
    "claude-haiku-4-5": { input: 1, cacheWrite: 1.25, cacheRead: 0.1, output: 5 },
  }),
);

/** Whether the model, with or without a date at its end, is in the table. */
export function isPriced(model: string): boolean {
  return priceOf(model) !== undefined;
}

/** Dollars for one reply; an unknown model costs what the dearest does. */
export function dollarsFor(model: string, usage: Usage): number {
  const price = priceOf(model) ?? dearest();
  const prompt = usage.inputTokens + usage.cacheWriteTokens + usage.cacheReadTokens;
  const times = price.long !== undefined && prompt > price.long.aboveTokens ? price.long.times : 1;
  const sum =
    usage.inputTokens * price.input +
    usage.cacheWriteTokens * price.cacheWrite +
    usage.cacheReadTokens * price.cacheRead +
    usage.outputTokens * price.output;
  return (sum * times) / 1_000_000;
}

/** All tokens of one reply, cached or not. */
export function tokensOf(usage: Usage): number {
  return usage.inputTokens + usage.cacheWriteTokens + usage.cacheReadTokens + usage.outputTokens;
}

function priceOf(model: string): Price | undefined {
  return PRICES.get(model.replace(/-\d{8}$/, ""));
}

function dearest(): Price {
  const prices = [...PRICES.values()];
  const most = (pick: (price: Price) => number): number => Math.max(...prices.map(pick));
  return {
    input: most(({ input }) => input),
    cacheWrite: most(({ cacheWrite }) => cacheWrite),
    cacheRead: most(({ cacheRead }) => cacheRead),
    output: most(({ output }) => output),
  };
}
