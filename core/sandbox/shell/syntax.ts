// The shapes a shell text is parsed into. Only types: the parser makes them, the shell walks them.

/** A piece of a word. `quoted` pieces are neither split into fields nor matched against file names. */
export type Part =
  | { is: "text"; text: string; quoted: boolean }
  | { is: "parameter"; name: string; operator: string; word: Word | undefined; quoted: boolean }
  | { is: "substitution"; body: Command; quoted: boolean }
  | { is: "arithmetic"; expression: Word; quoted: boolean };

export type Word = readonly Part[];

export type Redirection =
  | { descriptor: number; is: "read" | "write" | "append" | "clobber" | "duplicate"; target: Word }
  | { descriptor: number; is: "here"; body: Word };

export type Command =
  | {
      is: "simple";
      assignments: readonly Assignment[];
      words: readonly Word[];
      redirections: Redirections;
      line: number;
    }
  | { is: "pipeline"; negated: boolean; stages: readonly Command[] }
  | { is: "and-or"; first: Command; rest: readonly { operator: "&&" | "||"; command: Command }[] }
  | { is: "list"; items: readonly Command[] }
  | { is: "background"; body: Command }
  | { is: "group" | "subshell"; body: Command; redirections: Redirections }
  | {
      is: "if";
      branches: readonly { condition: Command; body: Command }[];
      otherwise: Command | undefined;
      redirections: Redirections;
    }
  | { is: "loop"; until: boolean; condition: Command; body: Command; redirections: Redirections }
  | { is: "for"; variable: string; words: readonly Word[] | undefined; body: Command; redirections: Redirections }
  | {
      is: "case";
      word: Word;
      clauses: readonly { patterns: readonly Word[]; body: Command }[];
      redirections: Redirections;
    }
  | { is: "function"; name: string; body: Command };

export type Redirections = readonly Redirection[];
export type Assignment = { name: string; value: Word };

/** The text is no shell; the message is dash's. */
export class ShellSyntaxError extends Error {
  readonly line: number;
  constructor(message: string, line: number) {
    super(`Syntax error: ${message}`);
    this.line = line;
  }
}
