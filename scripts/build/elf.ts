// Makes a program smaller by what only a debugger reads. Symbols and debug sections of an ELF file lie behind all that is
// loaded into memory, so the file is cut there. Own code, since strip is not on every machine and knows its own
// architecture only; the same bytes for the same input.
const LOAD = 1;
const at = { sections: 40, programs: 32, programSize: 54, programCount: 56, sectionCount: 60, namesIndex: 62 };

/** A 64-bit little-endian ELF program without symbols and section headers. */
export function withoutSymbols(program: Buffer): Buffer {
  if (program.readUInt32BE(0) !== 0x7f454c46 || program[4] !== 2 || program[5] !== 1) {
    throw new Error("Cannot strip the program: it is no 64-bit little-endian ELF file");
  }
  const first = Number(program.readBigUInt64LE(at.programs));
  const size = program.readUInt16LE(at.programSize);
  let end = 0;
  for (let index = 0; index < program.readUInt16LE(at.programCount); index++) {
    const header = first + index * size;
    if (program.readUInt32LE(header) !== LOAD) continue;
    end = Math.max(end, Number(program.readBigUInt64LE(header + 8) + program.readBigUInt64LE(header + 32)));
  }
  if (end === 0 || end > program.length) throw new Error("Cannot strip the program: nothing in it is loaded");
  const stripped = Buffer.from(program.subarray(0, end));
  stripped.writeBigUInt64LE(0n, at.sections);
  stripped.writeUInt16LE(0, at.sectionCount);
  stripped.writeUInt16LE(0, at.namesIndex);
  return stripped;
}
