// How the tests of this folder read a hosts.yaml that exists only as text.
import { parseConfig } from "../../core/config/load.ts";
import { ConfigError, type Problem } from "../../core/config/problem.ts";
import type { Config } from "../../core/config/schema.ts";

export type Around = { env?: Record<string, string>; mode?: number; secrets?: Record<string, string> };

/** The smallest host that is complete. */
export const self = "hosts: { self: { transport: local } }\n";

export function read(text: string, around: Around = {}): Config {
  return parseConfig(text, {
    file: "hosts.yaml",
    folder: "/etc/medic",
    home: "/home/ada",
    env: around.env ?? {},
    ...(around.mode === undefined ? {} : { mode: around.mode }),
    readSecret: (path) => {
      const secret = around.secrets?.[path];
      if (secret === undefined) throw new Error(`ENOENT: no such file "${path}"`);
      return secret;
    },
  }).config;
}

/** The problems of a text, empty when it is in order. */
export function problemsOf(text: string, around: Around = {}): readonly Problem[] {
  try {
    read(text, around);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** The lines a person would see. */
export function complaints(text: string, around: Around = {}): string[] {
  try {
    read(text, around);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split("\n");
    throw error;
  }
}
