import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { cachedNames, index, type Offered, settledIndex, tab, values } from './a-tab.ts';
import { createInstance, type Instance } from './an-instance.ts';
import { createFolder, flwd } from './terminal.ts';

const argspec = {
  type: 'object',
  required: ['target'],
  properties: {
    target: { type: 'string', format: 'path', description: 'Where it goes' },
    level: { enum: ['low', 'high', 'very high'] },
    dry: { type: 'boolean' },
    json: { type: 'string' },
    token: { type: 'string', format: 'secret' },
    keep: { type: 'object', properties: { days: { type: 'integer' } } },
  },
};

const jobs = {
  'backup/daily': bash('true', { name: 'Daily', argspec, tags: ['night'] }),
  'backup/weekly': bash('sleep 60', { name: 'Weekly' }),
  'db/only': bash('true', {}),
  report: bash('true', { name: 'The "report"' }),
};

function createJobs(): Promise<Instance> {
  return createInstance(jobs, {
    aliases: [{ from: 'backup/daily', to: 'nightly' }],
    remotes: { prod: { base_url: 'https://flwd.example' } },
  });
}

test('completion offers commands without an index, and even without a cache folder', async () => {
  const { dir } = await createJobs();
  expect(await values(dir, 'ver')).toEqual(['version']);
  expect((await flwd(dir, '__complete', 'x', 'ver')).code).toBe(2);
  await settledIndex(dir);

  const elsewhere = createFolder();
  writeFileSync(join(elsewhere, '.cache'), 'no folder');
  expect(await values(elsewhere, 'ver')).toEqual(['version']);
});

test('without a server, completion offers the jobs in the sources and creates no data dir', async () => {
  const { dir, dataDir } = await createJobs();
  await index(dir);

  const offered: [string, unknown][] = [
    // Commands of one word and of two words.
    ['ru', ['run', 'runs']],
    [':ru', [':run', ':runs']],
    ['secrets|r', ['rm', 'rotate']],
    [':config|', ['validate', 'show']],
    ['audit|v', ['verify']],
    ['completion|', ['bash', 'zsh', 'fish', 'powershell']],
    ['help|tok', ['tokens']],
    // Jobs, completed segment by segment. The only job in a namespace is completed at once.
    ['run|', ['backup/', 'db/only', 'nightly', 'report']],
    ['run|backup/', ['backup/daily', 'backup/weekly']],
    ['jobs|d', ['db/only']],
    ['b', ['backfill', 'backfills', 'backup', 'backup/']],
    ['db|', ['only']],
    ['runs|--job|re', ['report']],
    ['jobs|--prefix|', ['backup', 'db']],
    ['jobs|--tag|', ['night']],
    ['jobs|--source|', ['local-fs']],
    // Options and their values.
    ['logs|--l', ['--level']],
    ['logs|--level|w', ['warn']],
    ['logs|--level=w', ['--level=warn']],
    ['logs|-f|--f', []],
    ['tokens|create|--scopes|runs:read,jobs:r', ['runs:read,jobs:read']],
    ['--remo', ['--remote']],
    ['--remote|', ['prod']],
    ['--remote=', ['--remote=prod']],
    ['run|--remote|', ['prod']],
    // A job's arguments, by its id, by two words and by its alias.
    ['nightly|--l', ['--level', '--label']],
    ['backup|daily|--k', ['--keep.days']],
    ['run|backup/daily|--no', ['--no-dry']],
    // Arguments that have the name of a flwd option: written in full, or after `--`.
    ['run|backup/daily|--args.', ['--args.json']],
    ['run|backup/daily|--js', []],
    ['run|nightly|--js', []],
    ['run|backup/daily|--|--js', ['--json']],
    ['run|--json|backup/daily|--args.', ['--args.json']],
    ['run|backup/daily|--|--json|x|--js', []],
    ['run|backup/daily|--|--ver', []],
    ['run|backup/daily|--token', ['--token.file', '--token.env', '--token.stored']],
    ['run|backup/daily|--level|', ['low', 'high', 'very high']],
    ['plan|nightly|--level=v', ['--level=very high']],
    ['run|backup/daily|--dry=', ['--dry=true', '--dry=false']],
    ['run|backup/daily|--token.env|HOM', ['HOME']],
    ['run|backup/daily|--level|low|--l', ['--label']],
    ['run|backup/daily|--level|low|--dry|--k', ['--keep.days']],
    ['run|report|--l', ['--label']],
    ['run|nothing|--l', ['--label']],
    ['version|', []],
  ];
  const seen = await Promise.all(offered.map(async ([line]) => [line, await values(dir, ...line.split('|'))]));
  expect(seen).toEqual(offered);

  const about: [string, Offered[]][] = [
    ['run|rep', [{ value: 'report', about: 'The "report"' }]],
    ['nig', [{ value: 'nightly', about: 'backup/daily  Daily' }]],
    ['run|backup', [{ value: 'backup/', about: '2 jobs' }]],
    ['nightly|--targ', [{ value: '--target', about: 'Where it goes (required)' }]],
    ['nightly|--target|', [{ files: 'file' }]],
    ['nightly|--token.file|', [{ files: 'file' }]],
    ['serve|--config|', [{ files: 'file' }]],
    ['serve|--data-dir|', [{ files: 'dir' }]],
    ['serve|--data-dir=', [{ files: 'dir' }]],
    ['restore|', [{ files: 'dir' }]],
    ['backup|da', [{ value: 'daily', about: 'Daily' }, { files: 'file' }]],
  ];
  const told = await Promise.all(about.map(async ([line]) => [line, await tab(dir, ...line.split('|'))]));
  expect(told).toEqual(about);
  expect(existsSync(dataDir)).toBe(false);
  await settledIndex(dir);
});

