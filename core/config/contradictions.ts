// What is right by itself in hosts.yaml and wrong together: names that nothing has, ways that lead in a circle, an open
// door without a lock. Pure. Knows neither files nor how hosts are reached.
import type { Tree } from "./document.ts";
import { pathText, quoted, type Problem } from "./problem.ts";
import type { WrittenConfig } from "./schema.ts";
import { didYouMean } from "../suggestion.ts";

/** What is right by itself and wrong together. */
export function contradictions({ server, alerts, hosts, notify }: WrittenConfig, tree: Tree): Problem[] {
  const problems: Problem[] = [];
  const complain = (path: string, message: string): void => {
    problems.push({ path, ...tree.locate(path), message });
  };
  if (server.tokens.length === 0 && !isLoopback(server.listen.host)) {
    const why = `opens Medic to the network on ${quoted(server.listen.host)}, and there is no token`;
    complain("server.listen", `${why}: run medic token new and add it below server.tokens, or listen on 127.0.0.1`);
  }
  for (const [index, token] of server.tokens.entries()) {
    const first = server.tokens.findIndex(({ name }) => name === token.name);
    if (first < index)
      complain(`server.tokens[${index}].name`, `${quoted(token.name)} is the name of another token too`);
  }
  const channels = notify.map(({ name, ntfy }) => name ?? (ntfy === undefined ? "webhook" : "ntfy"));
  for (const [index, name] of channels.entries()) {
    if (channels.indexOf(name) < index)
      complain(`notify[${index}]`, `${quoted(name)} is the name of another channel too: give each a name of its own`);
  }
  for (const [index, rule] of alerts.rules.entries()) {
    const path = `alerts.rules[${index}]`;
    const says = rule.host !== undefined || rule.service !== undefined || rule.plugin !== undefined;
    if (says && rule.ignore === true) complain(path, "both ignores an alert and says whose it is: keep one");
    if (!says && rule.ignore !== true) complain(path, "changes nothing: add host, service, plugin or ignore: true");
    if (rule.host === undefined) continue;
    const host = Object.hasOwn(hosts, rule.host) ? hosts[rule.host] : undefined;
    if (host === undefined) {
      complain(`${path}.host`, `${quoted(rule.host)} is not among hosts (${Object.keys(hosts).join(", ")})`);
    } else if (rule.plugin !== undefined && rule.plugin !== "host" && !Object.hasOwn(host.plugins ?? {}, rule.plugin)) {
      complain(`${path}.plugin`, `${quoted(rule.plugin)} is not among the plugins of host ${quoted(rule.host)}`);
    }
  }
  for (const [name, { jump }] of Object.entries(hosts)) {
    const wrong = jump === undefined ? undefined : wrongJump(name, jump, hosts);
    if (wrong !== undefined) complain(pathText(["hosts", name, "jump"]), wrong);
  }
  return problems;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function wrongJump(host: string, jump: string, hosts: WrittenConfig["hosts"]): string | undefined {
  const through = Object.hasOwn(hosts, jump) ? hosts[jump] : undefined;
  if (through === undefined) {
    const names = Object.keys(hosts);
    return `${quoted(jump)} is not among hosts (${names.join(", ")})${didYouMean(jump, names)}`;
  }
  if (through.transport === "local") return `${quoted(jump)} is this machine: remove jump, it is on the way anyway`;
  const way = [host];
  for (let next: string | undefined = jump; next !== undefined; next = hosts[next]?.jump) {
    way.push(next);
    if (next === host) return `leads back to where it began: ${way.map(quoted).join(" → ")}`;
    // A circle that others make is told of at its own hosts.
    if (way.indexOf(next) < way.length - 1) return undefined;
  }
  return undefined;
}
