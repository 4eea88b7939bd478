// Strings that a shell, a name or an expression could interpret. The tests send them through every way in which a
// string of a caller or a script reaches another program.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { bash, node, python } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';
import { shellTexts } from './hostile-values.ts';

const texts = [
  ...shellTexts,
  '"',
  "'",
  "''",
  '\\\\',
  '\n',
  'x\n',
  '\t',
  'é',
  '__proto__',
  'EOF',
  '=',
  'a=b',
  '#',
  '&',
  '0',
  '1e3',
];
/** Bash allows no empty key in an associative array, and the server allows no `__proto__` in a body. */
const keys = texts.filter((text) => text !== '' && text !== '__proto__');
const owned = '/tmp/flwd-owned';

const each = (at: number): string => `t${at}`;
const argspec = {
  type: 'object',
  properties: {
    ...Object.fromEntries(texts.map((_, at) => [each(at), { type: 'string' }])),
    list: { type: 'array', items: { type: 'string' } },
    map: { type: 'object', additionalProperties: { type: 'string' } },
    either: { type: ['integer', 'string'] },
    count: { type: 'integer' },
    ratio: { type: 'number' },
    on: { type: 'boolean' },
    path: { type: 'string', format: 'path' },
    token: { type: 'string', format: 'secret' },
  },
};
/** The file that any executed payload would have created. */
const endsUnharmed = `[[ ! -e ${owned} && ! -e /workspace/flwd-owned ]] || exit 9`;

const server = await startServer({
  jobs: {
    bash: bash(
      `printf '%s\\0' ${texts.map((_, at) => `"$${each(at)}"`).join(' ')} "\${list[@]}" "$either" "$path" > "$FLWD_ARTIFACTS_DIR/values"
       for key in "\${!map[@]}"; do printf '%s\\0%s\\0' "$key" "\${map[$key]}"; done > "$FLWD_ARTIFACTS_DIR/map"
       printf '%s\\0' ${texts.map((_, at) => `"$FLWD_ARG_T${at}"`).join(' ')} > "$FLWD_ARTIFACTS_DIR/environment"
       sha256sum < "$FLWD_SECRETS_DIR/token" | head -c 64 > "$FLWD_ARTIFACTS_DIR/token"
       (( count + 1 == 8 )); [[ $ratio == 1.5 && $on == true ]]
       ${endsUnharmed}`,
      { argspec },
    ),
    python: python(
      `import json, os
args = json.load(open(os.environ["FLWD_ARGS_FILE"]))
given = {k: v for k, v in os.environ.items() if k.startswith("FLWD_ARG_T")}
json.dump({"args": args, "environment": given, "owned": os.path.exists("${owned}")}, open(os.environ["FLWD_RESULT_FILE"], "w"))`,
      { argspec },
    ),
    node: node(
      `import { existsSync, readFileSync, writeFileSync } from 'node:fs';
const { env } = process;
const args = JSON.parse(readFileSync(env.FLWD_ARGS_FILE, 'utf8'));
const environment = Object.fromEntries(Object.entries(env).filter(([name]) => name.startsWith('FLWD_ARG_T')));
const polluted = ({}).isPolluted ?? null;
writeFileSync(env.FLWD_RESULT_FILE, JSON.stringify({ args, environment, polluted, owned: existsSync('${owned}') }));`,
      { argspec },
    ),
    words: {
      'config.yaml': JSON.stringify({
        command: ['./words.py', ...texts],
        ulc_profile: 'ulc.exec',
        env: Object.fromEntries(texts.map((text, at) => [`E${at}`, text])),
      }),
      'words.py': `#!/usr/bin/env python3
import json, os, sys
json.dump({"words": sys.argv[1:], "env": [os.environ[f"E{n}"] for n in range(${texts.length})]}, open(os.environ["FLWD_RESULT_FILE"], "w"))
`,
    },
    steps: {
      'config.yaml': JSON.stringify({
        composition: 'steps',
        argspec,
        ulc_profile: 'ulc.shell.bash',
        concurrency: { limit: 5, key: 'args.path' },
        steps: [
          { id: 'give', script: './give.sh' },
          { id: 'each', script: './each.sh', foreach: 'args.list' },
          { id: 'take', script: './take.sh', needs: ['give', 'each'], if: 'steps.give.outputs.text == args.path' },
          { id: 'sub', job: 'echoes', args: { text: { from: 'steps.give.outputs.text' } }, needs: ['give'] },
        ],
      }),
      'give.sh': 'flwd_output "text=$path"\nflwd_output lines <<< "$path"\n',
      'each.sh': 'printf %s "$FLWD_ITEM" | base64 -w0 | xargs -I{} flwd_output "item={}"\n',
      'take.sh': `printf %s "$FLWD_STEP_GIVE_TEXT" | base64 -w0 > "$FLWD_ARTIFACTS_DIR/taken"\n${endsUnharmed}\n`,
    },
    echoes: bash('printf %s "$text" | base64 -w0 > "$FLWD_ARTIFACTS_DIR/echoed"', {
      argspec: { type: 'object', properties: { text: { type: 'string' } } },
    }),
    helpers: bash(
      `while IFS= read -rd '' text; do
         printf '%s\\n' "$text" | flwd_output "x"
         flwd_log warn "$text" || true
         flwd_progress 10 "$text" || true
       done < <(printf '%s\\0' "\${list[@]}")
       flwd_output after=unharmed
       ${endsUnharmed}`,
      { argspec },
    ),
  },
  config: { security: { profiles: { secure: { rate_limit: { limit: 100_000, window: '1s' } } } } },
});
afterAll(() => server.close());
afterEach(() => {
  expect(existsSync(owned)).toBe(false);
});

