// hosts.yaml → Config. Reads the file, fills in the environment, validates, and completes what depends on the machine:
// `~`, relative paths, secrets in files, a host's pool over the global one. Reports everything that is wrong, each with
// its line. The environment and the home folder arrive as arguments; knows neither plugins nor hosts as they run.
import { closeSync, fstatSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import * as v from "valibot";
import { contradictions } from "./contradictions.ts";
import { handedOver, isHandedOver } from "./credentials.ts";
import { readTree, textBytesMax, type Tree } from "./document.ts";
import { fillIn, lookUp, type Environment, type ReadSecret } from "./environment.ts";
import { ConfigError, inOrder, pathText, quoted, type PathKey, type Position, type Problem } from "./problem.ts";
import { isSecret } from "./redaction.ts";
import { didYouMean } from "../suggestion.ts";
import type { ChannelConfig } from "./notify-schema.ts";
import { configSchema, type Config, type HostConfig, type WrittenConfig } from "./schema.ts";

/** What the file's meaning depends on beside its text. */
export type Surroundings = { env: Environment; home: string };

/** A usable configuration, and where each of its settings stands (for problems found later, by plugins). */
export type Loaded = { file: string; config: Config; locate(path: string, what?: "key" | "value"): Position };

const secretBytesMax = 64 * 1024;
// Each round of validation names one unknown key per mapping.
const roundsMax = 50;

/** Reads and checks a file. `shownAs` names it in reports. Throws ConfigError with all that is wrong. */
export function loadConfig(file: string, surroundings: Surroundings & { shownAs?: string }): Loaded {
  const { shownAs = file, ...rest } = surroundings;
  const { text, mode } = readText(file, shownAs);
  return parseConfig(text, { file: shownAs, folder: dirname(resolve(file)), mode, readSecret, ...rest });
}

/**
 * As `loadConfig`, for a text that is at hand. `folder`: where relative paths begin; `mode`: the file's permission
 * bits. Throws nothing but ConfigError.
 */
export function parseConfig(
  text: string,
  place: Surroundings & { file: string; folder: string; mode?: number; readSecret: ReadSecret },
): Loaded {
  const { file, folder, env, home } = place;
  const atHome = (path: string): string => absolute(path, folder, home);
  const readSecretAt: ReadSecret = (path, must) => {
    const file = handedOver(atHome(path), env);
    return place.readSecret(file, isHandedOver(file, env) ? undefined : must);
  };

  const tree = readTree(text, (value) => fillIn(value, env, readSecretAt));
  if (tree.value === undefined) throw new ConfigError(file, tree.problems);
  const { written, problems } = validate(tree);
  problems.unshift(...tree.problems);
  if (place.mode !== undefined) problems.push(...exposedSecrets(tree, file, place.mode));
  if (written !== undefined) problems.push(...contradictions(written, tree));
  const completed = written === undefined ? undefined : complete(written, tree, env, atHome, readSecretAt);
  problems.push(...(completed?.problems ?? []));
  if (completed === undefined || problems.length > 0) throw new ConfigError(file, inOrder(problems));
  return { file, config: completed.config, locate: tree.locate };
}

function readText(file: string, shownAs: string): { text: string; mode: number } {
  const fail = (message: string): never => {
    throw new ConfigError(shownAs, [{ path: "", line: 0, column: 0, message }]);
  };
  try {
    const stat = statSync(file);
    if (stat.isDirectory()) return fail(`is a folder: name the file in it, like ${quoted(join(file, "hosts.yaml"))}`);
    if (!stat.isFile()) return fail("is not a regular file");
    if (stat.size > textBytesMax) return fail(`is larger than ${textBytesMax / 1024} KiB`);
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file)), mode: stat.mode & 0o777 };
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    if (error instanceof TypeError) return fail("is not UTF-8 text: save it as UTF-8");
    return fail(unreadable(error));
  }
}

function unreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return "does not exist: begin with a copy of the commented hosts.yaml that Medic comes with";
  if (code === "EACCES" || code === "EPERM") return "cannot be read: permission denied for the user that runs Medic";
  return `cannot be read: ${message}`;
}

