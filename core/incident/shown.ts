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

/**
 * A command as a person would type it, for reading only: whole, and what cannot be seen is spelled out. Only a script's text,
 * which is its plugin's own and never built from values, keeps its lines; they stand further in than anything of Medic's.
 */
export function commandText([program, ...args]: Command): string {
  const isScript = program === "sh" && args[0] === "-c";
  const quoted = args.map((arg, index) => {
    if (!isScript || index !== 1) return quotedText(arg);
    return `'${arg.split("\n").map(withinQuotes).join("\n      ")}'`;
  });
  return [program === "root" ? "sudo" : program, ...quoted].join(" ");
}

/** The same for a phone: of a script the values, which are what differs; its text is where the whole command is. */
export function commandInBrief(command: Command): string {
  const [program, flag, text = "", name = "", ...values] = command;
  if (program !== "sh" || flag !== "-c") return commandText(command);
  const lines = text.split("\n").length;
  return [`sh -c (${lines} lines of the plugin's own: medic explain)`, name, ...values.map(quotedText)].join(" ");
}

function quotedText(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${withinQuotes(text)}'`;
}

function withinQuotes(text: string): string {
  return spelledOut(text).replaceAll("'", `'\\''`);
}

function spelledOut(text: string): string {
  return text.replace(invisible, (letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`);
}
