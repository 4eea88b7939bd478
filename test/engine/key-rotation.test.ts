import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { createKeyRotation } from '../../src/engine/secrets/key-rotation.ts';
import { openKeyring } from '../../src/engine/secrets/keyring.ts';
import { createSealer } from '../../src/engine/secrets/seal.ts';
import { createStoredSecrets } from '../../src/engine/secrets/stored-secrets.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/logger.ts';
import { sealedTexts } from '../../src/store/sealed-texts.ts';
import { testWith } from '../support/host.ts';
import { dataFolder, openEngine, testOnSqlite } from './an-engine.ts';
import { script, steps } from './step-jobs.ts';

const log = createLogger({ level: 'fatal', format: 'json' });
const shortly = { forMs: 0 };

async function openRotation() {
  const root = dataFolder();
  const { store } = await openEngine(root);
  const keyFile = join(root, 'keys');
  const keyring = openKeyring(keyFile);
  const parts = { store, keyring, sealer: createSealer(keyring), clock: systemClock, log };
  const secrets = createStoredSecrets(parts);
  const put = (name: string) =>
    secrets.put(
      { tenant: 'default', name, value: `the value of ${name}` },
      { kind: 'local', name: 'local', scopes: [], tenant: '*' },
    );
  const left = (key: string) => sealedTexts(store.db.read, 'secrets', { key, after: undefined, limit: 10_000 });
  return { root, store, keyFile, keyring, parts, secrets, put, left, keyId: () => parts.sealer.keyId };
}

test('when one call runs out of time the next calls continue, and the old key stays until the last text is sealed again', async () => {
  const { keyFile, put, left, parts, keyId } = await openRotation();
  for (let n = 0; n < 450; n++) await put(`s${String(n).padStart(3, '0')}`);
  const old = keyId();
  const { rotate } = createKeyRotation(parts);

  expect(await rotate(shortly)).toMatchObject({ done: false, resealed: { secrets: 200 } });
  expect(readFileSync(keyFile, 'utf8').match(/^fsk_/gm)).toHaveLength(2);
  expect(await left(`v2.${old}`)).toHaveLength(250);
  await put('put-meanwhile');

  // This is another process, as after a crash. It reads the keys from the file.
  const keyring = openKeyring(keyFile);
  const anew = { ...parts, keyring, sealer: createSealer(keyring) };
  const calls = [];
  for (
    let last = await createKeyRotation(anew).rotate(shortly);
    ;
    last = await createKeyRotation(anew).rotate(shortly)
  ) {
    calls.push(last);
    if (last.done) break;
  }
  expect(calls.reduce((sum, { resealed }) => sum + resealed.secrets, 0)).toBeGreaterThanOrEqual(250);
  expect(readFileSync(keyFile, 'utf8').match(/^fsk_/gm)).toHaveLength(1);
  expect(await left(`v2.${old}`)).toEqual([]);
  expect(await left(`v2.${anew.sealer.keyId}`)).toHaveLength(451);
  const opened = createStoredSecrets(anew);
  expect(await opened.valueOf('default', 's449')).toBe('the value of s449');
  expect(await opened.valueOf('default', 'put-meanwhile')).toBe('the value of put-meanwhile');
});

test('texts that no key can open are counted and left unchanged, and the rotation still ends', async () => {
  const { store, keyFile, put, parts, left, keyId } = await openRotation();
  for (const name of ['a', 'b', 'c']) await put(name);
  const old = keyId();
  await store.db.transact((tx) =>
    tx.db
      .updateTable('secrets')
      .set({ name: 'moved' })
      .where('name', '=', 'b')
      .execute()
      .then(() => undefined),
  );
  const found = await createKeyRotation(parts).rotate({ forMs: 60_000 });
  expect(found).toMatchObject({ done: true, unopened: 1, resealed: { secrets: 2 }, advice: null });
  expect(await left(`v2.${old}`)).toHaveLength(1);
  expect(readFileSync(keyFile, 'utf8').match(/^fsk_/gm)).toHaveLength(1);
});

test('of two calls at once, the second waits for the first', async () => {
  const { put, parts } = await openRotation();
  await put('a');
  const { rotate } = createKeyRotation(parts);
  const found = await Promise.all([rotate({ forMs: 60_000 }), rotate({ forMs: 60_000 })]);
  expect(found).toMatchObject([
    { done: true, resealed: { secrets: 1 } },
    { done: true, resealed: { secrets: 1 } },
  ]);
  expect(found[0].key_id).not.toBe(found[1].key_id);
});

testWith('bwrap')(
  'while a run is running, its secret outputs are sealed with the new key and still reach the next step',
  async () => {
    const argspec = { type: 'object', properties: { token: { type: 'string', format: 'secret' } } };
    const { engine, store, create, when, finished, messages } = await openEngine(dataFolder(), {
      jobs: {
        two: steps(
          {
            argspec,
            steps: [
              script('make'),
              { id: 'ok', approval: { text: 'Go on?' }, needs: ['make'] },
              script('use', { needs: ['ok'] }),
            ],
          },
          {
            make: 'echo "header=Bearer $(< "$FLWD_SECRETS_DIR/token")" >> "$FLWD_OUTPUT_FILE"',
            use: 'tr a-zA-Z n-za-mN-ZA-M <<< "$FLWD_STEP_MAKE_HEADER"',
          },
        ),
      },
    });
    const runId = await create('two', { token: 'hunter-22' });
    await when(runId, (run) => run.steps.some(({ status }) => status === 'waiting_approval'));
    expect(await engine.rotateKey({ forMs: 60_000 })).toMatchObject({
      done: true,
      resealed: { runs: 1, steps: 1 },
      unopened: 0,
    });
    const principal = { kind: 'local', name: 'local', scopes: [], tenant: '*' } as const;
    await engine.approve(
      runId,
      { step_id: 'ok', decision: 'approve' },
      { principal, trigger: 'api', requestId: 'req_1' },
    );
    expect(await finished(runId)).toMatchObject({ status: 'success' });
    expect(await messages(runId)).toEqual(['Ornere uhagre-22']);
    expect(await store.runs.get(runId)).toMatchObject({
      steps: [{ outputs: { header: 'Bearer [redacted]' } }, {}, {}],
    });
  },
);

testOnSqlite('the texts that a key has sealed are found with an index, without reading every run', async () => {
  const { root } = await openRotation();
  const database = new DatabaseSync(join(root, 'data/flwd.db'), { readOnly: true });
  for (const [table, place] of [
    ['secrets', 'tenant, name'],
    ['run_plans', 'run_id'],
    ['steps', 'run_id, step_id, attempt'],
  ]) {
    const plan = database
      .prepare(
        `EXPLAIN QUERY PLAN SELECT sealed FROM ${table} WHERE sealed IS NOT NULL
          AND case when substr(sealed, 1, 3) = 'v2.' then substr(sealed, 1, 15) else 'v1' end = ?
          ORDER BY ${place} LIMIT 200`,
      )
      .all('v1');
    expect(plan.map(({ detail }) => detail)).toEqual([
      expect.stringContaining(`USING INDEX ${table}_by_key (<expr>=?)`),
    ]);
  }
  database.close();
});

test('a clock that is set forward meanwhile does not end a call early', async () => {
  const { put, parts } = await openRotation();
  for (let n = 0; n < 201; n++) await put(`s${n}`);
  let days = 0;
  const clock = { ...systemClock, now: () => Date.now() + 86_400_000 * days++ };
  expect(await createKeyRotation({ ...parts, clock }).rotate({ forMs: 60_000 })).toMatchObject({ done: true });
});
