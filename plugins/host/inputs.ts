// What may be said to the host tools, and what hosts.yaml may say. Every name starts with a letter or digit, so that no
// flag is ever a name.
import * as v from "valibot";

export const port = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.maxValue(65_535),
  v.description("A port, 1 to 65535."),
);

const label = "[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?";

export const hostName = v.pipe(
  v.string(),
  v.maxLength(253, "a name has at most 253 characters"),
  v.regex(new RegExp(`^${label}(?:\\.${label})*\\.?$`), 'expected a name like "nas.lan"'),
  v.description("A host's name, like nas.lan."),
);

export const address = v.pipe(
  v.string(),
  v.maxLength(253, "an address has at most 253 characters"),
  v.description("A name or an IP address."),
  v.check(
    (text) => v.is(hostName, text) || v.is(ipv6, text),
    'expected a name or an address, like "nas.lan", "192.0.2.11" or "2001:db8::1"',
  ),
);
const ipv6 = v.pipe(v.string(), v.regex(/^[0-9a-fA-F:][0-9a-fA-F:.]{1,44}$/), v.ipv6());

export const lines = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(1),
  v.maxValue(500, "at most 500 lines"),
  v.description("How many lines, the newest."),
);

const folder = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(/^\/(?:[\w.@+-]+\/?)+$/, 'expected a folder like "/var/log"'),
  v.check((text) => !text.split("/").includes(".."), 'a folder has no ".." in it'),
  v.check((text) => !/^\/(?:dev|proc|sys)(?:\/|$)/.test(text), "devices and the kernel's own files are not read"),
);

export const hostOptions = v.strictObject({
  folders: v.pipe(
    v.optional(v.array(folder), ["/var/log"]),
    v.description("Folders below which host_inspect may read files (cat, tail, head, ls, stat, du)."),
  ),
});
export type HostOptions = v.InferOutput<typeof hostOptions>;
