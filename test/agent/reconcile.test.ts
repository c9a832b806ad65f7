import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unjudgedFix } from "../../core/incident/incident.ts";
import * as v from "valibot";
import { call, definePlugin, diagnostic, fix, type Unavailable } from "../../core/plugin/contract.ts";
import { kinds, never, timed, toyAgent } from "../support/agent.ts";
import { lampOn, lampStatus, toyPlugin, transportError } from "../support/toy.ts";

const on = { tool: "lamp_on", input: { name: "lamp" } };
const twoSteps = { tool: "lamp_pair", input: {} };

/** Two lamps switched on one after the other, judged by the first. */
const lampPair = fix({
  name: "lamp_pair",
  description: "Switches two lamps on.",
  risk: "disruptive",
  input: v.strictObject({}),
  watch: () => ({ lamp: call(lampStatus, { name: "lamp" }) }),
  *plan() {
    yield* [];
    const step = (name: string) => ["root", "lamp", "on", name] as const;
    return { steps: [step("lamp"), step("hall")], touches: ["lamp", "hall"] };
  },
  marker: ({ lamp }) => lamp.run,
  healthy: ({ lamp }) => lamp.on,
  withinSeconds: 20,
  stableSeconds: 5,
});

type Agent = ReturnType<typeof toyAgent>;

/**
 * An agent whose dispatches lose their answers. `before` happens on the host in place of each; `later` whenever the host
 * is asked after that, with the seconds since.
 */
function losing(
  before: (agent: Agent, claim: string, name: string) => void,
  later: (agent: Agent, seconds: number) => void = () => undefined,
  tools: readonly (typeof lampOn)[] = [lampOn],
) {
  const plugin = definePlugin({ ...toyPlugin, tools: [lampStatus, lampPair, ...tools] });
  const agent = toyAgent({ plugins: [plugin] });
  agent.host.lamps.set("hall", { on: false, run: 1 });
  let lostAt: number | undefined;
  agent.host.intercept = (argv, { claim }) => {
    if (claim === undefined) {
      if (lostAt !== undefined) later(agent, (agent.clock.now() - lostAt) / 1000);
      return undefined;
    }
    lostAt ??= agent.clock.now();
    before(agent, claim, argv.at(-1) ?? "");
    throw transportError("ConnectionLost", true);
  };
  const toolbox = agent.toolboxFor(agent.errand);
  const tool = async (which: typeof on | typeof twoSteps = on) => {
    const [outcome] = await toolbox.turn([which], never);
    assert.ok(outcome?.kind === "fix");
    const judged = agent.events.findLast((event) => event.kind === "fix-judged");
    const dispatched = agent.events.findLast((event) => event.kind === "fix-dispatched");
    return { ...outcome, facts: judged?.facts, dispatch: dispatched?.dispatch };
  };
  return { ...agent, tool };
}

/** The lamp is switched on by a dispatch that took its claim. */
const works = ({ host }: Agent, claim: string, name: string): void => {
  host.take(claim);
  host.lamps.set(name, { on: true, run: 2 });
};

