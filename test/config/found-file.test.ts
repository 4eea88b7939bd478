// A flwd.yaml that flwd finds by itself decides what flwd runs. So it must belong to this user or to root, and other
// users must not be able to write it.

import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lchownSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createProject } from './project.ts';

const yaml = 'instance: { name: planted }\n';
const isRoot = process.geteuid?.() === 0;
const another = 65_534;

describe('a flwd.yaml that flwd finds by itself', () => {
  test.each([0o666, 0o602])('is refused if other users may write it (mode %o)', (mode) => {
    const { dir, load, errors } = createProject({ 'flwd.yaml': yaml, 'jobs/': '' });
    chmodSync(join(dir, 'flwd.yaml'), mode);
    const open = `can be written by other users (mode ${mode.toString(8)}), who could then decide what this server runs: chmod go-w flwd.yaml`;
    expect(errors()).toEqual([`flwd.yaml: ${open}, or name it with --config flwd.yaml`]);
    const { config, warnings } = load({ config: 'flwd.yaml' });
    expect([config.instance.name, warnings]).toEqual(['planted', [`flwd.yaml ${open}`]]);
  });

  test('is checked in the home folder as well', () => {
    const path = 'home/.config/flwd/flwd.yaml';
    const { dir, errors } = createProject({ [path]: yaml, 'jobs/': '' });
    chmodSync(join(dir, path), 0o666);
    expect(errors()).toEqual([expect.stringMatching(/flwd\.yaml: can be written by other users/)]);
  });

  test.runIf(isRoot)('may be writable by its owner’s own group, and by no other group', () => {
    const { dir, load, errors } = createProject({ 'flwd.yaml': yaml, 'jobs/': '' });
    chmodSync(join(dir, 'flwd.yaml'), 0o664);
    expect(load().warnings).toEqual([]);
    chownSync(join(dir, 'flwd.yaml'), 0, another);
    expect(errors()).toEqual([expect.stringContaining('(mode 664)')]);
  });

  test.runIf(isRoot)('is refused if it belongs to another user, even for root, unless --config names it', () => {
    const { dir, load, errors } = createProject({ 'flwd.yaml': yaml, 'jobs/': '' });
    chownSync(join(dir, 'flwd.yaml'), another, another);
    expect(errors()).toEqual([
      'flwd.yaml: belongs to another user (uid 65534), so flwd does not use it: chown it, or name it with --config flwd.yaml',
    ]);
    expect(load({ config: 'flwd.yaml' })).toMatchObject({ config: { instance: { name: 'planted' } }, warnings: [] });
  });

  test('does not block flwd if it is a named pipe', () => {
    const { dir, errors } = createProject({ 'jobs/': '' });
    execFileSync('mkfifo', ['-m', '600', join(dir, 'flwd.yaml')]);
    expect(errors()).toEqual([
      'flwd.yaml: is not a regular file, so flwd does not use it: name it with --config flwd.yaml',
    ]);
    chmodSync(join(dir, 'flwd.yaml'), 0o666);
    expect(errors()).toEqual([expect.stringContaining('can be written by other users (mode 666)')]);
  });

  test('is not checked for its mode if it is a device that --config names', () => {
    const { load } = createProject({ 'jobs/': '' });
    expect(load({ config: '/dev/null' }).warnings).toEqual([]);
  });

  test.runIf(isRoot)('is refused if it is a link of another user, whatever its target is', () => {
    const { dir, load, errors } = createProject({ 'other.yaml': yaml, 'jobs/': '' });
    symlinkSync('other.yaml', join(dir, 'flwd.yaml'));
    expect(load().config.instance.name).toBe('planted');
    lchownSync(join(dir, 'flwd.yaml'), another, another);
    expect(errors()).toEqual([expect.stringContaining('belongs to another user (uid 65534)')]);
  });
});