const args = {
  ...Object.fromEntries(texts.map((text, at) => [each(at), text])),
  list: texts,
  map: Object.fromEntries(keys.map((key) => [key, `${key}=`])),
  either: 'a[$(touch /tmp/flwd-owned)]',
  count: 7,
  ratio: 1.5,
  on: true,
  path: '$(touch /tmp/flwd-owned)/`id`',
  token: '$(touch /tmp/flwd-owned)"\'`',
};
const texted = Object.fromEntries(texts.map((text, at) => [`FLWD_ARG_T${at}`, text]));

async function artifact(runId: string, name: string): Promise<Buffer> {
  const found = (await server.artifacts(runId)).find((one) => one.name === name);
  return Buffer.from(await (await server.fetch(`/artifacts/${found?.id}`)).arrayBuffer());
}
const values = async (runId: string, name: string) => (await artifact(runId, name)).toString().split('\0').slice(0, -1);
const decoded = async (runId: string, name: string) =>
  Buffer.from((await artifact(runId, name)).toString(), 'base64').toString();

async function succeeds(run: RunAnswer): Promise<RunAnswer> {
  const log = run.status === 'success' ? [] : await server.messages(run.run_id);
  expect(run, log.join('\n').slice(-2_000)).toMatchObject({ status: 'success' });
  return run;
}