describe("a fix whose answer is lost", () => {
  it("never began when Medic gets its claim, and the dispatch that arrives late finds it taken", async () => {
    const claims: string[] = [];
    const { tool, host, clock } = losing((_agent, claim) => void claims.push(claim));
    const { outcome, facts, dispatch, why } = await tool();
    assert.deepEqual([outcome, dispatch?.is, facts?.began], ["failed", "not-applied", "no"]);
    assert.match(why, /nothing ran.*never will/);
    assert.throws(() => host.take(claims[0] ?? ""), /ClaimTaken/);
    assert.ok(clock.now() - Date.parse("2026-11-23T12:00:00Z") < 5000, "waited for what cannot happen any more");
  });

  it("is applied when its claim is taken and the marker moves, however late that shows", async () => {
    for (const lateSeconds of [0, 30]) {
      const { tool, host } = losing(
        (agent, claim) => agent.host.take(claim),
        (agent, seconds) => void (seconds >= lateSeconds && agent.host.lamps.set("lamp", { on: true, run: 2 })),
      );
      const { outcome, facts, dispatch } = await tool();
      assert.deepEqual([outcome, dispatch?.is], ["fixed", "applied"], `${lateSeconds} s late`);
      assert.deepEqual(facts, { began: "yes", changed: "yes", healthy: "yes" });
      assert.equal(host.count("on"), 1);
    }
  });

  it("is unknown when its claim is taken and nothing changes for as long as it could settle", async () => {
    const { tool, host } = losing((agent, claim) => agent.host.take(claim));
    const { outcome, facts, dispatch, why } = await tool();
    assert.deepEqual([outcome, dispatch?.is], ["unknown", "unknown"]);
    assert.deepEqual(facts, { began: "yes", changed: "no", healthy: "no" });
    assert.match(why, /had begun, and changed nothing that shows within 60 s/);
    assert.equal((await tool()).outcome, "refused");
    assert.equal(host.count("on"), 1);
  });

  it("is waited for while its process is there or its tool says that it is pending, beyond the time to settle", async () => {
    const patient = { ...lampOn, pending: ({ lamp }: { lamp: { note?: string } }) => lamp.note === "switching" };
    const process = (host: Agent["host"], isThere: boolean): void => void (host.isRunning = isThere);
    const note = (host: Agent["host"], isThere: boolean): void =>
      void host.lamps.set("lamp", { on: false, run: 1, ...(isThere ? { note: "switching" } : {}) });
    for (const [fix, show] of [[lampOn, process] as const, [patient as typeof lampOn, note] as const]) {
      const { tool } = losing(
        (agent, claim) => agent.host.take(claim),
        (agent, seconds) => {
          show(agent.host, seconds < 200);
          if (seconds >= 200) agent.host.lamps.set("lamp", { on: true, run: 2 });
        },
        [fix],
      );
      assert.equal((await tool()).outcome, "fixed");
    }
  });

  it("is waited for while what the host noted since it began says that it is at work on it, beyond the time to settle", async () => {
    const noted = diagnostic({
      name: "lamp_noted",
      description: "What happened to the lamp lately.",
      input: v.strictObject({ seconds: v.number() }),
      command: ({ seconds }) => ["lamp", "noted", String(seconds)],
      parse: ({ stdout }) => ({ isAtWork: stdout === "at work" }),
    });
    const asked: number[] = [];
    const traced = {
      ...lampOn,
      traces: (_input: object, _options: object, seconds: number) => ({ noted: call(noted, { seconds }) }),
      pending: (_now: object, traces: { noted: { isAtWork: boolean } | Unavailable }) =>
        "isAtWork" in traces.noted && traces.noted.isAtWork,
    };
    const { tool, host, clock } = losing(
      (agent, claim) => agent.host.take(claim),
      (agent, seconds) => void (seconds >= 200 && agent.host.lamps.set("lamp", { on: true, run: 2 })),
      [traced, noted] as unknown as (typeof lampOn)[],
    );
    const began = clock.now();
    const lose = host.intercept;
    host.intercept = (argv, how) => {
      if (argv[1] !== "noted") return lose(argv, how);
      asked.push(Number(argv[2]) - (clock.now() - began) / 1000);
      const isAtWork = clock.now() - began < 200_000;
      return { exit: 0, stdout: isAtWork ? "at work" : "", stderr: "", cutBytes: 0 };
    };
    assert.equal((await tool()).outcome, "fixed");
    // From the intent on, whenever it is asked: not less, and hardly more.
    assert.ok(asked.length > 3 && asked.every((more) => more >= 1 && more <= 2), asked.join(" "));
  });

  it("is judged by verification alone when the host has booted since", async () => {
    for (const [isOn, expected] of [[true, "recovered"] as const, [false, "not-fixed"] as const]) {
      const { tool } = losing((agent, claim) => {
        agent.host.take(claim);
        agent.host.machine.boot = "boot-2";
        agent.host.lamps.set("lamp", { on: isOn, run: 7 });
      });
      const { outcome, dispatch, facts } = await tool();
      assert.deepEqual([outcome, dispatch?.is, facts?.began], [expected, "rebooted", "unknown"]);
    }
  });

  it("is unknown when the folder of its claims is gone, and recovered when the service is well then", async () => {
    for (const [isOn, expected] of [[false, "unknown"] as const, [true, "recovered"] as const]) {
      const { tool } = losing((agent) => {
        agent.host.claims.clear();
        agent.host.lamps.set("lamp", { on: isOn, run: isOn ? 2 : 1 });
      });
      assert.equal((await tool()).outcome, expected);
    }
  });

  it("is asked about until the host can be reached again, and unknown when it cannot within limits.incident", async () => {
    for (const [awaySeconds, expected] of [[300, "failed"] as const, [9000, "unverified"] as const]) {
      const { tool, host, clock } = losing(() => undefined);
      const lose = host.intercept;
      let awayUntil = Infinity;
      host.intercept = (argv, how) => {
        if (how.claim !== undefined) awayUntil = clock.now() + awaySeconds * 1000;
        else if (awayUntil !== Infinity && clock.now() < awayUntil) throw transportError("DialFailed", false);
        return lose(argv, how);
      };
      assert.equal((await tool()).outcome, expected);
    }
  });

  it("is unknown when another machine answers in the host's place", async () => {
    const { tool } = losing((agent) => void (agent.host.machine.id = "impostor"));
    const { outcome, dispatch } = await tool();
    assert.equal(outcome, "unknown");
    assert.match(JSON.stringify(dispatch), /not the machine it was/);
  });

  it("is asked about again while its disk is full: what cannot be claimed now may begin later", async () => {
    const { tool, host } = losing(
      (agent) => void (agent.host.machine.isFull = true),
      (agent, seconds) => void (agent.host.machine.isFull = seconds < 100),
    );
    assert.equal((await tool()).dispatch?.is, "not-applied");
    assert.ok(host.commands.filter(({ how }) => how.tool === "claims_take").length > 3);
  });
});

