// What a link needs of a connection, whether it is SSH or this machine's own shell. One slot of the connection carries
// one command; the slot is free again only when the other side has let go of it.
import type { Duplex } from "node:stream";
import type { NewestBytes } from "./output.ts";

export type Connection = {
  readonly address: string;
  /** The host key's, `SHA256:…`; absent where there is none. */
  readonly fingerprint?: string;
  /** What this kind of server is known to bear at once, where that is less than usual. */
  readonly channelsMax?: number;
  /** Channels may be opened ahead of their commands and wait. */
  readonly opensAhead?: boolean;
  /** Asks for a channel and sends no command. Rejects with OpenRefused (nothing ran) or LinkLost. */
  open(): Promise<Channel>;
  /**
   * A stream to another machine as this host reaches it (`ProxyJump`); it takes no slot. Absent where there is none.
   * Rejects with OpenRefused or LinkLost.
   */
  forward?(address: string, port: number): Promise<Duplex>;
  /** Resolves when the other end has answered a question that asks for nothing. Absent where there is nobody to ask. */
  probe?(): Promise<void>;
  /** Grows with everything that comes from the other end. */
  heard?(): number;
  /** Says goodbye. Commands that still run on the host go on. */
  end(): void;
  /** Ends at once what no longer answers. Commands that still run on the host go on. */
  cut?(): void;
  /** Resolves once, when the connection is gone. */
  readonly gone: Promise<{ reason: "lost" | "ended"; why: string }>;
};

export type Channel = {
  /**
   * Sends the command and resolves when the channel has closed. Rejects with OpenRefused when nothing ran, or with
   * LinkLost when nobody knows how it ended.
   */
  exec(line: string, output: Output): Promise<number>;
  /** The exit, from the moment the host has told it, although output may still come. */
  readonly exit: number | undefined;
  /** Ends the command on the host, its whole process group, at once; then the channel. */
  kill(): void;
  /** Gives up a channel on which nothing was sent. */
  close(): void;
  /** Resolves when the other side has let go of the slot. Never rejects. */
  readonly released: Promise<void>;
};

export type Output = { stdout: NewestBytes; stderr: NewestBytes };
