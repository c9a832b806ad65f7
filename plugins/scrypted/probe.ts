// The probe: does Scrypted answer? `/login` exists only once its database is open and its runtime runs; it is the
// nearest thing to a health check that Scrypted has. Runs on its own host, so no network or proxy between can fool it.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import { port } from "medic/plugins/docker";
import * as v from "valibot";
import type { ScryptedOptions } from "./options.ts";

export type Probe = {
  answers: boolean;
  code: number | null;
  seconds: number | null;
  /** In words, for whoever reads the incident. */
  why: string;
};

const waitSeconds = 10;
const text = `if command -v curl >/dev/null 2>&1; then
  curl --insecure --silent --noproxy '*' --max-time ${waitSeconds} --max-filesize 65536 --header 'Accept: application/json' --write-out '\\n--medic:code\\n%{http_code}\\n--medic:seconds\\n%{time_total}\\n' -- "$1"
  code=$?
  echo --medic:curl
  echo "$code"
elif command -v wget >/dev/null 2>&1; then
  http_proxy= https_proxy= wget -q -O - --no-check-certificate -T ${waitSeconds} -- "$1"
  code=$?
  echo --medic:wget
  echo "$code"
else
  echo --medic:none
fi
exit 0`;

const login = v.looseObject({ hasLogin: v.unknown() });

export const scryptedHttpProbe = diagnostic({
  name: "scrypted_http_probe",
  description: "Whether Scrypted answers: GET /login on its own host has to give 200 and JSON with hasLogin.",
  input: v.strictObject({
    port: v.pipe(
      v.optional(port),
      v.description("Another port than the configured one, such as 11080 for plain http."),
    ),
  }),
  command: (input, options: ScryptedOptions) => script(text, addressOf(input.port, options)),
  parse(result): Probe | Unavailable {
    const parts = sections(result.stdout);
    if ("none" in parts) return unavailable("this host has neither curl nor wget, so nobody can probe from there");
    const hasLogin = isLogin(parts[""] ?? "");
    const wget = parts["wget"];
    if (wget !== undefined) {
      const answers = wget === "0" && hasLogin;
      const why = answers
        ? "/login answers"
        : wget === "0"
          ? "/login answers without hasLogin"
          : `wget ended with ${wget}`;
      return { answers, code: answers ? 200 : null, seconds: null, why };
    }
    const ended = Number(parts["curl"] ?? Number.NaN);
    const code = Number(parts["code"] ?? Number.NaN);
    const seconds = Number(parts["seconds"] ?? Number.NaN);
    if (!Number.isInteger(ended) || !Number.isInteger(code)) return unavailable(result);
    if (ended === 6) return unavailable("the host cannot resolve the name in the url");
    const answers = ended === 0 && code === 200 && hasLogin;
    return {
      answers,
      code: code === 0 ? null : code,
      seconds: Number.isFinite(seconds) ? seconds : null,
      why: answers ? "/login answers" : reasonOf(ended, code),
    };
  },
});

function addressOf(otherPort: number | undefined, { url }: ScryptedOptions): string {
  if (otherPort === undefined) return `${url}/login`;
  const { hostname, protocol } = new URL(url);
  return `${otherPort === 11080 ? "http:" : protocol}//${hostname}:${otherPort}/login`;
}

function isLogin(body: string): boolean {
  return v.safeParse(v.pipe(v.string(), v.parseJson(), login), body.trim()).success;
}

function reasonOf(ended: number, code: number): string {
  if (ended === 7) return "nobody listens on its port";
  if (ended === 28) return `no answer within ${waitSeconds} s`;
  if (ended === 35 || ended === 52 || ended === 56) return "the connection broke before an answer";
  if (ended !== 0) return `curl ended with ${ended}`;
  return code === 200 ? "/login answers without hasLogin" : `/login answers ${code}`;
}
