// hosts.yaml as JSON Schema, for editors: what a person writes, not what comes out of it.
import { toJsonSchema } from "@valibot/to-json-schema";
import { configSchema } from "./schema.ts";

/** Draft 2020-12. Checks that JSON Schema cannot say are left to `medic config check`. */
export function configJsonSchema(): object {
  const { $schema, ...schema } = toJsonSchema(configSchema, {
    typeMode: "input",
    target: "draft-2020-12",
    ignoreActions: ["check", "raw_check", "partial_check"],
    // Patterns are written for JavaScript; the u flag changes nothing that a JSON Schema would see.
    overrideAction: ({ valibotAction, jsonSchema }) =>
      valibotAction.type === "regex"
        ? { ...jsonSchema, pattern: (valibotAction as unknown as { requirement: RegExp }).requirement.source }
        : undefined,
  });
  return { $schema, title: "Medic: hosts.yaml", ...schema };
}
