// The input and output of scripts in each language, as the documentation describes them.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect } from 'vitest';
import { testWith } from '../support/host.ts';
import { bash, node, python } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap', 'python3');

const hostile = `$(touch /workspace/pwned) \`id\` "quoted" 'single' \\ ; rm -rf / # \n second line\t$HOME *`;

const argspec = {
  type: 'object',
  required: ['text'],
  properties: {
    text: { type: 'string' },
    keep: { type: 'integer', default: 7 },
    ratio: { type: 'number', default: 0.5 },
    dry_run: { type: 'boolean', default: false },
    tags: { type: 'array', items: { type: 'string' }, default: [] },
    settings: { type: 'object', additionalProperties: { type: 'string' }, default: {} },
    optional: { type: 'string' },
  },
};

const server = await startServer({
  jobs: {
    'args/bash': bash(
      `printf %s "$text" | base64 -w0; echo
       echo "$((keep + 1)) $ratio $dry_run"
       echo "\${#tags[@]} \${tags[1]}"
       echo "\${settings[region]}"
       echo "[$optional]"
       ls /workspace`,
      { argspec },
    ),
    'args/python': python(
      'import json, os\nargs = json.load(open(os.environ["FLWD_ARGS_FILE"]))\njson.dump({"args": args, "text": os.environ["FLWD_ARG_TEXT"], "keep": os.environ["FLWD_ARG_KEEP"]}, open(os.environ["FLWD_RESULT_FILE"], "w"))',
      { argspec },
    ),
    'args/node': node(
      "import { readFileSync, writeFileSync } from 'node:fs';\nconst args = JSON.parse(readFileSync(process.env.FLWD_ARGS_FILE, 'utf8'));\nwriteFileSync(process.env.FLWD_RESULT_FILE, JSON.stringify({ args, argv: process.argv.slice(2) }));",
      { argspec },
    ),
    'args/exec': {
      'config.yaml': JSON.stringify({
        command: ['/bin/sh', '-c', 'printf %s "$1$FLWD_ARG_TEXT"', 'sh', 'a  b;'],
        ulc_profile: 'ulc.exec',
        argspec,
      }),
    },
    environment: python('import json, os\njson.dump(dict(os.environ), open(os.environ["FLWD_RESULT_FILE"], "w"))', {
      env: { GREETING: 'hello $HOME', LANG: 'C.UTF-8' },
    }),
    places: bash(
      `pwd; cat /job/beside.txt; cat "$FLWD_JOB_DIR/beside.txt"; [ "$HOME" = /workspace ]
       touch /job/new 2>&1 || true
       [ "$(ls -A /workspace | grep -vc '^artifacts$' || true)" = 0 ]`,
    ),
    'strict/unset': bash('echo "$nowhere"; echo after'),
    'strict/pipe': bash('false | true; echo after'),
    'strict/function': bash('inner() { false; echo after; }\ninner'),
    'strict/words': bash('words="a b"; for w in $words; do echo "<$w>"; done'),
    helpers: bash(
      `flwd_log debug "from bash"
       flwd_progress 40 "copying files"
       flwd_output version=1.2.3
       flwd_output notes <<'EOF'
two
lines
EOF
       echo data > made.txt
       flwd_artifact made.txt --name report --type text/x-report
       flwd_result '{"ok": true}'`,
    ),
    'helpers/python': python(
      `import subprocess
subprocess.run(["flwd_log", "warn", "from python"], check=True)
subprocess.run(["flwd_progress", "80", "nearly"], check=True)
subprocess.run(["flwd_output", "version=2"], check=True)
open("made.txt", "w").write("data")
subprocess.run(["flwd_artifact", "made.txt"], check=True)
subprocess.run(["flwd_result", '{"from": "python"}'], check=True)`,
    ),
    outputs: bash(`printf 'a=1\\nb<<END\\nx=y\\nz\\nEND\\nc=\\n' >> "$FLWD_OUTPUT_FILE"`),
    frozen: bash('echo before; until [ "$waits" = false ] || [ -e go ]; do sleep 0.05; done; cat /job/beside.txt', {
      argspec: { type: 'object', properties: { waits: { type: 'boolean', default: false } } },
    }),
  },
});
await writeFile(join(server.jobsDir, 'places', 'beside.txt'), 'a file beside the script\n');
await writeFile(join(server.jobsDir, 'frozen', 'beside.txt'), 'as it was\n');
afterAll(() => server.close());

describe('the arguments of a script', () => {
  const args = { text: hostile, keep: 41, tags: ['one', 'two words'], settings: { region: 'eu "1"' } };

  test('are typed variables in bash, and their contents are never run', async () => {
    const run = await server.run('args/bash', args);
    expect(run).toMatchObject({ status: 'success' });
    const messages = await server.messages(run.run_id);
    expect(Buffer.from(messages[0] ?? '', 'base64').toString()).toBe(hostile);
    expect(messages.slice(1)).toEqual(['42 0.5 false', '2 two words', 'eu "1"', '[]', 'artifacts']);
  });

  test('are JSON in FLWD_ARGS_FILE, and scalars are FLWD_ARG_<NAME>', async () => {
    const run = await server.run('args/python', args);
    expect(run.result?.value).toEqual({
      args: { ...args, ratio: 0.5, dry_run: false },
      text: hostile,
      keep: '41',
    });
  });

  test('are never in argv', async () => {
    const run = await server.run('args/node', { ...args, text: 'ü' });
    expect(run.result?.value).toMatchObject({ args: { text: 'ü', keep: 41 }, argv: [] });
  });

  test('are separate words for a command in list form, without a shell', async () => {
    const run = await server.run('args/exec', { text: '$(id)' });
    expect(await server.messages(run.run_id)).toEqual(['a  b;$(id)']);
  });

  test('may exceed 128 KiB, because they are in a file', async () => {
    const text = 'x'.repeat(200_000);
    const run = await server.run('args/node', { text });
    expect(run.result?.value).toMatchObject({ args: { text } });
    const inBash = await server.run('args/bash', { ...args, text });
    expect(inBash).toMatchObject({ status: 'success' });
    expect((await server.messages(inBash.run_id)).join('')).toContain(
      Buffer.from(text).toString('base64').slice(0, 100),
    );
  });
});

