// What scripts store for later runs, with flwd_kv_get, flwd_kv_set and flwd_kv_delete, in every language.

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash, node, python } from '../support/jobs.ts';
import { caller, dataFolder, openEngine } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

const counting = 'n=$(flwd_kv_get count 0); flwd_kv_set count $((n + 1)); flwd_kv_get count; echo';
const failing = (words: string) => `${words} && echo stored || echo "exit $?"`;
const secret = { argspec: { type: 'object', properties: { pw: { type: 'string', format: 'secret' } } } };

const jobs = {
  'a/counts': bash(counting),
  fails: bash(`${counting}; exit 3`),
  words: bash(
    `flwd_kv_set 'a key/ä *' 'it is "so" $x \\ '
     flwd_kv_get 'a key/ä *'; echo '|'
     flwd_kv_set -- --empty ''; flwd_kv_get -- --empty; echo '|'
     flwd_kv_get none 'a default'; echo '|'
     flwd_kv_delete none; flwd_kv_delete 'a key/ä *'
     ${failing("flwd_kv_get 'a key/ä *'")}
     head -c 8192 /dev/urandom > in; flwd_kv_set bytes - < in; flwd_kv_get bytes | cmp - in && echo same
     # The server removes a request just after its answer.
     until [[ -z "$(ls "\${FLWD_OUTPUT_FILE%/*}")" ]]; do sleep 0.01; done; echo nothing left`,
  ),
  refused: bash(
    `${failing('flwd_kv_set big "$(head -c 8193 /dev/zero | tr "\\\\0" x)"')}
     ${failing('flwd_kv_set "$(printf %600s x)" v')}
     ${failing("flwd_kv_set $'k\\nv' v")}
     ${failing("flwd_kv_set $'k\\xff' v")}
     ${failing('flwd_kv_set --ttl soon k v')}
     ${failing('flwd_kv_set --if-version 7 k v')}
     ${failing('flwd_kv_set --if-version x k v')}
     ${failing('flwd_kv_get --namespace ../x k')}
     ${failing('flwd_kv_set k')}`,
  ),
  python: python(
    `import subprocess
subprocess.run(['flwd_kv_set', 'seen', '-'], input=b'\\x00\\xff\\n', check=True)
print(subprocess.run(['flwd_kv_get', 'seen'], stdout=subprocess.PIPE, check=True).stdout)
print(subprocess.run(['flwd_kv_get', 'unseen'], stderr=subprocess.PIPE).returncode)`,
  ),
  node: node(
    `import { execFileSync } from 'node:child_process';
execFileSync('flwd_kv_set', ['seen', 'from node']);
console.log(execFileSync('flwd_kv_get', ['seen'], { encoding: 'utf8' }));`,
  ),
  'shares/owner': bash('flwd_kv_set token-count 7; flwd_kv_set open yes'),
  'shares/reader': bash(
    `flwd_kv_get --namespace shares/owner open; echo
     ${failing('flwd_kv_set --namespace shares/owner open no')}`,
    { permissions: { kv: { read: ['shares/owner'] } } },
  ),
  'shares/writer': bash(
    'flwd_kv_set --namespace=shares/owner open no; flwd_kv_get --namespace shares/owner open; echo',
    {
      permissions: { kv: { write: ['shares/owner'] } },
    },
  ),
  'shares/stranger': bash(failing('flwd_kv_get --namespace shares/owner open')),
  secretive: bash(
    `pw=$(cat "$FLWD_SECRETS_DIR/pw")
     ${failing('flwd_kv_set k "password: $pw"')}
     ${failing('printf %s "$pw" | base64 | flwd_kv_set k -')}
     ${failing('flwd_kv_set "by $pw" v')}
     flwd_kv_get k nothing`,
    secret,
  ),
  many: steps(
    { steps: [script('a'), script('b'), script('sum', { needs: ['a', 'b'] })] },
    {
      a: 'for i in 1 2 3 4; do flwd_kv_set "a/$i" "$i" & done; wait',
      b: `for i in 1 2 3 4; do
  until version=$(flwd_kv_get --version lock 0) && flwd_kv_set --if-version "$version" lock "$i"; do :; done
done`,
      sum: 'for i in 1 2 3 4; do flwd_kv_get "a/$i"; done; flwd_kv_get lock; echo',
    },
  ),
};

