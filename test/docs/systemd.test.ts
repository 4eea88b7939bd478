// systemd accepts the unit for one's own user in docs/install.md.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { testWith } from '../support/host.ts';
import { blocksOf } from './pages.ts';

testWith('systemd-analyze')('systemd accepts the unit that the reader writes for their own user', () => {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-unit-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const units = blocksOf('docs/install.md').filter(({ language }) => language === 'ini');
  expect(units).toHaveLength(1);
  // systemd also checks that the program exists.
  const text = String(units[0]?.text).replace('%h/.local/bin/flwd', '/bin/true');
  expect(text).toContain('/bin/true');
  writeFileSync(join(dir, 'flwd.service'), text);
  const { stderr, status } = spawnSync('systemd-analyze', ['verify', '--user', '--man=no', join(dir, 'flwd.service')], {
    env: { ...process.env, XDG_RUNTIME_DIR: dir },
    encoding: 'utf8',
  });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});
