// What may be said to the systemd tools, and what hosts.yaml may say. A unit is always named exactly and with its type:
// systemctl takes globs ("restart 'dep-*'" restarts them all) and answers for "--help.service" when asked for "--help".
import * as v from "valibot";

const types = "service|socket|timer|mount|automount|path|target|slice|scope|swap|device";

export const unitName = v.pipe(
  v.string(),
  v.maxLength(200, "a unit's name has at most 200 characters"),
  v.regex(
    new RegExp(`^[a-zA-Z0-9](?:[a-zA-Z0-9:_.@-]|\\\\x[0-9a-f]{2})*\\.(?:${types})$`),
    'expected a unit\'s exact name with its type, like "caddy.service"; no globs',
  ),
  v.description('Exact name of the unit with its type, like "caddy.service".'),
);

export const byUnit = v.strictObject({ unit: unitName });

export const since = v.pipe(
  v.string(),
  v.regex(
    /^(?:[1-9]\d{0,3}[smhd]|\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z)$/,
    "expected how far back: 90s, 15m, 2h, 1d, or a UTC time such as 2026-01-31T08:00:00Z",
  ),
  v.description("How far back: 90s, 15m, 2h, 1d, or a UTC time."),
);

/** `since` in journalctl's words: systemd 252 does not know the form with T and Z. */
export function journalTime(text: string): string {
  const stamp = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})/.exec(text);
  return stamp === null ? `${text} ago` : `${stamp[1]} ${stamp[2]} UTC`;
}

export const lines = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.maxValue(500, "at most 500 lines"),
  v.description("How many lines, the newest."),
);

const glob = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(
    new RegExp(`^[a-zA-Z0-9*?](?:[a-zA-Z0-9:_.@*?-]|\\\\x[0-9a-f]{2})*\\.(?:${types}|\\*)$`),
    'expected a unit with its type, like "caddy.service", or a glob like "wg-quick@*.service"',
  ),
);

export const systemdOptions = v.strictObject({
  units: v.pipe(
    v.optional(v.array(glob), []),
    v.description("Units that Medic heals, exact or globs. It touches no unit that is not listed here."),
  ),
});
export type SystemdOptions = v.InferOutput<typeof systemdOptions>;