describe('the environment of a script', () => {
  test('has exactly these variables', async () => {
    const run = await server.run('environment', undefined, { tenant: 'acme' });
    const { PATH, ...environment } = run.result?.value ?? {};
    expect(environment).toEqual({
      FLWD_ARGS_FILE: '/run/flwd/in/args.json',
      FLWD_ARTIFACTS_DIR: '/workspace/artifacts',
      FLWD_ATTEMPT: '1',
      FLWD_JOB_DIR: '/job',
      FLWD_JOB_ID: 'environment',
      FLWD_OUTPUT_FILE: '/run/flwd/out/output',
      FLWD_RESULT_FILE: '/run/flwd/out/result.json',
      FLWD_RUN_ID: run.run_id,
      FLWD_SECRETS_DIR: '/run/flwd/secrets',
      FLWD_STEP_ID: 'step_01',
      FLWD_TENANT: 'acme',
      FLWD_WORKSPACE: '/workspace',
      GREETING: 'hello $HOME',
      HOME: '/workspace',
      LANG: 'C.UTF-8',
      PWD: '/workspace',
      TRACEPARENT: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    });
    expect(String(PATH).split(':')).toEqual(expect.arrayContaining(['/run/flwd/bin', '/usr/bin', '/bin']));
  });

  test('starts in a new workspace, and the folder of the job is read-only', async () => {
    const run = await server.run('places');
    expect(await server.messages(run.run_id)).toEqual([
      '/workspace',
      'a file beside the script',
      'a file beside the script',
      "touch: cannot touch '/job/new': Read-only file system",
    ]);
    expect(run).toMatchObject({ status: 'success' });
  });

  test('has the files of the job as they were when the run was created', async () => {
    const runId = await server.start('frozen', { waits: true });
    await expect.poll(() => server.messages(runId)).toEqual(['before']);
    await writeFile(join(server.jobsDir, 'frozen', 'beside.txt'), 'changed meanwhile\n');
    await writeFile(join(server.dataDir, 'runs', runId, 'workspace', 'go'), '');
    await server.finished(runId);
    expect(await server.messages(runId)).toEqual(['before', 'as it was']);
    const next = await server.run('frozen');
    expect(await server.messages(next.run_id)).toEqual(['before', 'changed meanwhile']);
  });
});

describe('a script in bash runs in strict mode', () => {
  test.each([
    ['strict/unset', 1, /run\.sh.*2.*nowhere/],
    ['strict/pipe', 1, /run\.sh.*2/],
    ['strict/function', 1, /run\.sh.*2.*false/],
  ])('so %s fails, says where, and runs nothing after that', async (jobId, exitCode, where) => {
    const run = await server.run(jobId);
    expect(run).toMatchObject({ status: 'failed', reason: 'exit', exit_code: exitCode });
    const messages = await server.messages(run.run_id);
    expect(messages).not.toContain('after');
    expect(messages.join('\n')).toMatch(where);
  });

  test('so words are split only at newlines and tabs', async () => {
    const run = await server.run('strict/words');
    expect(await server.messages(run.run_id)).toEqual(['<a b>']);
  });
});

describe('the results of a script', () => {
  test('are returned in bash by functions that need no import', async () => {
    const run = await server.run('helpers');
    expect(run).toMatchObject({
      status: 'success',
      result: { value: { ok: true } },
      progress: { percent: 40, message: 'copying files' },
      steps: [{ outputs: { version: '1.2.3', notes: 'two\nlines' } }],
    });
    const { logs } = await server.json<{ logs: object[] }>(`/runs/${run.run_id}/logs`);
    expect(logs).toMatchObject([{ level: 'debug', message: 'from bash' }]);
    expect(await server.artifacts(run.run_id)).toMatchObject([
      { name: 'report', path: '/workspace/made.txt', media_type: 'text/x-report' },
    ]);
  });

  test('are returned in every other language by helper programs', async () => {
    const run = await server.run('helpers/python');
    expect(run).toMatchObject({
      status: 'success',
      result: { value: { from: 'python' } },
      progress: { percent: 80, message: 'nearly' },
      steps: [{ outputs: { version: '2' } }],
    });
    const { logs } = await server.json<{ logs: object[] }>(`/runs/${run.run_id}/logs`);
    expect(logs).toMatchObject([{ level: 'warn', message: 'from python' }]);
    expect(await server.artifacts(run.run_id)).toMatchObject([{ name: 'made.txt' }]);
  });

  test('include outputs, which are key=value lines or blocks', async () => {
    expect(await server.run('outputs')).toMatchObject({ steps: [{ outputs: { a: '1', b: 'x=y\nz', c: '' } }] });
  });
});