describe("a fix of two steps whose answer is lost", () => {
  const begun = (dispatch: object | undefined) => (dispatch !== undefined && "steps" in dispatch ? dispatch.steps : 0);

  it("in the first never sends the second, and counts as applied no further than its claims tell", async () => {
    const { tool, host } = losing(works);
    const { outcome, dispatch } = await tool(twoSteps);
    assert.deepEqual([outcome, dispatch?.is, begun(dispatch)], ["recovered", "applied", 1]);
    assert.equal(host.count("hall"), 0);
  });

  it("in the second, which ran, is applied whole; which never began, is applied up to the first", async () => {
    for (const [ran, expected] of [[true, "fixed"] as const, [false, "recovered"] as const]) {
      const agent = losing(() => undefined);
      agent.host.intercept = (argv, { claim }) => {
        if (claim === undefined || argv.at(-1) !== "hall") return undefined;
        if (ran) works(agent, claim, "hall");
        throw transportError("ConnectionLost", true);
      };
      const { outcome, dispatch } = await agent.tool(twoSteps);
      assert.deepEqual([outcome, begun(dispatch)], [expected, ran ? 2 : 1]);
      assert.equal(agent.host.count("hall"), 1);
    }
  });
});

describe("a fix whose command was killed on the host", () => {
  const exit = (status: number, meanwhile: (agent: Agent, claim: string) => void = () => undefined) => {
    const agent = losing(() => undefined);
    agent.host.intercept = (_argv, { claim }) => {
      if (claim === undefined) return undefined;
      agent.host.take(claim);
      meanwhile(agent, claim);
      return { exit: status, stdout: "", stderr: "no", cutBytes: 0 };
    };
    return agent;
  };

  it("may be at work still: it is reconciled and not run again, whereas what exited by itself has failed", async () => {
    for (const status of [129, 137, 143]) {
      const killed = exit(status);
      const { outcome, dispatch, why } = await killed.tool();
      assert.deepEqual([outcome, dispatch?.is], ["unknown", "unknown"]);
      assert.match(why, new RegExp(`exit ${status}`));
      assert.equal((await killed.tool()).outcome, "refused");
      assert.equal(killed.host.count("on"), 1);
      assert.equal(killed.host.claims.size, 2);
    }
    for (const status of [1, 128]) {
      const failed = exit(status);
      assert.deepEqual([(await failed.tool()).outcome, failed.host.claims.size], ["failed", 0]);
    }
  });

  it("is fixed when what it asked for goes on to its end without it", async () => {
    const { tool } = exit(137, ({ host }) => host.lamps.set("lamp", { on: true, run: 2 }));
    const { outcome, dispatch } = await tool();
    assert.deepEqual([outcome, dispatch?.is], ["fixed", "applied"]);
  });
});

