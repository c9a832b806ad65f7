// `medic config schema`: hosts.yaml as JSON Schema, so that an editor completes and checks it without a copy of this
// repository.
import { configJsonSchema } from "../config/json-schema.ts";
import { defineVerb, jsonArg } from "./verb.ts";

export const configSchema = defineVerb({
  name: "schema",
  description: "Print the JSON Schema of hosts.yaml, for an editor",
  args: { ...jsonArg },
  run(_args, { out }) {
    out.json(configJsonSchema());
    return 0;
  },
});
