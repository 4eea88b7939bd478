// Grants and mount points: a file system may begin at a granted path, below it or above it.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import type { LimitedSpec } from '../../src/exec/proc/attempt-groups.ts';
import { hostMounts } from '../../src/exec/sandbox/host-mounts.ts';
import { mountOn, testWithDisk } from '../support/small-disk.ts';
import { run, succeeded } from './sample.ts';

type View = Pick<LimitedSpec, 'profile' | 'read' | 'write'>;

/** A folder with `granted/inner` and `other`. A permissive job has a /tmp of its own, which would hide it. */
function hostFolder(): { granted: string; inner: string; other: string } {
  const host = mkdtempSync('/var/tmp/flwd-mounts-');
  onTestFinished(() => rmSync(host, { recursive: true }));
  const granted = join(host, 'granted');
  for (const path of [host, granted, join(granted, 'inner'), join(host, 'other')]) {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777);
  }
  return { granted, inner: join(granted, 'inner'), other: join(host, 'other') };
}

function mountMemory(dir: string): void {
  mountOn(dir, '-t', 'tmpfs', '-o', 'mode=777', 'flwd-test');
}

/** Reports for each folder what its file contains, and whether the job can create another file. */
async function found(view: Partial<View>, ...folders: readonly string[]): Promise<{ end: unknown; lines: unknown }> {
  for (const folder of folders) writeFileSync(join(folder, 'file'), `file of ${folder}`);
  const looks = folders.map(
    (folder) => `cat ${folder}/file; if touch ${folder}/new 2> /dev/null; then echo , written; else echo , closed; fi`,
  );
  const { end, lines } = await run(looks.join('\n'), view);
  return { end, lines };
}

const kinds = [
  { kind: 'a file system', mount: (dir: string) => mountMemory(dir) },
  { kind: 'a folder bound there', mount: (dir: string, other: string) => mountOn(dir, '--bind', other) },
  {
    kind: 'one mount over another',
    mount(dir: string, other: string): void {
      mountMemory(dir);
      mountOn(dir, '--bind', other);
    },
  },
];

describe.each(kinds)('where a granted path is $kind,', ({ mount }) => {
  testWithDisk.each(['secure', 'permissive', 'disabled'] as const)(
    'a %s job with a write grant can write there',
    async (profile) => {
      const { granted, other } = hostFolder();
      mount(granted, other);
      expect(await found({ profile, write: [granted] }, granted)).toEqual({
        end: succeeded,
        lines: [`file of ${granted}, written`],
      });
    },
  );

  testWithDisk('a job with a read grant can read there, but not write', async () => {
    const { granted, other } = hostFolder();
    mount(granted, other);
    expect(await found({ read: [granted] }, granted)).toEqual({
      end: succeeded,
      lines: [`file of ${granted}, closed`],
    });
  });

  testWithDisk('it may be inside another granted path', async () => {
    const { granted, inner, other } = hostFolder();
    mount(inner, other);
    expect(await found({ read: [inner], write: [granted] }, granted, inner)).toEqual({
      end: succeeded,
      lines: [`file of ${granted}, written`, `file of ${inner}, closed`],
    });
    expect(await found({ read: [granted], write: [inner] }, granted, inner)).toEqual({
      end: succeeded,
      lines: [`file of ${granted}, closed`, `file of ${inner}, written`],
    });
  });

  testWithDisk('a file system mounted below it can be read or written as the grant says', async () => {
    const { granted, inner, other } = hostFolder();
    mountMemory(granted);
    mkdirSync(inner);
    mount(inner, other);
    chmodSync(inner, 0o777);
    expect(await found({ read: [granted] }, granted, inner)).toEqual({
      end: succeeded,
      lines: [`file of ${granted}, closed`, `file of ${inner}, closed`],
    });
    expect(await found({ write: [granted] }, granted, inner)).toEqual({
      end: succeeded,
      lines: [`file of ${granted}, written`, `file of ${inner}, written`],
    });
  });
});

testWithDisk.each([
  { granted: '/var/lock', lines: ['of the host', 'written'] },
  { granted: '/var/lock/shared', lines: ['of the host', 'written'] },
  { granted: '/run/lock', lines: ['of the run', 'written'] },
])('a job with a write grant for $granted runs on a host where /var/lock is a folder', ({ granted, lines }) => {
  const onHost =
    'mount -t tmpfs flwd-test /var && mkdir -p /var/lock/shared && echo of the host > /var/lock/shared/file && exec bwrap "$@"';
  const inSandbox =
    'cat /var/lock/shared/file 2> /dev/null || echo of the run; touch "$0/new" && rm "$0/new" && echo written';
  const mounts = hostMounts({
    profile: 'secure',
    network: 'none',
    grants: [{ kind: 'write', path: granted }],
    masked: [],
    scratchBytes: 1024 * 1024,
  });
  const inOwnMounts = ['--mount', 'sh', '-c', onHost, 'bwrap'];
  const { stdout, stderr } = spawnSync('unshare', [...inOwnMounts, ...mounts, 'sh', '-c', inSandbox, granted], {
    encoding: 'utf8',
  });
  expect({ lines: stdout.trim().split('\n'), stderr }).toEqual({ lines, stderr: '' });
});