describe('arguments stay plain strings, whatever they contain', () => {
  test.each(['run', 'rerun'])('in bash, by %s', async (how) => {
    let run = await succeeds(await server.run('bash', how === 'run' ? args : { ...args, list: ['x'] }));
    if (how === 'rerun') {
      const again = await server.json<RunAnswer>(`/runs/${run.run_id}/rerun`, { body: { args: { list: texts } } });
      run = await succeeds(await server.finished(again.run_id));
    }
    expect(await values(run.run_id, 'values')).toEqual([...texts, ...texts, args.either, args.path]);
    expect(await values(run.run_id, 'environment')).toEqual(texts);
    const map = await values(run.run_id, 'map');
    expect(Object.fromEntries(map.flatMap((key, at) => (at % 2 === 0 ? [[key, map[at + 1]]] : [])))).toEqual(args.map);
    expect((await artifact(run.run_id, 'token')).toString()).toBe(
      createHash('sha256').update(args.token).digest('hex'),
    );
  });

  test.each(['python', 'node'])('in %s', async (job) => {
    const { token: _, ...open } = args;
    const run = await succeeds(await server.run(job, args));
    expect(run.result?.value).toMatchObject({ args: open, environment: texted, owned: false });
    expect(JSON.stringify(run.result)).not.toContain('polluted":true');
  });

  test('in the arguments and the environment of a command', async () => {
    const run = await succeeds(await server.run('words'));
    expect(run.result?.value).toEqual({ words: texts, env: texts });
  });

  test.each([
    ['NUL', { t0: 'a\0b' }],
    ['NUL in a list', { list: ['a\0b'] }],
    ['NUL in a key', { map: { 'a\0b': '' } }],
    ['a member of the prototype', { constructor: { prototype: {} } }],
    ['a name that no job has', { 'x;touch /tmp/flwd-owned': 1 }],
    ['an integer as an expression', { count: '1+a[$(touch /tmp/flwd-owned)]' }],
    ['an integer that bash would count differently', { count: 1e300 }],
    ['a number as an expression', { ratio: '1;x' }],
    ['a boolean as a command', { on: 'touch /tmp/flwd-owned' }],
  ])('and %s is refused before anything runs', async (_what, wrong) => {
    expect((await server.fetch('/runs', { body: { job_id: 'bash', args: wrong } })).status).toBe(400);
  });

  test('in a schedule', async () => {
    const made = await server.fetch('/schedules', {
      body: { job_id: 'python', cron: '0 3 1 1 *', args: { list: texts } },
    });
    expect(await made.json()).toMatchObject({ args: { list: texts } });
  });
});

describe('outputs stay plain strings from step to step', () => {
  test.each(['$(touch /tmp/flwd-owned)', "a[$(touch /tmp/flwd-owned)]='x'; `id`"])('%j', async (text) => {
    const list = [text, '-rf', '*', ' '];
    const run = await succeeds(await server.run('steps', { path: text, list }));
    const { steps } = await server.json<{ steps: { step_id: string; outputs: Record<string, string> }[] }>(
      `/runs/${run.run_id}`,
    );
    const items = steps.filter(({ step_id }) => step_id.startsWith('each[')).map(({ outputs }) => outputs.item);
    expect(items.map((item = '') => Buffer.from(item, 'base64').toString())).toEqual(list);
    expect(await decoded(run.run_id, 'taken')).toBe(text);
  });

  test('a value that a script passes to its helpers cannot become another output, another level or the end of a block', async () => {
    const run = await succeeds(await server.run('helpers', { list: texts }));
    const { steps } = await server.json<{ steps: { outputs: Record<string, string> }[] }>(`/runs/${run.run_id}`);
    expect(Object.keys(steps[0]?.outputs ?? {}).toSorted()).toEqual(['after', 'x']);
    expect(steps[0]?.outputs.after).toBe('unharmed');
  });
});

test('labels, member names of a body and queries cannot pollute prototypes', async () => {
  const bodies = [
    '{"job_id":"echoes","labels":{"__proto__":"x"}}',
    '{"job_id":"echoes","labels":{"constructor":"x"}}',
    '{"job_id":"echoes","args":{"__proto__":{"text":"x"}}}',
  ];
  for (const body of bodies) expect([201, 400]).toContain((await server.fetch('/runs', { body })).status);
  for (const label of ['__proto__', 'constructor=x', '=', "a'--", '%00', '%25']) {
    expect([200, 400]).toContain((await server.fetch(`/runs?label=${label}`)).status);
  }
  const run = await succeeds(await server.run('node', { map: { toString: 'y', isPolluted: 'z' } }));
  expect(run.result?.value).toMatchObject({ polluted: null });
});

test('a search takes its text literally', async () => {
  for (const text of [...texts, '%', '_', "' OR 1=1 --", '"; DROP TABLE runs; --', 'NEAR(', '* OR', '\\']) {
    const q = encodeURIComponent(text);
    for (const path of [`/runs?q=${q}`, `/jobs?q=${q}`, `/runs?job_id=${q}`, `/artifacts?name=${q}`]) {
      expect([path, (await server.fetch(path)).status]).toEqual([path, 200]);
    }
  }
  const { total } = await server.json<{ total: number }>('/runs');
  expect(total).toBeGreaterThan(10);
  expect((await server.json<{ total: number }>(`/runs?job_id=${encodeURIComponent("' OR 1=1 --")}`)).total).toBe(0);
});