test('flwd help does not list the internal command __complete', async () => {
  expect((await flwd(createFolder(), 'help')).stdout).not.toContain('__complete');
});

test('flwd rerun completes the arguments of the job of the given run, or of the given job', async () => {
  const { dir } = await createJobs();
  const { stdout } = await flwd(dir, 'run', '--json', 'backup/daily', '--target', '/srv');
  const { run_id: runId }: { run_id: string } = JSON.parse(stdout);
  await index(dir);
  for (const word of [runId, 'nightly'])
    expect(await values(dir, 'rerun', word, '--l')).toEqual(['--level', '--latest']);
  expect(await values(dir, 'rerun', 'run_unknown', '--l')).toEqual(['--latest']);
  expect(await values(dir, 'cancel', runId, '--l')).toEqual(['--label']);
});

test('with a server, completion offers runs, tokens and secrets; after the server stopped, it still offers runs', async () => {
  const { dir, serve } = await createJobs();
  const served = await serve();
  const runId = await served.start('backup/weekly');
  expect((await flwd(dir, 'tokens', 'create', '--name', 'ci', '--scopes', 'runs:read')).code).toBe(0);
  await index(dir);
  for (const command of ['logs', 'cancel', 'runs']) expect(await values(dir, command, '')).toEqual([runId]);
  expect(await values(dir, 'artifacts', 'get', '')).toEqual([runId]);
  const [run] = await tab(dir, 'cancel', '');
  expect(run?.about).toMatch(/^(pending|running) {2}backup\/weekly$/);
  expect(await values(dir, 'cancel', runId, '')).toEqual([runId]);
  expect(await values(dir, 'compare', runId, '')).toEqual([runId]);
  expect(await values(dir, 'compare', runId, runId, '')).toEqual([]);
  const [token] = await tab(dir, 'tokens', 'revoke', '');
  expect(token?.about).toBe('ci');
  expect(await values(dir, 'backup', 'daily', '--k')).toEqual(['--keep.days']);

  expect((await flwd(dir, 'cancel', '--force', runId)).code).toBe(0);
  await served.stop();
  await makeOld(dir);
  await tab(dir, 'logs', '');
  await expect.poll(() => tab(dir, 'logs', '')).toEqual([{ value: runId, about: 'cancelled  backup/weekly' }]);
  await settledIndex(dir);
});