/** Reads a secret's file: small, text, its last line break removed. */
export const readSecret: ReadSecret = (path, must) => {
  const handle = openSync(path, "r");
  try {
    const stat = fstatSync(handle);
    if (!stat.isFile()) throw new Error(`${quoted(path)} is not a regular file`);
    if (must === "private" && (stat.mode & 0o077) !== 0)
      throw new Error(`others can read it ${chmod(path, stat.mode)}`);
    if (stat.size > secretBytesMax) throw new Error(`${quoted(path)} is larger than ${secretBytesMax / 1024} KiB`);
    return readFileSync(handle, "utf8").replace(/\r?\n$/, "");
  } finally {
    closeSync(handle);
  }
};

function validate(tree: Tree): { written: WrittenConfig | undefined; problems: Problem[] } {
  const unknown: Problem[] = [];
  for (let round = 0; round < roundsMax; round++) {
    const result = v.safeParse(configSchema, tree.value);
    const issues = (result.issues ?? []) as readonly v.BaseIssue<unknown>[];
    const strangers = issues.filter((issue) => issue.expected === "never");
    unknown.push(...strangers.map((issue) => problemOf(issue, tree)));
    if (strangers.length === 0 || round === roundsMax - 1) {
      const problems = [
        ...issues.filter((issue) => !strangers.includes(issue)).map((issue) => problemOf(issue, tree)),
        ...unknown,
      ];
      return { written: result.success || result.typed ? result.output : undefined, problems };
    }
    // valibot names one unknown key of a mapping: take it out and ask again.
    for (const issue of strangers) remove(issue);
  }
  return { written: undefined, problems: unknown };
}

function remove(issue: v.BaseIssue<unknown>): void {
  const last = issue.path?.at(-1);
  if (last?.type !== "object") return;
  if (Array.isArray(last.input)) last.input.length = 0;
  else delete last.input[last.key];
}

function problemOf(issue: v.BaseIssue<unknown>, tree: Tree): Problem {
  const items = issue.path ?? [];
  const listAt = items.findIndex((item) => item.type === "object" && Array.isArray(item.input));
  const keys = items.slice(0, listAt === -1 ? undefined : listAt).map((item) => item.key as PathKey);
  const path = pathText(keys);
  if (listAt !== -1) return { path, ...tree.locate(path), message: "expected a mapping (name: value), got a list" };
  const atKey = items.at(-1)?.origin === "key";
  return { path, ...tree.locate(path, atKey ? "key" : "value"), message: issue.message + got(issue, path, tree) };
}

function got(issue: v.BaseIssue<unknown>, path: string, tree: Tree): string {
  if (!issue.message.startsWith("expected")) return "";
  const value = issue.path?.at(-1)?.origin === "key" ? issue.path.at(-1)?.key : valueAt(tree.value, issue);
  if (value === null) return ", but nothing is written there";
  if (tree.filled.has(path)) return ", got something else from the environment";
  if (isSecret(path) || value === undefined) return "";
  const hint = issue.type === "string" && (typeof value === "number" || typeof value === "boolean");
  const options =
    issue.type === "picklist" ? Array.from(issue.expected?.matchAll(/"([^"]*)"/g) ?? [], ([, word = ""]) => word) : [];
  const suggestion = typeof value === "string" ? didYouMean(value, options) : "";
  return `, got ${kindOf(value)}${suggestion}${hint ? ": put it in quotes" : ""}`;
}

/** The value as it was written; a check after a transformation sees another one. */
function valueAt(root: unknown, issue: v.BaseIssue<unknown>): unknown {
  return (issue.path ?? []).reduce<unknown>(
    (value, item) =>
      typeof value === "object" && value !== null ? Reflect.get(value, item.key as PropertyKey) : undefined,
    root,
  );
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a mapping";
  return quoted(value);
}

/** Secrets that stand in the file itself, if others than its owner may read it. */
function exposedSecrets(tree: Tree, file: string, mode: number): Problem[] {
  if ((mode & 0o077) === 0) return [];
  const message = `is a secret in a file that others can read ${chmod(file, mode)}, or write \${NAME} and keep it in the environment`;
  return texts(tree.value, [])
    .filter((path) => isSecret(path) && !tree.filled.has(path))
    .map((path) => ({ path, ...tree.locate(path), message }));
}

