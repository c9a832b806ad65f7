// What one incident may spend on a model: replies, tokens, money. Asked before every request with the worst that the
// request can cost, so that a limit is never passed and found out afterwards. It refuses to know what is being said.
import { dollarsFor, tokensOf, type Usage } from "./pricing.ts";

export type ModelLimits = {
  model: string;
  /** Replies per incident. */
  turns: number;
  /** Per reply. */
  outputTokens: number;
  /** Per incident: input, cached or not, and output. */
  tokens: number;
  /** Per incident. */
  dollars: number;
};

/** One incident's budget; a request that failed before it was answered costs no turn. */
export class ModelBudget {
  readonly #limits: ModelLimits;
  #turns = 0;
  #tokens = 0;
  #dollars = 0;

  constructor(limits: ModelLimits) {
    this.#limits = limits;
  }

  get turnsLeft(): number {
    return this.#limits.turns - this.#turns;
  }

  /** Why a request with about this many tokens of input may not be sent; undefined lets it go. */
  refusalFor(inputTokens: number): string | undefined {
    const { model, turns, outputTokens, tokens, dollars } = this.#limits;
    if (this.turnsLeft <= 0) return `turn limit of ${turns} reached (responder.turns in hosts.yaml)`;
    // All of the input could be written to the cache, which is the dearest way of reading it.
    const worst: Usage = { inputTokens: 0, cacheWriteTokens: inputTokens, cacheReadTokens: 0, outputTokens };
    const tokensNext = tokensOf(worst);
    if (this.#tokens + tokensNext > tokens) {
      return `token limit of ${tokens} reached: ${this.#tokens} used, the next request may take ${tokensNext} (responder.tokens in hosts.yaml)`;
    }
    const dollarsNext = dollarsFor(model, worst);
    if (this.#dollars + dollarsNext > dollars) {
      return `dollar limit of ${dollars} reached: ${inDollars(this.#dollars)} spent, the next request may take ${inDollars(dollarsNext)} (responder.dollars in hosts.yaml)`;
    }
    return undefined;
  }

  /** Counts what a request used, and returns its price in dollars. */
  spend(usage: Usage): number {
    const price = dollarsFor(this.#limits.model, usage);
    this.#tokens += tokensOf(usage);
    this.#dollars += price;
    return price;
  }

  /** Counts one reply. */
  countTurn(): void {
    this.#turns++;
  }
}

function inDollars(amount: number): string {
  return amount.toFixed(4);
}
