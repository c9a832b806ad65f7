// `${NAME}` inside a value of hosts.yaml: from the environment, or from the file that NAME_FILE names (as container
// secrets come). `$${` is a literal `${`. The environment and the file reader arrive as arguments.

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a small text file that holds a secret; throws an Error whose message says why it cannot. `private`: refuses one
 * that others can read too. Not asked of what NAME_FILE names: of a container's secrets its runtime decides the mode.
 */
export type ReadSecret = (path: string, must?: "private") => string;

/** The text with every `${NAME}` filled in, or why that cannot be done. */
export type Filled = { text: string; filled: boolean } | { problem: string };

const reference = /\$\$\{|\$\{([^}]*)(\}?)/g;

export function fillIn(text: string, env: Environment, readSecret: ReadSecret): Filled {
  if (!text.includes("${")) return { text, filled: false };
  let problem: string | undefined;
  let filled = false;
  const result = text.replace(reference, (whole: string, name: string | undefined, closing: string | undefined) => {
    if (whole === "$${") return "${";
    const found = closing === "}" ? lookUp(name ?? "", env, readSecret) : { problem: notAReference(whole) };
    if ("problem" in found) {
      problem ??= found.problem;
      return whole;
    }
    filled = true;
    return found.text;
  });
  return problem === undefined ? { text: result, filled } : { problem };
}

/** A variable's value: `NAME`, or the content of the file that `NAME_FILE` names. */
export function lookUp(name: string, env: Environment, readSecret: ReadSecret): { text: string } | { problem: string } {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return { problem: notAReference(`\${${name}}`) };
  const text = own(env, name);
  if (text !== undefined) return { text };
  const path = own(env, `${name}_FILE`);
  if (path === undefined) {
    return { problem: `needs the environment variable ${name}: neither ${name} nor ${name}_FILE is set` };
  }
  try {
    return { text: readSecret(path) };
  } catch (error) {
    return {
      problem: `cannot read the file that ${name}_FILE names: ${error instanceof Error ? error.message : String(error)}`,
    };
  }
}

function own(env: Environment, name: string): string | undefined {
  return Object.hasOwn(env, name) ? env[name] : undefined;
}

function notAReference(written: string): string {
  const shown = written.length <= 40 ? written : `${written.slice(0, 40)}…`;
  return `"${shown}" names no environment variable: write \${NAME}, or $\${ for a literal \${`;
}
