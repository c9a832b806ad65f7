// The lab itself: is each of its hosts what a real one is? Needs `npm run lab -- up --yes`.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { inHost, operatorSsh, readLab, sshdCounts } from "../../scripts/lab/lab.ts";
import { run, until } from "../../scripts/lab/process.ts";

const lab = readLab();
const names = lab.hosts.map(({ name }) => name);
const host = names.at(-1) ?? "vega";
const asMedic = (command: string) => inHost(host, ["su", "medic", "-c", command]);
const address = lab.hosts.at(-1)?.address ?? "";
// What a person does who starts Scrypted twice.
const secondScrypted = `docker run --rm --network host --log-driver json-file -e SCRYPTED_SERVER_ADDRESS=${address} \
  -v /home/operator/.scrypted/volume:/server/volume ghcr.io/koush/scrypted`;

describe("a lab host", () => {
  it("has an identity, a systemd and a Docker of its own", async () => {
    const answers = await Promise.all(
      names.map((name) =>
        inHost(name, ["sh", "-c", "hostname; cat /etc/machine-id /proc/1/comm; docker info -f '{{.Name}}'"]),
      ),
    );
    for (const [index, { stdout }] of answers.entries()) {
      const { name, machineId } = lab.hosts[index]!;
      assert.equal(stdout, `${name}\n${machineId}\nsystemd\n${name}\n`);
    }
  });

  it("shows nothing of this machine's own people and folders", async () => {
    const look = "ls /home; ls -A / | grep -vE '^(lib.*|lost.found)$'; ls -A /usr/local";
    const { stdout } = await inHost(host, ["sh", "-c", look]);
    const debian = "bin boot dev etc home media mnt opt proc root run sbin srv sys tmp usr var";
    assert.deepEqual(stdout.trim().split("\n"), ["medic", "operator", ...debian.split(" "), "lib"]);
  });

  it("lets Medic restart what it may by sudo, and nothing else", async () => {
    const restart = (units: string) => asMedic(`sudo -n systemctl restart -- ${units}`);
    assert.equal((await restart("lab-null.service")).exit, 0);
    for (const units of ["ssh.service", "lab-null.service ssh.service", "lab-null.service --now"]) {
      assert.match((await restart(units)).stderr, /a password is required/, units);
    }
    assert.equal((await asMedic("sudo -n timeout -s KILL 20 docker ps")).exit, 0);
    assert.match((await asMedic("sudo -n timeout -s KILL 20 sh -c 'docker ps'")).stderr, /a password is required/);
  });

  it("has OpenSSH's own limits", async () => {
    const { stdout } = await inHost(host, ["sshd", "-T"]);
    assert.match(stdout, /^maxsessions 10$/m);
    assert.match(stdout, /^maxstartups 10:30:100$/m);
  });

  it("counts a login of the operator as the operator's, not as Medic's", async () => {
    const { cursor } = await sshdCounts(host);
    assert.equal((await operatorSsh(host, "exit 7")).exit, 7);
    const count = async (key: string) => {
      const { accepted, sessions } = await sshdCounts(host, { key, since: cursor });
      return [accepted, sessions];
    };
    assert.deepEqual(await count(lab.keys.operator.fingerprint), [1, 1]);
    assert.deepEqual(await count(lab.keys.medic.fingerprint), [0, 0]);
  });

  it("refuses a login with a key of nobody's", async () => {
    const { address, port } = lab.hosts.at(-1)!;
    const options = ["-o", "BatchMode=yes", "-o", `UserKnownHostsFile=${lab.knownHosts}`, "-o", "IdentitiesOnly=yes"];
    const stranger = `${lab.folder}/keys/${host}_host_ed25519`;
    const login = [
      "ssh",
      "-F",
      "/dev/null",
      "-i",
      stranger,
      "-p",
      String(port),
      ...options,
      `medic@${address}`,
      "true",
    ];
    assert.match((await run(login as unknown as [string, ...string[]])).stderr, /Permission denied/);
  });
});

describe("the lab's Scrypted", () => {
  it("answers /login, and tells no logs", async () => {
    const url = `${lab.hosts.at(-1)?.scrypted}/login`;
    assert.match((await inHost(host, ["curl", "-sk", url])).stdout, /"hasLogin":true/);
    assert.match((await inHost(host, ["docker", "logs", "scrypted"])).stderr, /does not support reading/);
  });

  it("runs a process for each plugin", async () => {
    const { stdout } = await inHost(host, ["docker", "top", "scrypted", "-o", "pid,args"]);
    assert.match(stdout, /node \/server\/\S+ child @scrypted\/core$/m);
  });

  it("does not let a second one have its database, and itself goes on", async () => {
    const second = await inHost(host, ["sh", "-c", secondScrypted]);
    assert.equal(second.exit, 1);
    assert.match(
      second.stderr,
      /^Failed to listen on port 10081\. It may be in use\.\nfatal error NotOpenError: Database failed/,
    );
    assert.match(second.stderr, /LEVEL_LOCKED/);
    const { stdout } = await inHost(host, [
      "docker",
      "inspect",
      "-f",
      "{{.State.Status}} {{.RestartCount}}",
      "scrypted",
    ]);
    assert.equal(stdout.split(" ")[0], "running");
  });

  it("gets sick and well again as it is told", async () => {
    const volume = "/home/operator/.scrypted/volume";
    const status = async () =>
      (
        await inHost(host, [
          "curl",
          "-skm1",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code}",
          `${lab.hosts.at(-1)?.scrypted}/login`,
        ])
      ).stdout;
    for (const [file, seen] of [
      ["sick", "500"],
      ["hang", "000"],
    ] as const) {
      await inHost(host, ["touch", `${volume}/${file}`]);
      try {
        assert.equal(await status(), seen);
      } finally {
        await inHost(host, ["rm", `${volume}/${file}`]);
      }
      assert.equal(await status(), "200");
    }
  });
});

describe("the lab's monitors", () => {
  it(
    "tell Medic, with its token, that a stopped container is down, and that it is back",
    { timeout: 60_000 },
    async () => {
      type Alert = { status: string; labels: Record<string, string> };
      const posts: { authorization: string | undefined; alerts: Alert[] }[] = [];
      const receive = async (request: IncomingMessage, response: ServerResponse) => {
        const { alerts } = JSON.parse(await text(request)) as { alerts: Alert[] };
        posts.push({ authorization: request.headers.authorization, alerts });
        response.end();
      };
      const medic = createServer((request, response) => void receive(request, response));
      medic.listen(Number(new URL(lab.webhookUrl).port), "127.0.0.1");
      await once(medic, "listening");
      const told = (status: string) =>
        posts.flatMap(({ alerts }) => alerts).find((alert) => alert.status === status && alert.labels["host"] === host);
      try {
        assert.equal((await operatorSsh(host, "docker stop scrypted")).exit, 0);
        const stopped = Date.now();
        assert.ok(await until(() => told("firing") !== undefined, 20), "no alert within 20 s");
        assert.ok(Date.now() - stopped < 10_000, `the alert took ${Date.now() - stopped} ms`);
        await inHost(host, ["docker", "start", "scrypted"]);
        assert.ok(await until(() => told("resolved") !== undefined, 20), "no end of the alert within 20 s");
        const labels = told("firing")?.labels;
        assert.deepEqual([labels?.["alertname"], labels?.["service"]], ["ScryptedDown", "scrypted"]);
        assert.ok(posts.every(({ authorization }) => authorization === `Bearer ${lab.token}`));
      } finally {
        await inHost(host, ["docker", "start", "scrypted"]);
        medic.close();
        medic.closeAllConnections();
      }
    },
  );
});
