// What texts from outside look like before anything keeps them: well-formed, without NUL (which ends a text for some
// programs and not for others), and no longer than Medic says.

/** The same text, storable everywhere. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\uFFFD");
}

/** Keeps the beginning of a text and says what was cut. */
export function shortened(text: string, charactersMax: number): string {
  const clean = storable(text);
  if (clean.length <= charactersMax) return clean;
  return `${clean.slice(0, charactersMax).toWellFormed()}… (${clean.length - charactersMax} more characters cut)`;
}

/** ISO 8601, UTC; undefined when the text is no time. */
export function instant(text: string): string | undefined {
  const milliseconds = Date.parse(text);
  return Number.isNaN(milliseconds) ? undefined : new Date(milliseconds).toISOString();
}
