// What really ran, written down by the commands themselves on the host: a client's own counters prove nothing. Each
// counted command says when it begins and when it ends, one short line each, appended in one write.
import { readFileSync } from "node:fs";
import { script, type Command } from "../../core/plugin/contract.ts";

export type Ran = { began: number; ended: number };

export class Ledger {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** A command that writes itself down, and takes so long. */
  command(id: string, seconds = 0): Command {
    const wait = seconds === 0 ? "" : `sleep ${seconds}; `;
    return script(`echo "began $1" >> "$2"; ${wait}echo "ended $1" >> "$2"`, id, this.path);
  }

  /** By id, as often as the host did it. */
  read(): Map<string, Ran> {
    const ran = new Map<string, Ran>();
    for (const line of readFileSync(this.path, "utf8").split("\n")) {
      const [what, id] = line.split(" ");
      if (id === undefined) continue;
      const seen = ran.get(id) ?? { began: 0, ended: 0 };
      if (what === "began") seen.began += 1;
      if (what === "ended") seen.ended += 1;
      ran.set(id, seen);
    }
    return ran;
  }

  of(id: string): Ran {
    return this.read().get(id) ?? { began: 0, ended: 0 };
  }
}