describe("the claims of a fix", () => {
  it("go when every step was answered, and stay when one was not", async () => {
    const answered = toyAgent();
    await answered.toolboxFor(answered.errand).turn([on], never);
    assert.deepEqual([...answered.host.claims], []);
    const { tool, host } = losing(works);
    await tool();
    assert.equal(host.claims.size, 2);
  });

  it("that cannot be made on a full disk refuse the fix; a disk that fills up later lets nothing run", async () => {
    const full = toyAgent();
    full.host.machine.isFull = true;
    const [refused] = await full.toolboxFor(full.errand).turn([on], never);
    assert.match(JSON.stringify(refused), /refused.*full or read-only/);
    assert.ok(!kinds(full.events).includes("fix-started"));

    const later = toyAgent();
    later.host.intercept = (_argv, { claim }) => {
      if (claim !== undefined) later.host.machine.isFull = true;
      return undefined;
    };
    const [failed] = await later.toolboxFor(later.errand).turn([on], never);
    assert.match(JSON.stringify(failed), /failed.*nothing ran/);
    assert.equal(later.host.lamps.get("lamp")?.on, false);
  });
});

describe("a fix on a service that somebody else changed just before", () => {
  it("is not begun and is no attempt: the responder looks again", async () => {
    const agent = toyAgent();
    let looks = 0;
    agent.host.intercept = (argv) => {
      if (argv[1] === "status" && ++looks === 2) agent.host.lamps.set("lamp", { on: false, run: 2 });
      return undefined;
    };
    const tools = agent.toolboxFor(agent.errand);
    const [overtaken] = await tools.turn([on], never);
    assert.ok(overtaken?.kind === "fix" && overtaken.outcome === "refused" && overtaken.lookAgain === true);
    assert.deepEqual(tools.attempts, []);
    assert.deepEqual(kinds(agent.events), ["diagnosed", "fix-overtaken"]);
    assert.deepEqual([...agent.host.claims], []);
    assert.equal((await tools.turn([on], never))[0]?.outcome, "fixed");
  });
});