/** What a file's mode is, and the command that mends it. */
function chmod(file: string, mode: number): string {
  const octal = (mode & 0o777).toString(8).padStart(3, "0");
  return `(mode ${octal}): run chmod 600 ${/^[\w./-]+$/.test(file) ? file : quoted(file)}`;
}

function texts(value: unknown, keys: readonly PathKey[]): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => texts(item, [...keys, index]));
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) => texts(inner, [...keys, key]));
  }
  return (typeof value === "string" && value !== "") || typeof value === "number" ? [pathText(keys)] : [];
}

function complete(
  written: WrittenConfig,
  tree: Tree,
  env: Environment,
  atHome: (path: string) => string,
  readSecretAt: ReadSecret,
): { config: Config; problems: Problem[] } {
  const problems: Problem[] = [];
  /** The secret itself, or what its file holds. */
  const secretOf = (path: string, literal: string | undefined, file: string | undefined): string | undefined => {
    if (file === undefined) return literal;
    try {
      return readSecretAt(file, "private");
    } catch (error) {
      const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
      problems.push({ path: `${path}File`, ...tree.locate(`${path}File`), message });
      return undefined;
    }
  };
  const { apiKeyFile, apiKey: literalKey, ...responder } = written.responder;
  const apiKey = secretOf("responder.apiKey", literalKey, apiKeyFile) ?? keyFromEnvironment(written, env, readSecretAt);
  const hosts = Object.entries(written.hosts).map(([name, host]): [string, HostConfig] => {
    const { passphrase: literal, passphraseFile, identity, ...rest } = host;
    const passphrase = secretOf(`hosts.${name}.passphrase`, literal, passphraseFile);
    return [
      name,
      {
        ...rest,
        name,
        address: host.address ?? "localhost",
        port: host.port ?? 22,
        user: host.user ?? "",
        knownHosts: atHome(host.knownHosts ?? "~/.ssh/known_hosts"),
        pool: { ...written.pool, ...host.pool },
        plugins: Object.fromEntries(Object.entries(host.plugins).map(([plugin, options]) => [plugin, options ?? {}])),
        ...(identity === undefined ? {} : { identity: handedOver(atHome(identity), env) }),
        ...(passphrase === undefined ? {} : { passphrase }),
      },
    ];
  });
  const notify = written.notify.map(({ name, on, ntfy, webhook }, index): ChannelConfig => {
    if (ntfy !== undefined) {
      const { token: literal, tokenFile, ...rest } = ntfy;
      const token = secretOf(`notify[${index}].ntfy.token`, literal, tokenFile);
      return { name: name ?? "ntfy", on, ntfy: { ...rest, ...(token === undefined ? {} : { token }) } };
    }
    const { url = "", secret: literal, secretFile } = webhook ?? {};
    const secret = secretOf(`notify[${index}].webhook.secret`, literal, secretFile) ?? "";
    return { name: name ?? "webhook", on, webhook: { url, secret } };
  });
  const config: Config = {
    server: { ...written.server, data: atHome(written.server.data) },
    alerts: written.alerts,
    responder: apiKey === undefined || apiKey === "" ? responder : { ...responder, apiKey },
    approvals: written.approvals,
    notify,
    heartbeat: written.heartbeat ?? undefined,
    limits: written.limits,
    pluginFolders: written.pluginFolders.map(atHome),
    pool: written.pool,
    hosts: Object.fromEntries(hosts),
  };
  return { config, problems };
}

/** A model that is not asked gets no key: off means that there is none. */
function keyFromEnvironment(
  { responder }: WrittenConfig,
  env: Environment,
  readSecretAt: ReadSecret,
): string | undefined {
  if (!responder.order.includes("claude")) return undefined;
  const found = lookUp("ANTHROPIC_API_KEY", env, readSecretAt);
  return "text" in found ? found.text : undefined;
}

function absolute(path: string, folder: string, home: string): string {
  if (path === "~") return home;
  if (path.startsWith("~/")) return join(home, path.slice(2));
  return isAbsolute(path) ? path : resolve(folder, path);
}
