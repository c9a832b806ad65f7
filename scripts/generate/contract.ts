// docs/contract.md: the contract's declarations with their own comments, in the order they are written. Reads the text of
// contract.ts, which keeps to one form: a comment, then one exported declaration.

type Declared = { name: string; doc: string; code: string };

/** The reference as Markdown. */
export function contractReference(source: string): string {
  const intro = /^(?:\/\/.*\n)+/.exec(source)?.[0] ?? "";
  const sections = declarationsIn(source).map(({ name, doc, code }) =>
    [`## \`${name}\``, ...(doc === "" ? [] : [doc]), `\`\`\`ts\n${code}\n\`\`\``].join("\n\n"),
  );
  const head = "<!-- Generated from core/plugin/contract.ts by npm run generate. -->\n\n# The plugin contract";
  const opening = intro.replace(/^\/\/ ?/gm, "").trim();
  return `${[head, opening, "How to write a plugin: [plugins.md](plugins.md).", ...sections].join("\n\n")}\n`;
}

function declarationsIn(source: string): Declared[] {
  const declared = new Map<string, Declared>();
  const pattern = /^(\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n)?export (type|interface|function\*?) (\w+)/gm;
  for (const match of source.matchAll(pattern)) {
    const [, comment = "", kind = "", name = ""] = match;
    const rest = source.slice(match.index + comment.length);
    const { code, hasBody } = kind.startsWith("function") ? signatureOf(rest) : { code: typeOf(rest), hasBody: false };
    const overload = declared.get(name);
    if (overload === undefined) declared.set(name, { name, doc: proseOf(comment), code });
    // What has overloads is called by those: the implementation's own signature says nothing more.
    else if (!hasBody) overload.code += `\n${code}`;
  }
  return [...declared.values()];
}

/** A function without its body. */
function signatureOf(text: string): { code: string; hasBody: boolean } {
  const lines = text.split("\n");
  const last = lines.findIndex((line) => /(\{|;)$/.test(line) && !/^\s/.test(line));
  const code = lines.slice(0, last + 1).join("\n");
  return { code: code.replace(/ \{$/, ";"), hasBody: code.endsWith("{") };
}

/** A type or an interface: up to the first line that closes it. */
function typeOf(text: string): string {
  const lines = text.split("\n");
  const last = lines.findIndex((line, index) => (index === 0 ? line.endsWith(";") : /^(\}|\)|  \|.*;$)/.test(line)));
  return lines.slice(0, last + 1).join("\n");
}

function proseOf(comment: string): string {
  return comment
    .replace(/^\/\*\*\s?|\s*\*\/\s*$/g, "")
    .replace(/^\s*\* ?/gm, "")
    .trim();
}