describe("a host behind a name", () => {
  const machineOf = (agent: Agent) => agent.events.find((event) => event.kind === "fix-started")?.identity ?? {};

  it("is recorded with the intent, and trusted for the next fix as long as it is the same", async () => {
    const first = toyAgent();
    first.parts.identities = { ...first.parts.identities, hostKey: () => "SHA256:a" };
    await first.toolboxFor(first.errand).turn([on], never);
    const recorded = machineOf(first);
    assert.equal(recorded.hostKey, "SHA256:a");
    assert.match(recorded.machine ?? "", /^[0-9a-f]{32}$/);
    for (const [now, pinned, isFixed] of [
      ["SHA256:a", undefined, true],
      ["SHA256:b", undefined, false],
      ["SHA256:b", "SHA256:b", true],
    ] as const) {
      const next = toyAgent();
      next.parts.identities = { hostKey: () => now, pinned: () => pinned, recorded: () => recorded };
      const [outcome] = await next.toolboxFor(next.errand).turn([on], never);
      assert.equal(outcome?.outcome, isFixed ? "fixed" : "refused");
      if (!isFixed) assert.match(JSON.stringify(outcome), /its host key is SHA256:b.*medic accept toy-host/);
      assert.equal(next.host.count("on"), isFixed ? 1 : 0);
    }
  });

  it("gets no fix when its machine id is another one, also under a pinned key", async () => {
    const agent = toyAgent();
    const recorded = { hostKey: "SHA256:a", machine: "0".repeat(32) };
    agent.parts.identities = { hostKey: () => "SHA256:a", pinned: () => "SHA256:a", recorded: () => recorded };
    const [outcome] = await agent.toolboxFor(agent.errand).turn([on], never);
    assert.match(JSON.stringify(outcome), /refused.*machine-id/);
    assert.equal(agent.host.count("on"), 0);
  });
});

describe("a fix that another process left", () => {
  const left = (agent: Agent) => {
    const fix = unjudgedFix(timed(agent));
    assert.ok(fix !== undefined);
    return fix;
  };

  it("before it left Medic never runs; after it left it is followed to its verdict; no step is sent again", async () => {
    for (const [ran, expected] of [[false, "failed"] as const, [true, "fixed"] as const]) {
      const agent = toyAgent();
      const killed = (): never => {
        throw new Error("killed");
      };
      const dying = { ...agent.errand, record: (event: Parameters<typeof agent.errand.record>[0]) => {
        if (event.kind === "fix-dispatched") killed();
        agent.events.push(event);
      } }; // prettier-ignore
      if (!ran) agent.host.intercept = (_argv, { claim }) => (claim === undefined ? undefined : killed());
      await assert.rejects(agent.toolboxFor(dying).turn([on], never), /killed/);
      agent.host.intercept = () => undefined;
      const commands = agent.host.count("on");
      const ended = await agent.toolboxFor(agent.errand).takeUp(left(agent), never);
      assert.equal(ended.outcome, expected, ended.why);
      assert.equal(agent.host.count("on"), commands);
    }
  });

  it("while it was verified is verified on, by the run that the intent names", async () => {
    const agent = toyAgent();
    const dying = { ...agent.errand, record: (event: Parameters<typeof agent.errand.record>[0]) => {
      if (event.kind === "fix-judged") throw new Error("killed");
      agent.events.push(event);
    } }; // prettier-ignore
    await assert.rejects(agent.toolboxFor(dying).turn([on], never), /killed/);
    const ended = await agent.toolboxFor(agent.errand).takeUp(left(agent), never);
    assert.equal(ended.outcome, "fixed");
    assert.deepEqual(kinds(agent.events).slice(-2), ["fix-dispatched", "fix-judged"]);
    assert.equal(agent.host.count("on"), 1);
  });

  it("is unknown when the plugin that ran it is gone", async () => {
    const agent = toyAgent();
    await agent.toolboxFor(agent.errand).turn([on], never);
    const events = timed(agent).filter(({ kind }) => kind === "fix-started");
    const without = toyAgent({ plugins: [definePlugin({ ...toyPlugin, tools: [lampStatus], runbooks: [] })] });
    const fix = unjudgedFix(events);
    assert.ok(fix !== undefined);
    const ended = await without.toolboxFor(without.errand).takeUp(fix, never);
    assert.equal(ended.outcome, "unknown");
    assert.match(ended.why, /no tool is called "lamp_on"/);
    assert.deepEqual(without.host.commands, []);
  });
});
