// A tool's input or a plugin's options as JSON Schema: what a person or a model writes, not what comes out of it.
import { toJsonSchema } from "@valibot/to-json-schema";
import type { Schema } from "./contract.ts";

/** A rule that JSON Schema cannot say is left out: the validation of the call uses the schema itself. */
export function inputSchema(schema: Schema): object {
  const { $schema: _, ...json } = toJsonSchema(schema, { errorMode: "ignore", typeMode: "input" });
  return json;
}

/** Why JSON Schema cannot say what shape an input has; a rule on a value (a check) is not shape. */
export function schemaProblem(schema: Schema): string | undefined {
  try {
    toJsonSchema(schema, {
      errorMode: "throw",
      typeMode: "input",
      ignoreActions: ["check", "raw_check", "partial_check", "regex", "trim", "transform"],
    });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
