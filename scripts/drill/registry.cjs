// A registry of one image, for drills: serves on 127.0.0.1 what `docker save` wrote into the folder that it is given, as
// far as `docker pull` asks. Runs inside a container of a lab host.
const { createHash } = require("node:crypto");
const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { join } = require("node:path");

const [folder, port] = process.argv.slice(2);
const [saved] = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8"));
const blobs = new Map();
const keep = (bytes) => {
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  blobs.set(digest, bytes);
  return { digest, size: bytes.length };
};
const type = "application/vnd.docker.distribution.manifest.v2+json";
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: type,
    config: {
      mediaType: "application/vnd.docker.container.image.v1+json",
      ...keep(readFileSync(join(folder, saved.Config))),
    },
    layers: saved.Layers.map((layer) => ({
      mediaType: "application/vnd.docker.image.rootfs.diff.tar",
      ...keep(readFileSync(join(folder, layer))),
    })),
  }),
);
const { digest } = keep(manifest);

createServer((request, response) => {
  const path = request.url ?? "/";
  const isManifest = path.includes("/manifests/");
  const bytes = isManifest ? manifest : blobs.get(path.split("/blobs/")[1]);
  const head = isManifest ? { "content-type": type, "docker-content-digest": digest } : {};
  if (path === "/v2/") response.writeHead(200).end("{}");
  else if (bytes === undefined) response.writeHead(404).end();
  else
    response
      .writeHead(200, { ...head, "content-length": bytes.length })
      .end(request.method === "HEAD" ? undefined : bytes);
}).listen(Number(port), "127.0.0.1");
