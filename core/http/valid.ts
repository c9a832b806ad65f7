// Holds what a request says against a schema, or says in one line what is wrong with it.
import * as v from "valibot";
import { RequestError, shown } from "./request-error.ts";

/** Throws RequestError 400; `what` is the part of the request that the value is. */
export function valid<S extends v.GenericSchema>(schema: S, value: unknown, what: string): v.InferOutput<S> {
  const read = v.safeParse(schema, value, { abortEarly: true });
  if (read.success) return read.output;
  const [issue] = read.issues;
  const place = v.getDotPath(issue);
  const at = place === null ? what : `"${shown(place)}" in ${what}`;
  throw new RequestError(400, `Cannot read the request: ${at}: ${issue.message}`);
}
