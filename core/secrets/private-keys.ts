// Private keys in their armour, whole or with either end cut off. Their lines mean nothing by themselves, so the armour
// is what tells; where both ends are gone, the long lines are caught by their form.

export const KEY_REMOVED = "[private key removed]";

const MARK = /-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
const BODY = /[A-Za-z0-9+/=\s\\]/;

/** Replaces each private key. One without its end reaches to the end of the text, one without its beginning back to what is no key. */
export function redactPrivateKeys(text: string): string {
  let out = "";
  let done = 0;
  let isInside = false;
  for (const { 0: mark, 1: side, index } of text.matchAll(MARK)) {
    if (side === "BEGIN") {
      if (!isInside) out += text.slice(done, index) + KEY_REMOVED;
      isInside = true;
      continue;
    }
    if (!isInside) out += text.slice(done, bodyStart(text, index, done)) + KEY_REMOVED;
    isInside = false;
    done = index + mark.length;
  }
  return isInside ? out : out + text.slice(done);
}

/** Whether a key begins in this text and does not end in it. */
export function opensKey(text: string): boolean {
  return lastMark(text) === "BEGIN";
}

/** Whether a key that began before ends in this text. */
export function closesKey(text: string): boolean {
  return lastMark(text) === "END";
}

/** Whether this line could be one of a key's. */
export function isKeyLine(text: string): boolean {
  return /^\s*[A-Za-z0-9+/]{1,80}={0,2}\s*$/.test(text);
}

function lastMark(text: string): string | undefined {
  return [...text.matchAll(MARK)].at(-1)?.[1];
}

function bodyStart(text: string, end: number, floor: number): number {
  let start = end;
  while (start > floor && BODY.test(text[start - 1] ?? "")) start--;
  return start;
}
