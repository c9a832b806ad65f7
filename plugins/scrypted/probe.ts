// The probe: does Scrypted answer? `/login` exists only once its database is open and its runtime runs; it is the
// nearest thing to a health check that Scrypted has. Runs on its own host, so no network or proxy between can fool it.
import { diagnostic, script, sections, unavailable } from "medic/plugin";
import type { Unavailable } from "medic/plugin";
import { brief, port } from "medic/plugins/docker";
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
  echo
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
      const failed = wget === "0" ? noLogin : (wgetReasons[wget] ?? networkWords(result.stderr));
      if (failed === undefined) return unavailable(`wget itself failed (${wget}): ${brief(result.stderr)}`);
      const answers = wget === "0" && hasLogin;
      return { answers, code: answers ? 200 : null, seconds: null, why: answers ? "/login answers" : failed };
    }
    const ended = Number(parts["curl"] ?? Number.NaN);
    const code = Number(parts["code"] ?? Number.NaN);
    const seconds = Number(parts["seconds"] ?? Number.NaN);
    if (!Number.isInteger(ended) || !Number.isInteger(code)) return unavailable(result);
    const failed = ended === 0 ? (code === 200 ? noLogin : `/login answers ${code}`) : curlReasons[ended];
    // A probe that broke is no silence of Scrypted's: it must not become a restart.
    if (failed === undefined) return unavailable(`curl itself failed (${ended}): ${brief(result.stderr)}`);
    const answers = ended === 0 && code === 200 && hasLogin;
    return {
      answers,
      code: code === 0 ? null : code,
      seconds: Number.isFinite(seconds) ? seconds : null,
      why: answers ? "/login answers" : failed,
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

const noLogin = "/login answers without hasLogin";
const broke = "the connection broke before an answer";
/** Exit codes that say something about Scrypted; all others say something about curl (6: it cannot resolve the name). */
const curlReasons: Readonly<Record<number, string>> = {
  7: "nobody listens on its port",
  18: broke,
  28: `no answer within ${waitSeconds} s`,
  35: broke,
  52: broke,
  55: broke,
  56: broke,
  63: "/login answers with far more than a login",
};
/** The same of GNU wget; BusyBox has one code for everything, and words. */
const wgetReasons: Readonly<Record<string, string>> = {
  4: `no answer within ${waitSeconds} s, or nobody listens`,
  5: broke,
  8: "/login answers with an error",
};

function networkWords(said: string): string | undefined {
  const line = said.split("\n").find((each) => /refused|timed out|server returned error|reset by peer/i.test(each));
  return line === undefined ? undefined : brief(line, 150);
}
