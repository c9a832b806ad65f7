// One fix at a time per host, whoever wants it. Knows neither fixes nor hosts: only names and their turns.

/** Runs when everything before it under the same name has ended, well or not. */
export type InTurn = <T>(host: string, run: () => Promise<T>) => Promise<T>;

export function createFixTurns(): InTurn {
  const turns = new Map<string, Promise<unknown>>();
  return (host, run) => {
    const turn = (turns.get(host) ?? Promise.resolve()).then(run, run);
    const settled = turn.catch(() => undefined);
    turns.set(host, settled);
    return turn;
  };
}
