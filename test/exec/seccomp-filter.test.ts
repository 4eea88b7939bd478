// The filter as the kernel reads it, for both architectures. Its effect on real jobs is tested in test/security/.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { newestCall, refusedCalls, weighedCalls } from '../../src/exec/sandbox/seccomp-calls.ts';
import { seccompFilter, seccompVersion } from '../../src/exec/sandbox/seccomp-filter.ts';

const machines = [
  { machine: 'x64', arch: 0xc000003e, foreign: 0x40000003, headers: '/usr/include/x86_64-linux-gnu/asm/unistd_64.h' },
  { machine: 'arm64', arch: 0xc00000b7, foreign: 0x40000028, headers: '/usr/include/asm-generic/unistd.h' },
] as const;

test('the version of the filter is raised whenever its program changes', () => {
  const hashes = machines.map(({ machine }) => createHash('sha256').update(filterOf(machine)).digest('hex'));
  expect([seccompVersion, ...hashes]).toEqual([
    1,
    'e2a4b3b4e1501d4a877a65aa061a00cdac0b4194594e68c6625ba7ac01549adf',
    '08c5c58512ef58837d8c98dbce17e3ebe915f4b242cadce994ee2831a98756c5',
  ]);
});

test('there is no filter for a machine whose system calls are not listed', () => {
  expect(seccompFilter('s390x')).toBeUndefined();
});

describe.each(machines)('on $machine', ({ machine, arch, foreign, headers }) => {
  const program = filterOf(machine);
  const ask = (nr: number, args: readonly number[] = []) => verdictOf(program, { nr, arch, args });
  const numbers = { ...refusedCalls, ...weighedCalls };
  const call = (name: keyof typeof numbers): number => numbers[name][machine] ?? Number.NaN;

  test('each listed call is refused, and each other call is allowed', () => {
    const refused: number[] = Object.values(refusedCalls).flatMap((entry) => entry[machine] ?? []);
    const weighed: number[] = Object.values(weighedCalls).flatMap((entry) => entry[machine] ?? []);
    for (let nr = 0; nr <= newestCall; nr++) {
      if (weighed.includes(nr)) continue;
      expect({ nr, verdict: ask(nr) }).toEqual({ nr, verdict: refused.includes(nr) ? 'EPERM' : 'allow' });
    }
  });

  test('calls newer than the list fail with ENOSYS, and calls of another architecture end the process', () => {
    for (const nr of [newestCall + 1, 1_000, 0x40000000, 0x40000000 + 59, 0xffffffff]) expect(ask(nr)).toBe('ENOSYS');
    expect(verdictOf(program, { nr: 1, arch: foreign, args: [] })).toBe('kill');
  });

  test('new namespaces are refused, threads are allowed', () => {
    const namespaces = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000];
    for (const flag of namespaces) {
      expect(ask(call('clone'), [flag | 17])).toBe('EPERM');
      expect(ask(call('unshare'), [flag])).toBe('EPERM');
    }
    expect(ask(call('unshare'), [0x80])).toBe('EPERM');
    expect(ask(call('clone'), [0x3d0f00])).toBe('allow');
    expect(ask(call('clone'), [0x1200011])).toBe('allow');
    expect(ask(call('unshare'), [0x600])).toBe('allow');
    expect(ask(call('clone3'))).toBe('ENOSYS');
  });

  test('arguments are compared only by the bits that the kernel uses', () => {
    const above = 2 ** 32;
    expect(ask(call('ioctl'), [0, 0x5412])).toBe('EPERM');
    expect(ask(call('ioctl'), [0, 0x5412 + above])).toBe('EPERM');
    expect(ask(call('ioctl'), [0, 0x541c])).toBe('EPERM');
    expect(ask(call('ioctl'), [0, 0x5413])).toBe('allow');
    expect([0, 8, 0x20000, 0x20008, 0xffffffff].map((value) => ask(call('personality'), [value]))).toEqual(
      Array.from({ length: 5 }, () => 'allow'),
    );
    expect([0x400000, 0x40000, 4].map((value) => ask(call('personality'), [value]))).toEqual([
      'EPERM',
      'EPERM',
      'EPERM',
    ]);
  });

  test('sockets may only be of the families that scripts need', () => {
    for (const name of ['socket', 'socketpair'] as const) {
      expect([1, 2, 10].map((family) => ask(call(name), [family, 3, 255]))).toEqual(['allow', 'allow', 'allow']);
      expect(ask(call(name), [16, 3, 0])).toBe('allow');
      expect([4, 9, 12, 15].map((protocol) => ask(call(name), [16, 3, protocol]))).toEqual(
        Array.from({ length: 4 }, () => 'EAFNOSUPPORT'),
      );
      expect([0, 3, 17, 30, 31, 38, 40, 44].map((family) => ask(call(name), [family, 1, 0]))).toEqual(
        Array.from({ length: 8 }, () => 'EAFNOSUPPORT'),
      );
    }
  });

  test.skipIf(!existsSync(headers))('the numbers of the calls are those in the headers of this host', () => {
    const text = readFileSync(headers, 'utf8');
    for (const [name, entry] of Object.entries(numbers)) {
      const [, number] = new RegExp(`^#define __NR(?:3264)?_${name}\\s+(\\d+)$`, 'm').exec(text) ?? [];
      // Older headers lack new calls, newer headers lack removed ones.
      if (number !== undefined) expect([name, entry[machine]]).toEqual([name, Number(number)]);
    }
    expect(text).toMatch(/__NR(3264)?_ptrace\s/);
  });
});

function filterOf(machine: string): Buffer {
  const program = seccompFilter(machine);
  if (!program) throw new Error(`no filter for ${machine}`);
  return program;
}

const verdicts: Readonly<Record<number, string>> = {
  2147418112: 'allow',
  2147483648: 'kill',
  327681: 'EPERM',
  327718: 'ENOSYS',
  327777: 'EAFNOSUPPORT',
};

/** Executes the filter as the kernel would (linux/filter.h), as far as this program needs it. */
function verdictOf(program: Buffer, call: { nr: number; arch: number; args: readonly number[] }): string {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.nr, 0);
  data.writeUInt32LE(call.arch, 4);
  for (const [at, value] of call.args.entries()) data.writeBigUInt64LE(BigInt(value), 16 + 8 * at);
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const k = program.readUInt32LE(at + 4);
    const jump = (isTrue: boolean): number => 8 * program.readUInt8(at + (isTrue ? 2 : 3));
    switch (program.readUInt16LE(at)) {
      case 0x20:
        accumulator = data.readUInt32LE(k);
        break;
      case 0x15:
        at += jump(accumulator === k);
        break;
      case 0x35:
        at += jump(accumulator >= k);
        break;
      case 0x45:
        at += jump((accumulator & k) !== 0);
        break;
      case 0x06:
        return verdicts[k] ?? `verdict ${k}`;
      default:
        throw new Error(`an instruction that it should not have, at ${at / 8}`);
    }
  }
  throw new Error('it runs past its end');
}
