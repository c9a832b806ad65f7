// `medic healthcheck`: whether the `serve` of this machine is well, as an exit code: 0 it is, 1 it is not, whatever the
// reason. For Docker's HEALTHCHECK and for whoever upgrades. Asks that serve and no host.
import { resolve } from "node:path";
import { readConfig } from "./config-file.ts";
import { CannotTell, type Context, type ExitCode } from "./context.ts";
import { callServe, readNote } from "./serve-client.ts";
import { configArg, defineVerb, jsonArg } from "./verb.ts";

const WITHIN_SECONDS = 5;

export const healthcheck = defineVerb({
  name: "healthcheck",
  description: "Ask the running serve whether it is well: exit 0 or 1",
  args: {
    data: {
      type: "string",
      description: "Its data folder, so that hosts.yaml need not be read (default: server.data of hosts.yaml)",
      valueHint: "path",
    },
    ...configArg,
    ...jsonArg,
  },
  async run(args, context): Promise<ExitCode> {
    const data =
      args.data === undefined
        ? readConfig(context, args.config).config.server.data
        : resolve(context.folder, args.data);
    const why = await troubleOf(data, context.stop);
    if (args.json === true) context.out.json(why === undefined ? { well: true } : { well: false, why });
    else context.out.line(why === undefined ? "medic serve is well" : `medic serve is not well: ${why}`);
    return why === undefined ? 0 : 1;
  },
});

async function troubleOf(data: string, stop: Context["stop"]): Promise<string | undefined> {
  const note = readNote(data);
  if (note === undefined) return `none runs on "${data}"`;
  const late = AbortSignal.timeout(WITHIN_SECONDS * 1000);
  try {
    const { status, body } = await callServe(note, "/readyz", { signal: AbortSignal.any([stop, late]) });
    return status === 200 ? undefined : whyOf(body);
  } catch (error) {
    stop.throwIfAborted();
    if (late.aborted) return `it did not answer within ${WITHIN_SECONDS} s`;
    if (error instanceof CannotTell) return error.message;
    throw error;
  }
}

function whyOf(body: unknown): string {
  return typeof body === "object" && body !== null && "why" in body ? String(body.why) : "it is not ready";
}
