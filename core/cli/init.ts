// `medic init`: from nothing to a hosts.yaml that works. Shows each host's key and takes it at a person's word, logs in once,
// looks what runs there, and writes a commented hosts.yaml and a token. Overwrites nothing unless told to, and writes nothing
// of a host that it could not look at.
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pid } from "node:process";
import { parseConfig, readSecret } from "../config/load.ts";
import { newToken } from "../http/tokens.ts";
import { CannotTell, type Context, type ExitCode, UsageError } from "./context.ts";
import { alertmanagerText, hostsText, type Met } from "./init/hosts-file.ts";
import { type LeftOut, meet } from "./init/meeting.ts";
import { targetsOf } from "./init/targets.ts";
import { defineVerb, jsonArg } from "./verb.ts";

type Files = { hosts: string; token: string };

export const init = defineVerb({
  name: "init",
  description: "Make a hosts.yaml: meet hosts, pin their keys, look what runs there",
  args: {
    host: {
      type: "string",
      description: "Hosts, with commas: user@address, name=user@address:port",
      valueHint: "hosts",
    },
    identity: { type: "string", description: "The private key for the hosts of --host", valueHint: "path" },
    "from-ssh-config": { type: "boolean", description: "All hosts of ~/.ssh/config" },
    self: { type: "boolean", description: "This machine too" },
    yes: { type: "boolean", description: "Pin each key without asking" },
    folder: { type: "string", description: "Where to write (default: the folder you are in)", valueHint: "path" },
    listen: {
      type: "string",
      description: "Where serve will listen",
      default: "127.0.0.1:8484",
      valueHint: "address:port",
    },
    data: { type: "string", description: "The data folder (default: ~/.local/share/medic)", valueHint: "path" },
    force: { type: "boolean", description: "Overwrite what is there" },
    ...jsonArg,
  },
  async run(args, context): Promise<ExitCode> {
    const folder = resolve(context.folder, args.folder ?? ".");
    const files = { hosts: join(folder, "hosts.yaml"), token: join(folder, "alertmanager.token") };
    if (args.force !== true) refuseTaken(Object.values(files));
    const fromSshConfig = args["from-ssh-config"] === true;
    const { host, identity } = args;
    const targets = await targetsOf({ host, identity, fromSshConfig, self: args.self === true }, context);
    for (const note of targets.notes) context.out.note(note);

    const isQuiet = args.json === true;
    const { met, leftOut } = await meet(targets, { folder, isSure: args.yes === true, isQuiet }, context);
    if (met.length === 0) {
      if (isQuiet) context.out.json({ hosts: [], leftOut });
      else for (const { host, why } of leftOut) context.out.line(`${host} is left out: ${why}`);
      context.out.note("Nothing was written: no host is left.");
      return 1;
    }
    const { token, sha256 } = newToken();
    const text = hostsText({ listen: args.listen, data: args.data, tokenFile: files.token, sha256, hosts: met });
    // Nothing is written that Medic could not read again; --listen and --data are looked at here too.
    const { config } = parseConfig(text, {
      file: files.hosts,
      folder,
      env: context.env,
      home: context.home,
      readSecret,
    });
    mkdirSync(folder, { recursive: true });
    write(files.token, `${token}\n`, 0o600);
    write(files.hosts, text, 0o644);
    if (isQuiet) context.out.json({ file: files.hosts, tokenFile: files.token, hosts: met.map(shown), leftOut });
    else tell(met, leftOut, files, config.server.listen, context);
    return leftOut.length === 0 ? 0 : 1;
  },
});

function refuseTaken(files: readonly string[]): void {
  const taken = files.find((file) => existsSync(file));
  if (taken === undefined) return;
  throw new UsageError(
    `Cannot write "${taken}": it is there already. Choose another --folder, or overwrite it with --force`,
  );
}

/** Whole or not at all, with this mode whatever was there before. */
function write(file: string, text: string, mode: number): void {
  const beside = `${file}.${pid}.new`;
  try {
    writeFileSync(beside, text, { mode, flag: "wx" });
    // Also where root keeps its own files to itself: the user of the service has to read it.
    chmodSync(beside, mode);
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw new CannotTell(`Cannot write "${file}": ${error instanceof Error ? error.message : String(error)}`);
  }
}

function shown({ name, entry, survey }: Met): object {
  return { host: name, ...(entry === undefined ? {} : { hostKey: entry.hostKey }), found: survey };
}

function tell(
  met: readonly Met[],
  leftOut: readonly LeftOut[],
  files: Files,
  { host, port }: { host: string; port: number },
  { out }: Context,
): void {
  out.line();
  for (const { name, survey } of met) out.line(`${out.paint("green", name)}: ${foundText(survey)}`);
  for (const { host: name, why } of leftOut) out.line(`${out.paint("yellow", name)} is left out: ${why}`);
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  out.line(`\nWrote ${files.hosts} and ${files.token}.`);
  out.line("\nFor Alertmanager (a copy of the token file that it can read, and the address it reaches Medic by):\n");
  out.line(alertmanagerText(url, files.token));
  out.line(`\nNext: medic doctor, then medic serve --dry-run (it plans and runs no fix), then medic serve.`);
}

function foundText({ docker, containers, systemd, scrypted }: Met["survey"]): string {
  const found = [
    docker === undefined
      ? []
      : [docker === "denied" ? "docker, which this user may not use" : `docker (${containers} containers)`],
    systemd ? ["systemd"] : [],
    scrypted === undefined ? [] : ["Scrypted"],
  ].flat();
  return found.length === 0 ? "neither docker nor systemd" : found.join(", ");
}
