// The seccomp filter of secure jobs in the kernel's format: a classic BPF program, which bwrap reads from a descriptor
// (seccomp(2), linux/filter.h; ADR 0016).

import { type Architecture, newestCall, refusedCalls, weighedCalls } from './seccomp-calls.ts';

/**
 * The version of the filter, which each run shows. It must change whenever the BPF program changes; a test checks this.
 */
export const seccompVersion = 1;

/** Returns undefined if there is no table of calls for this kind of machine. Such a machine has no profile `secure`. */
export function seccompFilter(machine: string): Buffer | undefined {
  if (machine !== 'x64' && machine !== 'arm64') return undefined;
  encoded[machine] ??= encode(program(machine));
  return encoded[machine];
}

const encoded: Partial<Record<Architecture, Buffer>> = {};

/** `ifTrue` and `ifFalse` are the number of instructions to skip. */
type Instruction = { readonly code: number; readonly ifTrue: number; readonly ifFalse: number; readonly k: number };
type Block = readonly Instruction[];

const auditArch = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const mostJump = 255;

const code = { load: 0x20, jumpEqual: 0x15, jumpAtLeast: 0x35, jumpAnySet: 0x45, end: 0x06 } as const;
const [callOffset, archOffset, argumentsOffset] = [0, 4, 16] as const;

const allow = verdict(0x7fff0000);
const endProcess = verdict(0x80000000);
const denied = errno(1);
const unknown = errno(38);
const noSuchFamily = errno(97);

/**
 * The flags CLONE_NEWNS, …CGROUP, …UTS, …IPC, …USER, …PID and …NET. CLONE_NEWTIME exists only for `unshare`, because
 * `clone` has the number of a signal in these bits.
 */
const newNamespaces = 0x7e020000;
const newTimeNamespace = 0x80;
/** The allowed personalities: Linux, and its UNAME26 and 32-bit variants. 0xffffffff only asks for the present one. */
const personalities = [0, 0x8, 0x20000, 0x20008, 0xffffffff];
const [tiocsti, tioclinux] = [0x5412, 0x541c] as const;
const [unix, inet, inet6, netlink, netlinkRoute] = [1, 2, 10, 16, 0] as const;

const family: Block = [
  load(argument(0)),
  ...[unix, inet, inet6].map((domain, at) => jump(code.jumpEqual, domain, 6 - at, 0)),
  jump(code.jumpEqual, netlink, 0, 2),
  load(argument(2)),
  jump(code.jumpEqual, netlinkRoute, 1, 0),
  noSuchFamily,
  allow,
];

const weighed: Readonly<Record<keyof typeof weighedCalls, Block>> = {
  clone: unlessAnySet(argument(0), newNamespaces),
  clone3: [unknown],
  unshare: unlessAnySet(argument(0), newNamespaces | newTimeNamespace),
  personality: oneOf(argument(0), personalities, allow, denied),
  ioctl: oneOf(argument(1), [tiocsti, tioclinux], denied, allow),
  socket: family,
  socketpair: family,
};

function program(machine: Architecture): Block {
  const blocks = new Map<number, Block>();
  const put = (number: number | null, block: Block): unknown => number !== null && blocks.set(number, block);
  for (const call of Object.values(refusedCalls)) put(call[machine], [denied]);
  put(weighedCalls.clone[machine], weighed.clone);
  put(weighedCalls.clone3[machine], weighed.clone3);
  put(weighedCalls.unshare[machine], weighed.unshare);
  put(weighedCalls.personality[machine], weighed.personality);
  put(weighedCalls.ioctl[machine], weighed.ioctl);
  put(weighedCalls.socket[machine], weighed.socket);
  put(weighedCalls.socketpair[machine], weighed.socketpair);
  return [
    load(archOffset),
    jump(code.jumpEqual, auditArch[machine], 1, 0),
    endProcess,
    load(callOffset),
    ...search(ranges(blocks)),
  ];
}

/** The instructions for the calls from the number `from` on, up to the next range. */
type Range = { readonly from: number; readonly block: Block };

function ranges(blocks: ReadonlyMap<number, Block>): Range[] {
  const all: Range[] = [];
  for (let number = 0; number <= newestCall; number++) {
    const block = blocks.get(number) ?? [allow];
    const last = all.at(-1)?.block;
    const isSame = block.length === 1 && last?.length === 1 && last[0]?.k === block[0]?.k;
    if (!isSame) all.push({ from: number, block });
  }
  return [...all, { from: newestCall + 1, block: [unknown] }];
}

/**
 * Builds a binary search for the number of the call. When the filter is set, the kernel tries it with every call, so a
 * shorter search saves time at each start.
 */
function search(sorted: readonly Range[]): Block {
  const middle = sorted[sorted.length >> 1];
  if (!middle || sorted.length === 1) return sorted[0]?.block ?? [];
  const below = search(sorted.slice(0, sorted.length >> 1));
  if (below.length > mostJump) throw new Error('a jump in the seccomp filter is too long');
  return [jump(code.jumpAtLeast, middle.from, below.length, 0), ...below, ...search(sorted.slice(sorted.length >> 1))];
}

function unlessAnySet(offset: number, bits: number): Block {
  return [load(offset), jump(code.jumpAnySet, bits, 0, 1), denied, allow];
}

function oneOf(offset: number, values: readonly number[], ifOne: Instruction, otherwise: Instruction): Block {
  const tests = values.map((value, at) => jump(code.jumpEqual, value, values.length - at, 0));
  return [load(offset), ...tests, otherwise, ifOne];
}

/**
 * Returns the offset of the lower half of an argument on a little-endian machine. The kernel ignores the upper half of
 * the arguments that are checked.
 */
function argument(index: number): number {
  return argumentsOffset + 8 * index;
}

function load(offset: number): Instruction {
  return { code: code.load, ifTrue: 0, ifFalse: 0, k: offset };
}

function jump(test: number, k: number, ifTrue: number, ifFalse: number): Instruction {
  return { code: test, ifTrue, ifFalse, k };
}

function verdict(k: number): Instruction {
  return { code: code.end, ifTrue: 0, ifFalse: 0, k };
}

function errno(number: number): Instruction {
  return verdict(0x00050000 + number);
}

function encode(block: Block): Buffer {
  const bytes = Buffer.alloc(8 * block.length);
  for (const [at, { code, ifTrue, ifFalse, k }] of block.entries()) {
    bytes.writeUInt16LE(code, 8 * at);
    bytes.writeUInt8(ifTrue, 8 * at + 2);
    bytes.writeUInt8(ifFalse, 8 * at + 3);
    bytes.writeUInt32LE(k, 8 * at + 4);
  }
  return bytes;
}
