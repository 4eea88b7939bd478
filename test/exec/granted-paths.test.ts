// A grant that bwrap has mounted elsewhere than it was told to: a link above its place can do that, and then no script may start.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { printed, sample, temporaryFolder } from './sample.ts';
import { serialized } from './serialized.ts';

/** A bwrap that puts elsewhere what it should put at `from`, as it would be led by a link. */
async function endWith(from: string): Promise<{ end: unknown; lines: string[]; message: string }> {
  const host = realpathSync(temporaryFolder());
  const bin = join(host, 'bin');
  for (const name of ['granted', 'bin']) mkdirSync(join(host, name));
  writeFileSync(join(bin, 'bwrap'), `#!/bin/bash\nexec /usr/bin/bwrap "\${@/%\\/${from}/\\/elsewhere}"\n`);
  chmodSync(join(bin, 'bwrap'), 0o755);
  const spec = sample('echo started', { read: [join(host, 'granted')] });
  const server = spawn(process.execPath, [join(import.meta.dirname, 'programs', 'launcher.ts')], {
    env: { ...process.env, PATH: `${bin}:/usr/bin:/bin`, SPEC: serialized(spec) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  server.stdout.setEncoding('utf8').on('data', (text: string) => said.push(text));
  await once(server, 'close');
  const { message = '', ...end } = JSON.parse(said.join('').split('\n')[1] ?? '{}');
  return { end, message, lines: printed(spec).lines };
}

test('a grant that has been led elsewhere starts nothing', async () => {
  expect(await endWith('granted')).toEqual({
    end: { kind: 'not-started' },
    message: 'a path that the job was granted was moved while it started',
    lines: ['^Ebwrap: Race condition: a grant is not in its place'],
  });
});

test('one that is in its place does', async () => {
  expect(await endWith('other')).toEqual({ end: { kind: 'exited', code: 0 }, message: '', lines: ['started'] });
});
