// One session channel on the server's side: `exec`, signals, the exit status, and when sshd gives its slot back: only
// when the command has ended *and* the client's CLOSE has been processed. A client that goes away ends nothing: the
// command goes on, as it does under sshd.
import type { ServerChannel, Session } from "ssh2";

import type { Clock } from "./clock.ts";
import type { Output } from "./program.ts";

/** The exit status, or rejects when it is killed. */
export type Execute = (
  commandLine: string,
  streams: { stdout: Output; stderr: Output },
  signal: AbortSignal,
) => Promise<number>;

/** One client as the server sees it. */
export type Peer = {
  name: string;
  authenticated: boolean;
  /** Channels that sshd still has a slot for: opened, and not yet both ended and closed. */
  slots: number;
};

/** What a channel needs of its server. */
export type ChannelWorld = {
  clock: Clock;
  random: () => number;
  user: string;
  execute: Execute;
  costs: { commandMilliseconds: { least: number; most: number } };
  counts: { commands: number; overlappingMost: number };
  running: { now: number };
  killAll: AbortSignal;
  say(line: string): void;
};

class Killed extends Error {
  readonly signal: string;
  constructor(signal: string) {
    super(`killed by SIG${signal}`);
    this.signal = signal;
  }
}

export function runChannel(session: Session, peer: Peer, world: ChannelWorld): void {
  const kill = new AbortController();
  const held = { byCommand: false, byClient: true };
  const release = () => {
    if (!held.byCommand && !held.byClient) peer.slots -= 1;
  };
  session.on("close", () => {
    held.byClient = false;
    release();
  });
  session.on("eof", () => acceptSignalsAfterEof(session));
  session.on("signal", (accept: (() => void) | undefined, _reject: unknown, { name }: { name: string }) => {
    kill.abort(new Killed(name.replace(/^SIG/, "")));
    accept?.();
  });
  session.on("exec", (accept, _reject, { command }) => {
    held.byCommand = true;
    const channel = accept();
    channel.on("error", () => undefined);
    // Commands of the sandbox read no input; what comes is thrown away, so that the window stays open.
    channel.resume();
    void runCommand(command, channel, kill.signal, peer, world).finally(() => {
      held.byCommand = false;
      release();
    });
  });
}

async function runCommand(
  command: string,
  channel: ServerChannel,
  killed: AbortSignal,
  peer: Peer,
  world: ChannelWorld,
): Promise<void> {
  const { counts, costs, running } = world;
  counts.commands += 1;
  running.now += 1;
  counts.overlappingMost = Math.max(counts.overlappingMost, running.now);
  world.say(`Starting session: command for ${world.user} from ${peer.name} id ${peer.slots - 1}`);
  const signal = AbortSignal.any([killed, world.killAll]);
  let ended: number | string;
  try {
    const { least, most } = costs.commandMilliseconds;
    await world.clock.sleep(least + world.random() * (most - least), signal);
    ended = await world.execute(command, { stdout: outputOf(channel), stderr: outputOf(channel.stderr) }, signal);
  } catch (error) {
    // A killed command ends by its signal; a fault of the sandbox itself looks like a crashed shell.
    ended = error instanceof Killed ? error.signal : "ABRT";
  }
  running.now -= 1;
  world.say(`Close session: user ${world.user} from ${peer.name} id ${peer.slots - 1}`);
  if (!channel.writable) return;
  if (typeof ended === "number") channel.exit(ended);
  else channel.exit(ended);
  channel.end();
}

function outputOf(stream: { writable: boolean; write(text: string): unknown }): Output {
  return {
    write: (text) => {
      if (stream.writable && text !== "") stream.write(text);
    },
  };
}

/** ssh2's server refuses every request once standard input has ended; sshd goes on taking signals. */
function acceptSignalsAfterEof(session: Session): void {
  if ("_ending" in session) session._ending = false;
}