test('later runs find what scripts have stored, even if the run that stored it failed', {
  timeout: 240_000,
}, async () => {
  const { create, finished, messages, engine } = await openEngine(dataFolder(), {
    jobs,
    security: { mayGrant: () => ['kv'] },
  });
  const output = async (jobId: string, args = {}): Promise<string[]> => {
    const runId = await create(jobId, args);
    await finished(runId);
    return messages(runId);
  };
  expect(await output('a/counts')).toEqual(['1']);
  expect(await output('a/counts')).toEqual(['2']);
  expect([await output('fails'), await output('fails')]).toMatchObject([['1'], ['2']]);
  expect((await output('words')).toSorted()).toEqual([
    'a default|',
    'exit 1',
    'it is "so" $x \\ |',
    'nothing left',
    'same',
    '|',
  ]);
  expect((await output('refused')).toSorted()).toEqual(
    [
      'flwd_kv_set: the value has 8193 bytes; at most 8192 are allowed: store a larger value as an artifact',
      'flwd_kv_set: the key has 600 bytes; at most 512 are allowed',
      'flwd_kv_set: a key, a namespace or an option must not contain a newline',
      'flwd_kv_set: the key or the namespace is not UTF-8 text',
      'flwd_kv_set: --ttl must be a duration such as `90s` or `7d`, between `1s` and `3650d`',
      "flwd_kv_set: There is no key 'k', but its version must be 7; nothing was stored.",
      'flwd_kv_set: the version is not a number',
      "flwd_kv_get: this job may not read the namespace '../x': list it in permissions.kv.read of its config.yaml",
      'usage: flwd_kv_set [--namespace NAMESPACE] [--ttl TIME] [--if-version N] KEY VALUE; VALUE is - to read it from standard input',
      ...Array.from({ length: 8 }, () => 'exit 1'),
      'exit 2',
    ].toSorted(),
  );
  expect(await output('python')).toEqual(["b'\\x00\\xff\\n'", '1']);
  expect(await output('node')).toEqual(['from node']);

  await output('shares/owner');
  expect((await output('shares/reader')).toSorted()).toEqual([
    'exit 1',
    "flwd_kv_set: this job may not write to the namespace 'shares/owner': list it in permissions.kv.write of its config.yaml",
    'yes',
  ]);
  expect(await output('shares/writer')).toEqual(['no']);
  expect(await output('shares/stranger')).toContain('exit 1');

  expect((await output('secretive', { pw: 'correct horse' })).toSorted()).toEqual([
    'exit 1',
    'exit 1',
    'exit 1',
    'flwd_kv_set: the key contains a secret of the run; nothing was stored',
    'flwd_kv_set: the value contains a secret of the run; nothing was stored',
    'flwd_kv_set: the value contains a secret of the run; nothing was stored',
    'nothing',
  ]);
  expect(await output('many')).toContain('12344');

  const keys = await engine.kv.list({ tenant: 'default', namespace: 'a/counts', prefix: '' }, { limit: 9 });
  expect(keys).toMatchObject([{ key: 'count', size_bytes: 6, updated_by: expect.stringMatching(/^run_/) }]);
});

