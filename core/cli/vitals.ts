// Whether a `serve` really works, as its heartbeat, its watchdog and /readyz ask. That the event loop turns is shown by
// their asking at all. Knows nothing of whom it is told to.

export type Vitals = {
  /** What a new process would do better: only such a reason lets the watchdog end this one. */
  stalled(): string | undefined;
  /** That, or why nothing can be written. `try`: writes to find out, which costs the disk a flush. */
  trouble(must?: "try"): string | undefined;
  /** Runs what is to be done again and again; what it throws is told in the log, and is a trouble until it ends well. */
  round(look: () => void): void;
};

export type VitalsParts = {
  journal: { trouble(isTried?: boolean): string | undefined };
  /** Incidents whose work was to stop and does not. */
  stuck(): readonly string[];
  onFailure(why: string): void;
};

export function createVitals({ journal, stuck, onFailure }: VitalsParts): Vitals {
  const failing = new Map<() => void, string>();
  const stalled = (): string | undefined => {
    const [id] = stuck();
    return id === undefined ? undefined : `the work on incident "${id}" was to stop and does not`;
  };
  return {
    stalled,
    trouble(must) {
      const [failure] = failing.values();
      return stalled() ?? journal.trouble(must === "try" ? true : undefined) ?? failure;
    },
    round(look) {
      try {
        look();
        failing.delete(look);
      } catch (error) {
        // A journal that cannot be written now may be at the next look.
        const why = error instanceof Error ? error.message : String(error);
        failing.set(look, why);
        onFailure(why);
      }
    },
  };
}
