// `medic token new NAME`: makes a token for a monitor or a person. It is printed once and stored nowhere: hosts.yaml
// gets its sha256.
import { newToken } from "../http/tokens.ts";
import { UsageError } from "./context.ts";
import { defineVerb, jsonArg } from "./verb.ts";

export const token = defineVerb({
  name: "token",
  description: "Make a token: medic token new [NAME]",
  args: {
    verb: { type: "positional", description: "`new`", required: true },
    name: {
      type: "positional",
      description: "Who will use it, e.g. alertmanager",
      required: false,
      default: "monitor",
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
    const { token, sha256 } = newToken();
    if (args.json === true) {
      out.json({ name: args.name, token, sha256 });
      return 0;
    }
    out.line(token);
    out.note("");
    out.note("Give it to the monitor (bearer token, or the password of basic auth); it is shown only this once.");
    out.note("Put this under server.tokens in hosts.yaml:");
    out.note(`  - { name: ${args.name}, sha256: ${sha256} }`);
    return 0;
  },
});
