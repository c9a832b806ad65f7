// Credentials that show by their form alone: the prefixes that services give their keys, signed tokens, hashes of
// passwords, long base64, and what stands before the host in a URL. Every repeat is bounded, or its match cannot begin
// twice in one run of characters.

const TOKEN = "[token removed]";

const FORMS: readonly (readonly [form: RegExp, replacement: string])[] = [
  // A JSON Web Token; Home Assistant's long-lived ones are such.
  [/(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]{0,4000}){0,4}/g, TOKEN],
  // Anthropic, OpenAI, Stripe, Slack, GitHub, GitLab, npm, Docker Hub, Hugging Face, Tailscale, Vault, Grafana, …
  [
    /(?<![A-Za-z0-9])(?:sk-|[srp]k_(?:live|test)_|whsec_|xox[abeoprs]-|xapp-|gh[oprsu]_|github_pat_|gl(?:pat|ptt|dt|rt|cbt|soat)-|npm_|dckr_pat_|hf_|tskey-|hv[bs]\.|glsa_|glc_|dop_v1_|shpat_|pypi-|lin_api_|xkeysib-|PMAK-|GOCSPX-|ya29\.|SG\.)[A-Za-z0-9._-]{12,}/g,
    TOKEN,
  ],
  // Medic's own; what it is measured by begins alike and is shorter.
  [/(?<![A-Za-z0-9])medic_[A-Za-z0-9_-]{40,}/g, TOKEN],
  [/(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g, TOKEN],
  [/(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}/g, TOKEN],
  [/(?<![A-Za-z0-9])AGE-SECRET-KEY-1[A-Z0-9]{20,}/gi, TOKEN],
  [/(?<![A-Za-z0-9])tk_[a-z0-9]{29}(?![A-Za-z0-9])/g, TOKEN],
  // Telegram's bots, with or without the path they stand in.
  [/(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{32,}/g, TOKEN],
  [
    /(hooks\.slack\.com\/(?:services|workflows)\/|discord(?:app)?\.com\/api\/webhooks\/)[A-Za-z0-9/_-]{8,}/g,
    "$1[removed]",
  ],
  // Hashes of passwords: what can be tried offline is a secret.
  [/\$(?:[156y]|2[abxy]|7|gy|apr1|argon2(?:id|i|d)|scrypt|pbkdf2-sha\d{1,3})\$[^\s:"']{8,}/g, "[hash removed]"],
  // A line of PostgreSQL's .pgpass.
  [/(?<!\S)([^\s:]{1,100}:5432:[^\s:]{1,64}:[^\s:]{1,64}:)[^\s[][^\s]*/g, "$1[removed]"],
];

/** Replaces what is a credential by its form. */
export function redactForms(text: string): string {
  const rest = FORMS.reduce((kept, [form, replacement]) => kept.replace(form, replacement), text);
  return rest.replace(/(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/]{60,}={0,2}/g, (run) =>
    isKeyMaterial(run) ? "[base64 removed]" : run,
  );
}

const PORT_THEN_PATH = String.raw`(?!\d{1,5}(?:[/?#]|$))`;
const USER_AND_PASSWORD = new RegExp(
  String.raw`:\/\/([^\s:/@"'<>]{0,128}):(?!\[removed)${PORT_THEN_PATH}[^\s"'<>]{1,256}@`,
  "g",
);
const QUERY =
  /([?&](?:[\w.-]{0,40}?(?:token|secret|password|passwd|api_?key|signature)|auth|key|sig|pass|pwd|pw|authsig|x-amz-credential|session(?:id)?|sid|jwt)=)(?!\[)[^\s&"'#<>]+/gi;

/** Replaces passwords, and tokens in a user's place, before the host of a URL; and the parameters that carry them. */
export function redactUrls(text: string): string {
  return text
    .replace(/[^\s"'<>]+/g, (run) => (run.includes("@") && run.includes("://") ? redactAuthority(run) : run))
    .replace(QUERY, "$1[removed]");
}

function redactAuthority(run: string): string {
  return run.replace(USER_AND_PASSWORD, "://$1:[removed]@").replace(/:\/\/[A-Za-z0-9_-]{20,128}@/g, "://[removed]@");
}

/** Mixed as only encoded bytes are: no digest (one case of letters), no path (many slashes), no public key of SSH. */
function isKeyMaterial(run: string): boolean {
  const slashes = run.split("/").length - 1;
  return (
    /[A-Z]/.test(run) && /[a-z]/.test(run) && /\d/.test(run) && slashes * 10 <= run.length && !/^AAAA[BCE]/.test(run)
  );
}
