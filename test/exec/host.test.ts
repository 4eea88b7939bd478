// What a host reports that it can enforce.

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { Capabilities } from '../../src/exec/executor.ts';
import { probeHost } from '../../src/exec/host/host.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { temporaryFolder } from './sample.ts';

/** Probes a host on which the server finds only these programs, and runs as the given user. */
function probed(
  programs: Readonly<Record<string, string>>,
  { uid, env }: { readonly uid?: number; readonly env?: Readonly<Record<string, string>> } = {},
): Capabilities {
  const bin = temporaryFolder();
  for (const [name, content] of Object.entries({ bash: '/bin/bash', ...programs })) {
    if (content.startsWith('/')) symlinkSync(content, join(bin, name));
    else {
      writeFileSync(join(bin, name), content);
      chmodSync(join(bin, name), 0o755);
    }
  }
  const host = join(import.meta.dirname, '..', '..', 'src', 'exec', 'host', 'host.ts');
  const script = `const { probeHost } = await import(${JSON.stringify(host)}); console.log(JSON.stringify(await probeHost()));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { PATH: bin, ...env },
    encoding: 'utf8',
    cwd: '/',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  if (stdout === '') throw new Error(stderr);
  const report: Capabilities = JSON.parse(stdout);
  return report;
}

test('a host whose folder for temporary files cannot be written says so', () => {
  const { secure } = probed({}, { env: { TMPDIR: join(temporaryFolder(), 'gone') } });
  expect(secure.available).toBe(false);
  expect(secure.detail).toContain('set TMPDIR');
});

test('a later probe removes the folder of a probe that was killed, but not that of a running probe', async () => {
  const ended = spawnSync('true').pid;
  const left = temporaryFolderOf(`flwd-probe-${ended}-`);
  const fresh = temporaryFolderOf(`flwd-probe-${ended}-`);
  const running = temporaryFolderOf(`flwd-probe-${process.ppid}-`);
  const ofEarlierStart = temporaryFolderOf(`flwd-probe-${process.pid}-`);
  writeFileSync(join(left, 'secure-filter'), '');
  const longAgo = new Date(systemClock.now() - 3_600_000);
  // The folder of a running probe looks old if the clock was set.
  for (const folder of [left, running, ofEarlierStart]) utimesSync(folder, longAgo, longAgo);
  await probeHost();
  const folders = [left, fresh, running, ofEarlierStart];
  expect(folders.map((folder) => existsSync(folder))).toEqual([false, true, true, false]);
});

function temporaryFolderOf(prefix: string): string {
  const dir = mkdtempSync(join(tmpdir(), prefix));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const available = { available: true, detail: null };

test('every profile is available when bubblewrap works', async () => {
  expect(await probeHost()).toEqual({
    secure: available,
    permissive: available,
    disabled: available,
  });
});

describe('a profile is unavailable and says how to fix that if the host lacks', () => {
  test('bubblewrap', () => {
    const missing = { available: false, detail: 'bubblewrap is not installed: apt-get install bubblewrap' };
    const unsandboxed = {
      available: true,
      detail:
        'bubblewrap is not installed, so a run has no sandbox and no pid namespace, and flwd cannot prove that all its processes have ended',
    };
    expect(probed({})).toEqual({ secure: missing, permissive: missing, disabled: unsandboxed });
  });

  test.skipIf(process.getuid?.() !== 0)('setpriv, for a server that runs as root', () => {
    const missing = { available: false, detail: 'setpriv is not installed: apt-get install util-linux' };
    expect(probed({ bwrap: '/usr/bin/bwrap' })).toEqual({
      secure: missing,
      permissive: missing,
      disabled: available,
    });
  });

  test('namespaces', () => {
    const said = 'bwrap: No permissions to create new namespace';
    const report = probed({ bwrap: `#!/bin/sh\necho "${said}" >&2\nexit 1\n`, setpriv: '/usr/bin/setpriv' });
    expect(report.secure.available).toBe(false);
    expect(report.secure.detail).toMatch(/namespaces/);
  });

  test('a filter of system calls, which only secure needs', () => {
    const said =
      'bwrap: Unable to set up system call filtering as requested: prctl(PR_SET_SECCOMP) reported EINVAL. (Hint: this requires a kernel configured with CONFIG_SECCOMP and CONFIG_SECCOMP_FILTER.)';
    const report = probed({
      bwrap: `#!/bin/bash\nif [[ $* == *--seccomp* ]]; then echo "${said}" >&2; exit 1; fi\n`,
      setpriv: '/usr/bin/setpriv',
    });
    expect(report.secure.available).toBe(false);
    expect(report.secure.detail).toMatch(/^system calls cannot be filtered here/);
    expect(report).toMatchObject({ permissive: available, disabled: available });
  });

  test('something of which only bubblewrap knows', () => {
    const report = probed({
      bwrap: '#!/bin/sh\necho "bwrap: Unknown option --perms" >&2\nexit 1\n',
      setpriv: '/usr/bin/setpriv',
    });
    expect(report.secure).toEqual({ available: false, detail: 'bubblewrap failed: bwrap: Unknown option --perms' });
  });
});
