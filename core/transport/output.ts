// One stream of a command's output: the newest bytes within a bound, whatever the host sends. Memory grows with what
// arrives, up to the bound, and not with the number of chunks.

const firstBytes = 4096;

/** Keeps the newest `bytesMax` bytes and counts the older ones. */
export class NewestBytes {
  readonly #bytesMax: number;
  #ring = Buffer.alloc(0);
  #written = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  push(chunk: Uint8Array): void {
    this.#written += chunk.length;
    const fits = chunk.subarray(Math.max(0, chunk.length - this.#bytesMax));
    this.#grow(Math.min(this.#written, this.#bytesMax));
    if (this.#ring.length === 0) return;
    const from = (this.#written - fits.length) % this.#bytesMax;
    const untilEnd = Math.min(fits.length, this.#ring.length - from);
    this.#ring.set(fits.subarray(0, untilEnd), from);
    this.#ring.set(fits.subarray(untilEnd), 0);
  }

  /** The kept bytes as UTF-8, beginning at a character; `cutBytes` of older ones are gone. */
  text(): { text: string; cutBytes: number } {
    const kept = this.#inOrder();
    const start = this.#written > kept.length ? firstCharacter(kept) : 0;
    return { text: kept.toString("utf8", start), cutBytes: this.#written - kept.length + start };
  }

  // Until the ring is full it grows by doubling, so that a silent command costs nothing.
  #grow(bytes: number): void {
    if (bytes <= this.#ring.length) return;
    const bigger = Buffer.alloc(Math.min(this.#bytesMax, Math.max(firstBytes, bytes, this.#ring.length * 2)));
    bigger.set(this.#ring);
    this.#ring = bigger;
  }

  #inOrder(): Buffer {
    if (this.#written <= this.#ring.length) return this.#ring.subarray(0, this.#written);
    const oldest = this.#written % this.#bytesMax;
    return Buffer.concat([this.#ring.subarray(oldest), this.#ring.subarray(0, oldest)]);
  }
}

// A cut can fall inside a character: its continuation bytes (10xxxxxx, at most three) go too.
function firstCharacter(bytes: Uint8Array): number {
  let start = 0;
  while (start < 3 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return start;
}
