// The unit file and the Dockerfile use commands and options that this flwd has.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readCommandLine } from '../../src/cli/command-line.ts';
import { operations } from '../../src/contract/operations.ts';
import { apiBase } from '../../src/contract/routes.ts';
import { absentTools } from '../support/host.ts';

const packaging = join(import.meta.dirname, '../../packaging');
const unit = await readFile(join(packaging, 'flwd.service'), 'utf8');
const dockerfile = await readFile(join(packaging, 'Dockerfile'), 'utf8');

function setting(name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

/** The words of an instruction in JSON form. */
function words(instruction: string): string[] {
  const [, list = '[]'] = new RegExp(`^${instruction} (\\[.*\\])$`, 'm').exec(dockerfile) ?? [];
  return JSON.parse(list);
}

test('a restart of the unit does not end the shims', () => {
  expect(setting('KillMode')).toEqual(['process']);
  expect(setting('OOMPolicy')).toEqual(['continue']);
});

test('no line of the unit prevents bubblewrap from creating a sandbox', () => {
  const harmful = [
    'MemoryDenyWriteExecute',
    'PrivateTmp',
    'ProcSubset',
    'ProtectControlGroups',
    'ProtectHostname',
    'ProtectKernelLogs',
    'ProtectKernelTunables',
    'ProtectProc',
    'RestrictAddressFamilies',
    'RestrictNamespaces',
    'SystemCallFilter',
  ];
  expect(harmful.flatMap(setting)).toEqual([]);
});

test('the unit starts a command that exists, with options that exist', async () => {
  const [program = '', ...rest] = setting('ExecStart')[0]?.split(' ') ?? [];
  expect(program).toBe('/usr/local/bin/flwd');
  const { command, options } = readCommandLine(rest);
  expect(command.name).toBe('serve');
  const dataDir = `/var/lib/${setting('StateDirectory')[0]}`;
  expect(options.get('data-dir')).toEqual([dataDir]);
  // Commands that read the same flwd.yaml, such as `flwd backup`, must not work on the data dir of another instance.
  expect(parse(await readFile(join(packaging, 'flwd.yaml'), 'utf8'))).toMatchObject({
    instance: { data_dir: dataDir },
  });
});

test('the image has an init as pid 1, and starts a command that exists as a user other than root', () => {
  expect(words('ENTRYPOINT')).toEqual(['tini', '--']);
  const [program, ...rest] = words('CMD');
  expect(program).toBe('flwd');
  expect(readCommandLine(rest).command.name).toBe('serve');
  expect(dockerfile).toMatch(/^USER flwd$/m);
});

test('the health check of the image uses the path of the health operation', () => {
  expect(dockerfile).toContain(`http://127.0.0.1:8080${apiBase}${operations.getHealth.path}`);
});

test.skipIf(absentTools('systemd-analyze').length > 0)('systemd finds nothing wrong with the unit', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'flwd-unit-'));
  const path = join(dir, 'flwd.service');
  // This machine may lack the unit's program and user, so the test replaces them.
  await writeFile(
    path,
    unit.replace('/usr/local/bin/flwd', process.execPath).replaceAll(/^(User|Group)=.*$/gm, '$1=root'),
  );
  try {
    expect(await promisify(execFile)('systemd-analyze', ['verify', path])).toEqual({ stdout: '', stderr: '' });
  } finally {
    await rm(dir, { recursive: true });
  }
});
