// The hint after a run that failed because its sandbox hides what the script expects.

import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sandboxHint } from '../../src/cli/run/sandbox-hint.ts';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const isolation = {
  pid_namespace: true,
  network: 'none',
  filesystem: 'workspace',
  environment: 'clean',
  no_new_privileges: true,
  uid: 65_534,
} as const;
const failed = { status: 'failed', reason: 'exit', security: { profile: 'secure', isolation } } as const;

test.each([
  ['tar: /srv/x: Cannot open: No such file or directory', 'permissions: {read: [...]}'],
  ["Error: ENOENT: no such file or directory, open '/srv/x'", 'permissions: {read: [...]}'],
  ["FileNotFoundError: [Errno 2] No such file or directory: '/srv/data/access.log'", 'permissions: {read: [...]}'],
  ["OSError: [Errno 30] Read-only file system: '/srv/data/x'", 'permissions: {write: [...]}'],
  ["PermissionError: [Errno 13] Permission denied: '/srv/data/x'", 'profile secure runs the job as uid 65534'],
  ['socket.gaierror: [Errno -2] Name or service not known', 'permissions: {network: all}'],
  ['cp: cannot create regular file: Read-only file system', 'permissions: {write: [...]}'],
  ['./main.sh: line 3: /srv/x/log: Permission denied', 'profile secure runs the job as uid 65534'],
  ['PermissionError: [Errno 13] EACCES', 'profile secure runs the job as uid 65534'],
  ['curl: (6) Could not resolve host: example.org', 'permissions: {network: all}'],
  ['ssh: Could not resolve hostname backup: Temporary failure in name resolution', 'permissions: {network: all}'],
  ['connect: Network is unreachable', 'permissions: {network: all}'],
  ['Error: getaddrinfo EAI_AGAIN example.org', 'permissions: {network: all}'],
])('for `%s`', (line, hint) => {
  const lines = ['begun', line, './main.sh: line 3: exit code 2'];
  expect(sandboxHint(failed, lines)).toContain(hint);
  expect(sandboxHint(failed, lines)).toMatch(/; docs\/jobs\.md#what-a-job-sees$/);
});

test('the last matching line decides', () => {
  expect(sandboxHint(failed, ['No such file or directory', 'Permission denied'])).toContain('uid');
});

test('failures that the sandbox did not cause get no hint', () => {
  const lines = ['Could not resolve host', 'No such file or directory'];
  const { security } = failed;
  expect(sandboxHint(failed, ['it is broken'])).toBeUndefined();
  expect(sandboxHint(failed, ["ModuleNotFoundError: No module named 'yaml'"])).toBeUndefined();
  expect(sandboxHint(failed, [])).toBeUndefined();
  expect(sandboxHint({ ...failed, status: 'success', reason: null }, lines)).toBeUndefined();
  expect(sandboxHint({ ...failed, reason: 'timeout' }, lines)).toBeUndefined();
  expect(sandboxHint({ ...failed, security: { ...security, profile: 'permissive' } }, lines)).toBeUndefined();
  const withNetwork = { ...failed, security: { ...security, isolation: { ...isolation, network: 'all' as const } } };
  expect(sandboxHint(withNetwork, ['Could not resolve host'])).toBeUndefined();
});

test('flwd run prints the hint on standard error only', async () => {
  const { dir } = await createInstance({ pack: bash('tar -cf /dev/null "$target"', { args: [{ name: 'target' }] }) });
  const hint =
    'hint: profile secure shows the job only its own files: allow more with `permissions: {read: [...]}`, ' +
    'or `write` if the script writes there';
  const seen = await flwd(dir, 'pack', '--target', join(dir, 'jobs'));
  expect(seen.stdout).toBe('');
  expect(seen.stderr).toContain(`${hint}; docs/jobs.md#what-a-job-sees\nrun_`);
  expect((await flwd(dir, 'pack', '--target', join(dir, 'jobs'), '--quiet')).stderr).not.toContain('hint');
});
