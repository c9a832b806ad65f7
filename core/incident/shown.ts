// Texts from outside as a person sees them, on a terminal, a page or a phone: nothing in them moves the cursor, turns the
// writing direction or hides what stands beside it. Pure.
import type { Command } from "../plugin/contract.ts";

const INVISIBLE = "\\u0000-\\u001f\\u007f-\\u009f\\u200b-\\u200f\\u2028-\\u202f\\u2060-\\u206f\\ufeff";
const invisible = new RegExp(`[${INVISIBLE}]`, "g");
const CHARACTERS_MAX = 400;

/** One line, not endless, without control characters. */
export function printable(text: string): string {
  const plain = text.replace(new RegExp(`[${INVISIBLE}]+`, "g"), " ").trim();
  return plain.length > CHARACTERS_MAX ? `${plain.slice(0, CHARACTERS_MAX).toWellFormed()}…` : plain;
}

/** A command as a person would type it, for reading only: whole, and what cannot be seen is spelled out. */
export function commandText([program, ...args]: Command): string {
  const quoted = args.map((arg) =>
    /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${spelledOut(arg).replaceAll("'", `'\\''`)}'`,
  );
  return [program === "root" ? "sudo" : program, ...quoted].join(" ");
}

function spelledOut(text: string): string {
  return text.replace(invisible, (letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`);
}