test('a run that fails because a key is missing says so, whatever it printed before', async () => {
  const { create, finished } = await openEngine(dataFolder(), {
    jobs: {
      missing: bash('echo "an old option" >&2; v=$(flwd_kv_get nokey)'),
      python: python("import subprocess\nsubprocess.run(['flwd_kv_get', 'unseen'], check=True)"),
      filtered: bash('n=$(flwd_kv_get count 0 | grep foo)'),
    },
  });
  const errorOf = async (jobId: string) => (await finished(await create(jobId))).error;
  const hint = 'there is no such key: give `flwd_kv_get` a default after the key, for the first run';
  const message = expect.stringMatching(/^exited with code 1: v=\$\(flwd_kv_get nokey\) \([\w.]+:\d+\)$/);
  expect(await errorOf('missing')).toMatchObject({ message, hint });
  expect(await errorOf('python')).toMatchObject({ hint });
  expect(await errorOf('filtered')).not.toHaveProperty('hint', hint);
});

test('another namespace needs a grant of the instance and a trusted source, and the run shows the grant', async () => {
  const reader = { reader: jobs['shares/reader'] };
  const refused = await openEngine(dataFolder(), { jobs: reader, security: { mayGrant: () => ['network'] } });
  const message =
    "The job asks for the namespace 'shares/owner' of the key-value store, but security.profiles.secure.may_grant does not list 'kv'.";
  await expect(refused.create('reader')).rejects.toThrow(message);
  const security = { mayGrant: () => ['kv'] as const };
  const untrusted = await openEngine(dataFolder(), { jobs: reader, trusted: false, security });
  await expect(untrusted.create('reader')).rejects.toMatchObject({ slug: 'source-untrusted' });

  const allowed = await openEngine(dataFolder(), { jobs: reader, security });
  const grants = [{ kind: 'kv_read', namespace: 'shares/owner' }];
  expect(await allowed.engine.plan({ job_id: 'reader' }, caller)).toMatchObject({ grants, denied: null });
  const runId = await allowed.create('reader');
  expect(await allowed.store.runs.get(runId)).toMatchObject({ grants });
  const { entries } = await allowed.store.audit.list({ limit: 9 });
  const created = entries.find(({ action }) => action === 'run.create');
  expect(created?.detail).toMatchObject({
    asked: { kv: { read: ['shares/owner'], write: [] } },
    grants: [{ kind: 'kv_read', namespace: 'shares/owner', because: expect.any(Array) }],
  });
  await allowed.finished(runId);
});

test('a script waits while the server restarts, and then gets its answer', async () => {
  const root = dataFolder();
  const waits = bash(`echo ready; until [ -e go ]; do sleep 0.02; done; flwd_kv_set k v; flwd_kv_get k; echo`);
  const opened = await openEngine(root, { jobs: { waits } });
  const runId = await opened.create('waits');
  await expect.poll(() => opened.messages(runId)).toEqual(['ready']);
  await opened.close();
  const runDir = join(root, 'data', 'runs', runId);
  writeFileSync(join(runDir, 'workspace', 'go'), '');
  await expect.poll(() => readdirSync(join(runDir, '1-1', 'out')).join()).toMatch(/^kv-[\w-]+\.request,.*\.value$/);

  const next = await openEngine(root);
  expect(await next.finished(runId)).toMatchObject({ status: 'success' });
  expect(await next.messages(runId)).toEqual(['ready', 'v']);
});

test('expired keys are removed by retention', async () => {
  const nowMs = Date.now() + 3_600_000;
  const { create, finished, engine, retention, store } = await openEngine(dataFolder(), {
    jobs: { stores: bash('flwd_kv_set --ttl 30m soon v; flwd_kv_set --ttl 2h later v; flwd_kv_set never v') },
    nowMs,
  });
  expect(await finished(await create('stores'))).toMatchObject({ status: 'success' });
  expect(await retention.preview()).toMatchObject({ kv_keys: 1 });
  expect(await retention.collect({ forMs: 10_000, share: 1 })).toMatchObject({ removed: { kv_keys: 1 } });
  const where = { tenant: 'default', namespace: 'stores', prefix: '' };
  expect((await engine.kv.list(where, { limit: 9 })).map(({ key }) => key)).toEqual(['later', 'never']);
  expect(await store.kv.totals()).toEqual({ keys: 2, bytes: 12 });
});
