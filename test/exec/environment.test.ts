// The environment of a job, as the job sees it.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { variablesOfEveryRun } from '../../src/engine/run/failure/variable-hints.ts';
import { run, type Sample } from './sample.ts';

/** The server's own variables during a test. */
const ofServer = {
  FLWD_TOKEN: 'flwd_secret',
  FLOWD_SERVER_BIND: 'x',
  AWS_SECRET_ACCESS_KEY: 'aws',
  DATABASE_URL: 'postgres://u:p@h/d',
  EDITOR: 'vi',
  TRACEPARENT: '00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01',
  TRACESTATE: 'of=the-server',
  TZ: 'Europe/Berlin',
};
beforeEach(() => void Object.assign(process.env, ofServer));
afterEach(() => {
  for (const name of Object.keys(ofServer)) delete process.env[name];
});

async function environmentOf(o: Sample): Promise<Record<string, string>> {
  const { text } = await run('', { ulcProfile: 'ulc.exec', command: ['env', '-0'], ...o });
  return Object.fromEntries(
    text
      .split('\0')
      .slice(0, -1)
      .map((variable) => [variable.slice(0, variable.indexOf('=')), variable.slice(variable.indexOf('=') + 1)]),
  );
}

const clean = {
  FLWD_ARGS_FILE: '/run/flwd/in/args.json',
  FLWD_ARTIFACTS_DIR: '/workspace/artifacts',
  FLWD_ATTEMPT: '1',
  FLWD_JOB_DIR: '/job',
  FLWD_JOB_ID: 'ops/sample',
  FLWD_OUTPUT_FILE: '/run/flwd/out/output',
  FLWD_RESULT_FILE: '/run/flwd/out/result.json',
  FLWD_RUN_ID: 'run_01',
  FLWD_SECRETS_DIR: '/run/flwd/secrets',
  FLWD_STEP_ID: 'step_01',
  FLWD_TENANT: 'default',
  FLWD_WORKSPACE: '/workspace',
  HOME: '/workspace',
  LANG: 'C.UTF-8',
  PATH: '/run/flwd/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  PWD: '/workspace',
  TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

describe('the environment of a secure job', () => {
  test('has exactly these variables', async () => {
    expect(await environmentOf({})).toEqual(clean);
  });

  test('has every FLWD variable that hints know, and no other', async () => {
    const own = Object.keys(await environmentOf({})).filter((name) => name.startsWith('FLWD_'));
    expect(Object.keys(variablesOfEveryRun).toSorted()).toEqual(own.toSorted());
  });

  test('has what the job sets, without any expansion, and may replace LANG and HOME', async () => {
    expect(await environmentOf({ env: { GREETING: 'hello $HOME', LANG: 'de_DE.UTF-8', HOME: '/tmp' } })).toEqual({
      ...clean,
      GREETING: 'hello $HOME',
      LANG: 'de_DE.UTF-8',
      HOME: '/tmp',
    });
  });

  test('passes scalar arguments by name, text exactly as it is', async () => {
    const text = `$(id) 'one' "two" \\ \`x\` ü\n second`;
    const args = { text, count: 3, ratio: 0.5, 'dry-run': true, nothing: null, list: [1], object: { a: 1 } };
    expect(await environmentOf({ args })).toEqual({
      ...clean,
      FLWD_ARG_TEXT: text,
      FLWD_ARG_COUNT: '3',
      FLWD_ARG_RATIO: '0.5',
      FLWD_ARG_DRY_RUN: 'true',
      FLWD_ARG_NOTHING: '',
    });
  });

  test('leaves out an argument that is too long for a variable; the arguments file has it', async () => {
    const longest = 'x'.repeat(131_071 - 'FLWD_ARG_LONGEST='.length);
    const { FLWD_ARG_LONGEST, FLWD_ARG_LONGER } = await environmentOf({ args: { longest, longer: `${longest}xx` } });
    expect([FLWD_ARG_LONGEST?.length, FLWD_ARG_LONGER]).toEqual([longest.length, undefined]);
    const args = { longer: 'é'.repeat(200_000) };
    const { lines } = await run(
      'import json, os; print(json.load(open(os.environ["FLWD_ARGS_FILE"])) == {"longer": "é" * 200_000})',
      { ulcProfile: 'ulc.python.3', args },
    );
    expect(lines).toEqual(['True']);
  });

  test('holds a secret only where the job asks for it', async () => {
    const secrets = { token: 's3cret' };
    expect(await environmentOf({ secrets })).toEqual(clean);
    expect(await environmentOf({ secrets, env: { TOKEN: { secret: 'token' }, OTHER: { secret: 'absent' } } })).toEqual({
      ...clean,
      TOKEN: 's3cret',
    });
  });

  test('reveals nothing of the server’s environment to any process of the sandbox', async () => {
    const { text } = await run('cat /proc/[0-9]*/environ 2>/dev/null | tr "\\0" "\\n" || true');
    expect(text).toContain('FLWD_RUN_ID=run_01');
    expect(Object.values(ofServer).filter((value) => value.length > 1 && text.includes(value))).toEqual([]);
  });
});

test('a permissive job gets the variables that the operator names, but never the server’s own', async () => {
  const passthrough = ['EDITOR', 'AWS_SECRET_ACCESS_KEY', 'FLWD_TOKEN', 'NOT_SET'];
  expect(await environmentOf({ profile: 'permissive', passthrough })).toEqual({
    ...clean,
    EDITOR: 'vi',
    AWS_SECRET_ACCESS_KEY: 'aws',
  });
});

test('a disabled job gets the server’s variables, except flwd’s own and those that look like secrets', async () => {
  const variables = await environmentOf({ profile: 'disabled', env: { EDITOR: 'nano' } });
  expect(variables).toMatchObject({ ...clean, LANG: variables.LANG, PATH: `/run/flwd/bin:${process.env.PATH}` });
  expect(variables).toMatchObject({ EDITOR: 'nano', TZ: 'Europe/Berlin' });
  for (const name of ['TRACESTATE', 'FLWD_TOKEN', 'FLOWD_SERVER_BIND', 'AWS_SECRET_ACCESS_KEY', 'DATABASE_URL']) {
    expect(variables).not.toHaveProperty(name);
  }
});
