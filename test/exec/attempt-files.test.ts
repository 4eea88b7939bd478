// The files of an attempt, created while other steps of its run may be writing to the workspace.

import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeAttemptFiles } from '../../src/exec/proc/attempt-files.ts';
import { sample, temporaryFolder } from './sample.ts';

const isRoot = process.geteuid?.() === 0;

test('the first attempt creates the workspace with its artifacts folder, for the user of the job', () => {
  const spec = sample('true');
  makeAttemptFiles(spec);
  const owner = isRoot ? 65_534 : process.geteuid?.();
  for (const path of [spec.workspaceDir, join(spec.workspaceDir, 'artifacts')]) {
    expect(lstatSync(path)).toMatchObject({ uid: owner });
  }
});

test('a later attempt creates and changes nothing in the workspace, where another step could have swapped any name for a link', () => {
  const spec = sample('true');
  makeAttemptFiles(spec);
  rmSync(join(spec.workspaceDir, 'artifacts'), { recursive: true });
  const { inDir, outDir } = makeAttemptFiles({ ...spec, attemptDir: `${spec.attemptDir}-2`, attempt: 2 });
  expect(existsSync(join(spec.workspaceDir, 'artifacts'))).toBe(false);
  expect([inDir, outDir].every((path) => lstatSync(path).isDirectory())).toBe(true);
});

test('a workspace that a crash left incomplete is created again', () => {
  const spec = sample('true');
  const draft = `${spec.workspaceDir}.new`;
  mkdirSync(join(draft, 'artifacts'), { recursive: true });
  writeFileSync(join(draft, 'half'), '');
  makeAttemptFiles(spec);
  expect(readdirSync(spec.workspaceDir)).toEqual(['artifacts']);
  expect(existsSync(draft)).toBe(false);
});

test.runIf(isRoot)('owners are changed only in the attempt’s own folder, whatever an earlier start left there', () => {
  const spec = sample('true');
  const host = temporaryFolder();
  writeFileSync(join(host, 'args.json'), 'of the host');
  mkdirSync(spec.attemptDir, { recursive: true });
  symlinkSync(host, join(spec.attemptDir, 'in'));
  symlinkSync(host, join(spec.attemptDir, 'out'));
  makeAttemptFiles(spec);
  expect(lstatSync(host).uid).toBe(0);
  expect(lstatSync(join(host, 'args.json')).uid).toBe(0);
  expect(lstatSync(join(spec.attemptDir, 'out'))).toMatchObject({ uid: 65_534 });
});
