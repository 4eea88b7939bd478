// Invalid job files: each is listed with place and cause, and all other jobs work.

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash, type JobFiles } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap');

type Listed = {
  jobs: { id: string }[];
  invalid: { id: string; path: string; errors: { file: string; line: number; message: string }[] }[];
};

const yaml = (text: string): JobFiles => ({ 'config.yaml': text, 'run.sh': '#!/bin/sh\ntrue\n' });
const withSchema = (argspec: unknown) => yaml(JSON.stringify({ command: './run.sh', argspec }));
const withProperty = (schema: unknown, name = 'a') => withSchema({ type: 'object', properties: { [name]: schema } });
const text = { type: 'string' };

/** For each bad job: its folder, its files, and a text that the error must contain. */
const badJobs: [folder: string, files: JobFiles, says: RegExp][] = [
  ['yaml-broken', yaml('command: [./run.sh\n'), /./],
  ['yaml-tabs', yaml('command:\n\t- ./run.sh\n'), /tab/i],
  ['yaml-twice', yaml('command: ./run.sh\ncommand: ./other.sh\n'), /unique|twice|duplicate/i],
  ['yaml-alias-bomb', yaml(aliasBomb()), /alias/i],
  ['yaml-two-documents', yaml('command: ./run.sh\n---\ncommand: ./run.sh\n'), /document/i],
  ['yaml-list', yaml('- command\n'), /must be a map of keys/],
  ['yaml-empty', yaml(''), /empty|mapping|object|command/i],
  ['yaml-binary', yaml('command: "\u0000\u0001"\n'), /./],
  ['yaml-huge', yaml(`command: ./run.sh\ndescription: ${'x'.repeat(300_000)}\n`), /256 ?KiB/],
  ['yaml-deep', yaml(`command: ./run.sh\nargspec: ${'['.repeat(200)}${']'.repeat(200)}\n`), /64|deep|nest/i],
  ['key-unknown', yaml('command: ./run.sh\ndescriptoin: x\n'), /`descriptoin`.*did you mean `description`/],
  ['key-nested', yaml('command: ./run.sh\ntimeouts: {runn: 5m}\n'), /`runn`.*did you mean `run`/],
  ['command-missing', yaml('name: Nothing to run\n'), /command/],
  ['command-gone', yaml('command: ./gone.sh\n'), /gone\.sh/],
  [
    'command-no-program',
    { 'config.yaml': 'command: ./data.txt\nulc_profile: ulc.exec\n', 'data.txt': 'x' },
    /data\.txt/,
  ],
  ['command-spaces', yaml('command: ./run.sh --fast\n'), /list/],
  ['duration-absurd', yaml('command: ./run.sh\ntimeouts: {run: 1e99}\n'), /timeouts\.run|duration/i],
  ['duration-negative', yaml('command: ./run.sh\ntimeouts: {run: -5s}\n'), /timeouts\.run|duration/i],
  ['size-absurd', yaml('command: ./run.sh\nlogs: {max_size: 99999999TiB}\n'), /logs\.max_size|size/i],
  ['profile-unknown', yaml('command: ./run.sh\nsecurity_profile: open\n'), /secure.*permissive.*disabled/],
  ['schema-type', withProperty({ type: 'strin' }), /type|strin/i],
  ['schema-pattern', withProperty({ type: 'string', pattern: '(' }), /pattern/i],
  ['schema-lookbehind', withProperty({ type: 'string', pattern: '(?<=a)b' }), /pattern|RE2/i],
  ['schema-remote', withProperty({ $ref: 'https://example.org/schema.json' }), /\$ref/],
  ['schema-dangling', withProperty({ $ref: '#/$defs/nowhere' }), /\$ref|nowhere/],
  ['schema-not-object', withSchema({ type: 'string' }), /object/],
  ['name-path', withProperty(text, 'PATH'), /PATH/],
  ['name-shell', withProperty(text, 'a;b'), /a;b/],
  ['name-preload', withProperty(text, 'LD_PRELOAD'), /LD_PRELOAD/],
  ['name-ours', withProperty(text, 'FLWD_RUN_ID'), /FLWD_RUN_ID/],
];

const server = await startServer({
  jobs: {
    good: bash('true'),
    ...Object.fromEntries(badJobs.map(([folder, files]) => [`bad/${folder}`, files])),
  },
});
afterAll(() => server.close());

/** Lists the jobs as soon as the server answers. On a busy machine, a server that has just started may answer 503. */
async function list(query = ''): Promise<Listed> {
  await expect.poll(async () => (await server.fetch(`/jobs${query}`)).status).toBe(200);
  return server.json<Listed>(`/jobs${query}`);
}

test('exactly the invalid jobs are listed as invalid', async () => {
  const { jobs, invalid } = await list();
  expect(invalid.map(({ id }) => id)).toEqual(badJobs.map(([folder]) => `bad/${folder}`).toSorted());
  expect(jobs.map(({ id }) => id)).toEqual(['good']);
  expect(await server.run('good')).toMatchObject({ status: 'success' });
});

test.each(badJobs)('%s is reported with its position and the cause', async (folder, _files, says) => {
  const { invalid } = await list();
  const errors = invalid.find(({ id }) => id === `bad/${folder}`)?.errors ?? [];
  expect(errors[0]).toMatchObject({ file: `bad/${folder}/config.yaml`, line: expect.any(Number) });
  const said = errors.map(({ message }) => message).join('\n');
  expect(said).toMatch(says);
  expect(said).not.toContain(server.root);
  expect((await server.fetch(`/jobs/bad/${folder}`)).status).toBe(422);
  expect((await server.fetch('/runs', { body: { job_id: `bad/${folder}` } })).status).toBe(422);
});

test.each(['sp ace', '-dash', 'ünïcode', 'new\nline', 'quo"te', '$(id)', '%2e%2e'])(
  'a folder named %j is invalid and harms nothing',
  async (name) => {
    await mkdir(join(server.jobsDir, 'hostile', name), { recursive: true });
    await writeFile(join(server.jobsDir, 'hostile', name, 'config.yaml'), 'command: [/bin/true]\n');
    const paths = async () => (await list()).invalid.map(({ path }) => path);
    await expect.poll(paths).toContain(`hostile/${name.replace('\n', '\uFFFD')}`);
    expect((await list('?prefix=hostile')).jobs).toEqual([]);
    expect(await server.run('good')).toMatchObject({ status: 'success' });
  },
);

function aliasBomb(): string {
  const levels = Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(', ')}]`);
  return ['command: ./run.sh', 'a0: &a0 [x]', ...levels].join('\n');
}
