// Whether what a plugin's folder exports has the shape of the contract. A plugin may be written in plain JavaScript or
// against an older Medic, so types promise nothing here. Every problem is found at once, in words for its author.
const NAME_LENGTH_MAX = 48;
/** The tool with which a model says that it is done. */
const RESERVED = "conclude";
const toolName = /^[a-z][a-z0-9_]*$/;
const pluginName = /^[a-z][a-z0-9-]*$/;
const risks = ["reversible", "disruptive", "destructive"];

type Loose = Readonly<Record<string, unknown>>;

/** What is wrong with an exported plugin; empty when it is one. */
export function shapeProblems(exported: unknown): string[] {
  if (!isLoose(exported)) return ["it has no default export: end plugin.ts with `export default definePlugin({ … })`"];
  const { name, apiVersion, tools, runbooks } = exported;
  const problems: string[] = [];
  if (apiVersion !== 1) problems.push(`apiVersion is ${words(apiVersion)}, and this Medic knows 1 only`);
  if (!isName(name, pluginName)) problems.push(`name ${words(name)} is not lower case letters, digits and dashes`);
  if (!isText(exported["summary"])) problems.push("summary is missing: one sentence for `medic plugin` and the docs");
  problems.push(...strictObjectProblems("options", exported["options"]));
  problems.push(...optionalFunctions(exported, ["heals", "owns", "evidence", "sudoers"]));
  if (!Array.isArray(tools)) problems.push("tools is not a list");
  else problems.push(...tools.flatMap(toolProblems), ...duplicates("tool", tools, "name"));
  if (!Array.isArray(runbooks)) problems.push("runbooks is not a list");
  else problems.push(...runbooks.flatMap(runbookProblems), ...duplicates("runbook", runbooks, "title"));
  problems.push(...hintProblems(exported["hints"]));
  return problems;
}

function toolProblems(tool: unknown, index: number): string[] {
  if (!isLoose(tool)) return [`tool ${index + 1} is not an object`];
  const { name, kind, description, timeoutSeconds } = tool;
  const problems: string[] = [];
  if (!isName(name, toolName)) {
    problems.push(`is not named [a-z][a-z0-9_]* with at most ${NAME_LENGTH_MAX} characters`);
  }
  if (name === RESERVED) problems.push("has a name that core needs for itself: a responder ends its work with it");
  if (!isText(description)) problems.push("has no description");
  problems.push(...strictObjectProblems("input", tool["input"]));
  if (isLoose(tool["input"]) && isLoose(tool["input"]["entries"]) && "host" in tool["input"]["entries"]) {
    problems.push('input has a key "host": which host is core\'s to say');
  }
  if (timeoutSeconds !== undefined && !isPositive(timeoutSeconds)) problems.push("timeoutSeconds is not positive");
  if (kind === "diagnostic") problems.push(...functions(tool, ["command", "parse"]));
  else if (kind === "fix") problems.push(...fixProblems(tool));
  else problems.push(`kind ${words(kind)} is neither "diagnostic" nor "fix"`);
  return problems.map((problem) => `tool ${words(name)}: ${problem}`);
}

function fixProblems(fix: Loose): string[] {
  const problems = [
    ...functions(fix, ["watch", "plan", "healthy"]),
    ...optionalFunctions(fix, ["marker", "traces", "pending", "hopeless"]),
  ];
  if (!risks.includes(String(fix["risk"])))
    problems.push(`risk ${words(fix["risk"])} is not one of ${risks.join(", ")}`);
  if (![undefined, "postcondition", "never-retry"].includes(fix["proof"] as undefined)) {
    problems.push(`proof ${words(fix["proof"])} is neither "postcondition" nor "never-retry"`);
  }
  if (!isPositive(fix["withinSeconds"])) problems.push("withinSeconds is not positive");
  if (fix["settleSeconds"] !== undefined && !isPositive(fix["settleSeconds"])) {
    problems.push("settleSeconds is not positive");
  }
  if (fix["stableSeconds"] !== 0 && !isPositive(fix["stableSeconds"])) problems.push("stableSeconds is not 0 or more");
  return problems;
}

function runbookProblems(runbook: unknown, index: number): string[] {
  if (!isLoose(runbook)) return [`runbook ${index + 1} is not an object`];
  const problems = functions(runbook, ["when", "decide"]);
  if (!isText(runbook["title"])) problems.push("has no title");
  if (!isText(runbook["guidance"])) problems.push("has no guidance");
  return problems.map((problem) => `runbook ${words(runbook["title"])}: ${problem}`);
}

function strictObjectProblems(what: string, schema: unknown): string[] {
  if (!isLoose(schema) || schema["kind"] !== "schema") return [`${what} is not a valibot schema`];
  // An unknown key that is let through is an input nobody looked at.
  return schema["type"] === "strict_object" ? [] : [`${what} is a ${words(schema["type"])}: use v.strictObject`];
}

function hintProblems(hints: unknown): string[] {
  if (hints === undefined) return [];
  const fine = (hint: unknown): boolean => Array.isArray(hint) && hint[0] instanceof RegExp && isText(hint[1]);
  return Array.isArray(hints) && hints.every(fine) ? [] : ["hints is not a list of [pattern, advice]"];
}

function duplicates(what: string, list: readonly unknown[], key: string): string[] {
  const names = list.filter(isLoose).map((one) => one[key]);
  const twice = names.filter((name, index) => names.indexOf(name) !== index);
  return [...new Set(twice)].map((name) => `two of its ${what}s are called ${words(name)}`);
}

function functions(of: Loose, names: readonly string[]): string[] {
  return names.filter((name) => typeof of[name] !== "function").map((name) => `${name} is not a function`);
}

function optionalFunctions(of: Loose, names: readonly string[]): string[] {
  return functions(of, names.filter((name) => of[name] !== undefined)); // prettier-ignore
}

function isName(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value) && value.length <= NAME_LENGTH_MAX;
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.trim() !== "";
}

function isPositive(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value > 0;
}

function isLoose(value: unknown): value is Loose {
  return typeof value === "object" && value !== null;
}

function words(value: unknown): string {
  if (value === undefined) return "(missing)";
  return typeof value === "string" ? `"${value}"` : typeof value === "function" ? "a function" : JSON.stringify(value);
}
