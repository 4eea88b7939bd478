import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const argspec = { type: 'object', properties: { token: { type: 'string', format: 'secret' } } };
const jobs = {
  tells: bash('echo "it is $(cat "$FLWD_SECRETS_DIR/token")"; printf hello > "$FLWD_ARTIFACTS_DIR/a.txt"', { argspec }),
};
const lines = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));

test.each([false, true])(
  'a run is exported as a folder of files, without its secrets (with a server: %s)',
  async (isServed) => {
    const instance = await createInstance(jobs);
    const server = isServed ? await instance.serve() : undefined;
    const { dir } = instance;
    writeFileSync(join(dir, 'token'), 'hunter-22');
    const ran = await flwd(dir, 'run', 'tells', '--token.file', 'token', '--json');
    const { run_id: id }: { readonly run_id: string } = JSON.parse(ran.stdout);

    expect(await flwd(dir, 'export', id, 'out')).toEqual({ code: 0, stdout: 'out\n', stderr: '' });
    const out = join(dir, 'out');
    expect(statSync(out).mode & 0o777).toBe(0o700);
    const files = readdirSync(out, { recursive: true, encoding: 'utf8' }).toSorted();
    expect(files).toEqual(['artifacts', 'artifacts/a.txt', 'events.ndjson', 'log.ndjson', 'log.txt', 'run.json']);
    expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toMatchObject({ run_id: id, status: 'success' });
    expect(readFileSync(join(out, 'log.txt'), 'utf8')).toMatch(/^it is \S+\n$/);
    expect(lines(join(out, 'log.ndjson'))).toEqual([expect.objectContaining({ stream: 'stdout', seq: 1 })]);
    expect(lines(join(out, 'events.ndjson')).at(-1)).toMatchObject({ event: 'run.finished', run_id: id });
    expect(readFileSync(join(out, 'artifacts/a.txt'), 'utf8')).toBe('hello');
    for (const name of ['run.json', 'log.txt', 'log.ndjson', 'events.ndjson'])
      expect(readFileSync(join(out, name), 'utf8')).not.toContain('hunter');
    await server?.stop();
  },
);

test('an export replaces no existing folder, and leaves no folder for an unknown run', async () => {
  const { dir, serve } = await createInstance({ plain: bash('true') });
  const server = await serve();
  const { run_id: id } = await server.run('plain');
  mkdirSync(join(dir, 'out'));
  const refused = await flwd(dir, 'export', id, 'out');
  expect(refused).toEqual({ code: 6, stdout: '', stderr: 'out already exists: name a new folder\n' });
  expect(existsSync(join(dir, 'out'))).toBe(true);
  expect(await flwd(dir, 'export', 'run_x', 'other')).toMatchObject({ code: 3, stdout: '' });
  expect(existsSync(join(dir, 'other'))).toBe(false);
});
