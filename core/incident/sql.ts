// The journal's database as the files of this room use it: statements are prepared once, and failures are told in words.
// Knows no table.
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import { journalError } from "./journal-error.ts";

export type Row = Record<string, unknown>;

export class Sql {
  readonly #database: DatabaseSync;
  readonly #name: string;
  readonly #statements = new Map<string, StatementSync>();

  /** `name` is for error texts. */
  constructor(database: DatabaseSync, name: string) {
    this.#database = database;
    this.#name = name;
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#reading(() => this.#statement(sql).all(...values));
  }

  /** One after the other, so that no more than one is in memory. The same text must not be asked again meanwhile. */
  *each(sql: string, ...values: SQLInputValue[]): Generator<Row> {
    const rows = this.#reading(() => this.#statement(sql).iterate(...values));
    try {
      for (;;) {
        const { done, value } = this.#reading(() => rows.next());
        if (done === true) return;
        yield value;
      }
    } finally {
      // Whoever stops early lets go of the database's state as it was.
      rows.return?.();
    }
  }

  run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values);
  }

  /** Everything that `step` reads is of one moment, whoever writes meanwhile. */
  snapshot<T>(step: () => T): T {
    if (this.#database.isTransaction) return step();
    this.#database.exec("BEGIN");
    try {
      return step();
    } finally {
      this.#database.exec("COMMIT");
    }
  }

  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw journalError(`Cannot read the journal "${this.#name}"`, error);
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }
}
