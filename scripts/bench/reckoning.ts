// Both sides' counts laid side by side: what each caller was told, and how often the host really ran it. The rules: what
// was called done ran once, what was called never sent did not run, and nothing ran twice.

/** What one caller was told. `denied`: an error that says nothing ran. `unknown`: one that says it may have. */
export type Told = { id: string; told: "done" | "denied" | "unknown"; error?: string };

export type Reckoning = {
  commands: number;
  done: number;
  denied: number;
  unknown: number;
  /** Of the unknown. */
  unknownRan: number;
  ranTwice: number;
  doneNotRun: number;
  deniedRan: number;
  /** How often each error, by name. */
  errors: Record<string, number>;
};

/** `ran`: one entry for each time that the host ran a command. */
export function reckon(told: readonly Told[], ran: readonly string[]): Reckoning {
  const times = new Map<string, number>();
  for (const id of ran) times.set(id, (times.get(id) ?? 0) + 1);
  const of = (kind: Told["told"]) => told.filter((one) => one.told === kind);
  const didRun = ({ id }: Told) => times.has(id);
  const errors: Record<string, number> = {};
  for (const { error } of told) if (error !== undefined) errors[error] = (errors[error] ?? 0) + 1;
  return {
    commands: told.length,
    done: of("done").length,
    denied: of("denied").length,
    unknown: of("unknown").length,
    unknownRan: of("unknown").filter(didRun).length,
    ranTwice: [...times.values()].filter((count) => count > 1).length,
    doneNotRun: of("done").filter((one) => !didRun(one)).length,
    deniedRan: of("denied").filter(didRun).length,
    errors,
  };
}

export function isSound({ ranTwice, doneNotRun, deniedRan }: Reckoning): boolean {
  return ranTwice === 0 && doneNotRun === 0 && deniedRan === 0;
}