test('completion offers the backfills that have not ended, with a server and without one', async () => {
  const daily = bash('sleep 60', { schedules: [{ cron: '30 2 * * *', timezone: 'UTC' }] });
  const { dir, serve } = await createInstance({ daily });
  const served = await serve();
  expect((await flwd(dir, 'schedules', 'pause', '--all')).code).toBe(0);
  const backfill = async (from: string) => {
    const made = await flwd(dir, 'backfill', 'daily', '--from', from, '--until', '2026-10-27', '--at-once', '1');
    expect(made.code).toBe(0);
    return made.stdout.trim();
  };
  const id = await backfill('2026-10-24');
  await index(dir);
  expect(await tab(dir, 'backfills', 'cancel', '')).toEqual([{ value: id, about: 'daily' }]);

  expect((await flwd(dir, 'backfills', 'cancel', id)).code).toBe(0);
  const other = await backfill('2026-10-23');
  await served.stop();
  await makeOld(dir);
  await tab(dir, 'backfills', 'cancel', '');
  await expect.poll(() => tab(dir, 'backfills', 'cancel', '')).toEqual([{ value: other, about: 'daily' }]);
  await settledIndex(dir);
});

test('for a remote, completion offers the objects of that remote and keeps them apart from the local instance', async () => {
  const { serve } = await createJobs();
  const served = await serve();
  const { origin } = new URL((await served.fetch('/jobs')).url);
  const { dir } = await createInstance({ local: bash('true', {}) });
  const remote = `--remote=${origin}`;
  await expect.poll(() => values(dir, remote, 'run', 're')).toEqual(['report']);
  expect(await values(dir, 'run', remote, 'nightly', '--k')).toEqual(['--keep.days']);
  await expect.poll(() => values(dir, 'run', '')).toEqual(['local']);
  await expect.poll(() => cachedNames(dir)).toEqual([expect.any(String), expect.any(String)]);
  await served.stop();
  expect(await values(dir, remote, 'run', 're')).toEqual(['report']);
  await expect.poll(() => cachedNames(dir).filter((name) => name.includes('.'))).toEqual([]);
});

