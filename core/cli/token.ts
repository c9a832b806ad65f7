// `medic token new NAME [--role …]`: makes a token for a monitor or a person. It is printed once and stored nowhere:
// hosts.yaml gets its sha256. Without a role asked for it may bring alerts and nothing else.
import { newToken, type Role, roles } from "../http/tokens.ts";
import { UsageError } from "./context.ts";
import { defineVerb, jsonArg } from "./verb.ts";

export const token = defineVerb({
  name: "token",
  description: "Make a token: medic token new [NAME] [--role intake,read,operate]",
  args: {
    verb: { type: "positional", description: "`new`", required: true },
    name: {
      type: "positional",
      description: "Who will use it, e.g. alertmanager",
      required: false,
      default: "monitor",
    },
    role: {
      type: "string",
      description:
        "What it may: intake sends alerts, read looks, operate makes Medic do something; several with commas",
      valueHint: "roles",
      default: "intake",
    },
    ...jsonArg,
  },
  run(args, { out }) {
    if (args.verb !== "new") throw new UsageError(`Cannot run "token ${args.verb}": the only verb is new`);
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(args.name)) {
      throw new UsageError(
        `Cannot name a token "${args.name}": letters, digits, ".", "_" and "-" are allowed, 64 at most`,
      );
    }
    const wanted = rolesOf(args.role);
    const { token, sha256 } = newToken();
    if (args.json === true) {
      out.json({ name: args.name, token, sha256, roles: wanted });
      return 0;
    }
    out.line(token);
    out.note("");
    out.note("Give it to whoever uses it (bearer token, or the password of basic auth); it is shown only this once.");
    out.note("Put this under server.tokens in hosts.yaml:");
    out.note(`  - { name: ${args.name}, sha256: ${sha256}, roles: [${wanted.join(", ")}] }`);
    return 0;
  },
});

function rolesOf(written: string): Role[] {
  const words = written.split(",").map((word) => word.trim());
  const unknown = words.find((word) => !roles.some((role) => role === word));
  if (unknown === undefined) return roles.filter((role) => words.includes(role));
  throw new UsageError(`Cannot make a token with the role "${unknown}": the roles are ${roles.join(", ")}`);
}
