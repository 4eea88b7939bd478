// Vitest global setup: packs flwd and installs the tarball into an empty folder, as a user would. The tests of the
// package start that copy. FLWD_TEST_NO_PACK=1 uses the checkout instead, for a quick check. FLWD_TEST_BIN=FILE starts
// another executable, for the conformance tests: they need nothing else of the package.

import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { absentTools } from './host.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the flwd package under test. */
    packageDir: string;
  }
}

const checkout = join(import.meta.dirname, '../..');
const run = promisify(execFile);

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const absent = absentTools('bwrap', 'python3', 'git', 'tmux', 'zsh', 'fish', 'promtool');
  if (absent.length > 0)
    console.warn(`This host lacks ${absent.join(', ')}: tests that need it are skipped, in CI they fail.`);

  if (process.env.FLWD_TEST_NO_PACK === '1' || process.env.FLWD_TEST_BIN) {
    project.provide('packageDir', checkout);
    return undefined;
  }
  const folder = await mkdtemp(join(tmpdir(), 'flwd-package-'));
  // Servers under test may run as other users.
  await chmod(folder, 0o755);
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: checkout });
  const tarball = /"filename": "([^"]+)"/.exec(stdout)?.[1];
  if (!tarball) throw new Error(`npm pack named no tarball:\n${stdout}`);
  const user = join(folder, 'user');
  const install = ['install', '--prefix', user, '--no-audit', '--no-fund', '--prefer-offline', join(folder, tarball)];
  await run('npm', install, { cwd: folder });
  project.provide('packageDir', join(user, 'node_modules', 'flwd'));
  return () => rm(folder, { recursive: true, force: true });
}