test('a server that was too busy to answer is asked again soon', async () => {
  let isBusy = true;
  const report = { id: 'report', aliases: [], title: null, description: '', source: 'local', tags: [] };
  const server = createServer((_request, response) => {
    const none = { runs: [], schedules: [], backfills: [], tokens: [], secrets: [] };
    const answer = { jobs: [report], ...none, args: { type: 'object' } };
    if (isBusy) setTimeout(() => response.writeHead(503).end(), 1_000);
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const remote = `--remote=http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const dir = createFolder();
  await tab(dir, remote, '');
  rewrite(await settledIndex(dir), (header) => ({ ...header, builtAtMs: Date.now() - 6_000 }));
  isBusy = false;
  expect(await values(dir, remote, 'run', 're')).toEqual([]);
  await settledIndex(dir);
  expect(await values(dir, remote, 'run', 're')).toEqual(['report']);
});

test('if the index does not know a job’s arguments, completion reads them at once', async () => {
  const { dir, serve } = await createJobs();
  const served = await serve();
  rewrite(await index(dir), ({ jobs, ...header }) => ({ ...header, jobs: forgetful(jobs) }));
  await expect.poll(() => values(dir, 'nightly', '--k')).toEqual(['--keep.days']);
  await settledIndex(dir);
  await served.stop();
  rewrite(await index(dir), ({ jobs, ...header }) => ({ ...header, jobs: forgetful(jobs) }));
  await expect.poll(() => values(dir, 'backup', 'daily', '--k')).toEqual(['--keep.days']);
  await settledIndex(dir);
});

test('an old index is refreshed in the background', async () => {
  const { dir } = await createJobs();
  const path = await index(dir);
  writeFileSync(join(dir, 'flwd.yaml'), readFileSync(join(dir, 'flwd.yaml'), 'utf8').replace('prod', 'staging'));
  utimesSync(join(dir, 'flwd.yaml'), 1_700_000_000, 1_700_000_000);
  expect(await values(dir, '--remote', '')).toEqual(['prod']);
  await expect.poll(() => values(dir, '--remote', '')).toEqual(['staging']);
  expect(await settledIndex(dir)).toBe(path);
});

test.runIf(process.geteuid?.() === 0)(
  'nothing is written if another user has replaced the cache folder by a link',
  async () => {
    const { dir } = await createJobs();
    mkdirSync(join(dir, '.cache'));
    mkdirSync(join(dir, 'elsewhere'));
    symlinkSync(join(dir, 'elsewhere'), join(dir, '.cache/flwd'));
    lchownSync(join(dir, '.cache/flwd'), 65_534, 65_534);
    expect(await values(dir, 'run', 're')).toEqual([]);
    expect(readdirSync(join(dir, 'elsewhere'))).toEqual([]);
    lchownSync(join(dir, '.cache/flwd'), 0, 0);
    await expect.poll(() => values(dir, 'run', 're')).toEqual(['report']);
    await settledIndex(dir);
  },
);

describe('an index is ignored', () => {
  test.each<[string, (path: string) => void]>([
    ['that others may write', (path) => chmodSync(path, 0o622)],
    [
      'that is a link',
      (path) => {
        renameSync(path, join(path, '../../planted'));
        symlinkSync(join(path, '../../planted'), path);
      },
    ],
    ['of another shape', (path) => rewrite(path, (header) => ({ ...header, jobs: [['planted', 'x', 0, -1]] }))],
    ['of another instance', (path) => rewrite(path, (header) => ({ ...header, identity: '[]' }))],
    ['with other content', (path) => writeFileSync(path, '\0'.repeat(100))],
  ])('%s', async (_what, spoil) => {
    const { dir } = await createJobs();
    const path = await index(dir);
    rewrite(path, (header) => ({ ...header, jobs: [['planted', 'x', 0, 0]] }));
    expect(await values(dir, 'run', 'pl')).toEqual(['planted']);
    spoil(path);
    expect(await values(dir, 'run', 'pl')).toEqual([]);
    await expect.poll(() => values(dir, 'run', 'rep')).toEqual(['report']);
    await settledIndex(dir);
  });

  test('names with control characters are left out', async () => {
    const { dir } = await createJobs();
    const path = await index(dir);
    rewrite(path, (header) => ({
      ...header,
      jobs: [
        ['ok', 'a\u001B[2Jb', 0, 0],
        ['o\u001B]0;x', 'y', 0, 0],
      ],
    }));
    expect(await tab(dir, 'run', 'o')).toEqual([{ value: 'ok', about: 'a [2Jb' }]);
    await settledIndex(dir);
  });
});

/** Removes the offsets of the arguments from the jobs of the index. */
function forgetful(jobs: unknown): unknown {
  return (jobs as readonly (readonly unknown[])[]).map(([id, about]) => [id, about, 0, 0]);
}

type Header = Record<string, unknown>;

function rewrite(path: string, change: (header: Header) => Header): void {
  const [, header = ''] = readFileSync(path, 'utf8').split('\n');
  const known: Header = JSON.parse(header);
  const text = `${JSON.stringify(change(known))}\n`;
  writeFileSync(path, `${String(Buffer.byteLength(text)).padStart(11)}\n${text}`);
}

async function makeOld(dir: string): Promise<void> {
  rewrite(await settledIndex(dir), (header) => ({ ...header, builtAtMs: 0 }));
}
