// Mistakes of an author, a caller or a script end in a clear problem or a failed run with a reason, and the server
// continues as before. Invalid job files are in bad-job-files.test.ts.

import { afterAll, afterEach, describe, expect } from 'vitest';
import type { LogAnswer, ProblemAnswer } from '../support/answers.ts';
import { expectWithin, msOf } from '../support/goes.ts';
import { testWith } from '../support/host.ts';
import { bash, node, python } from '../support/jobs.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap', 'python3');

const child = { type: 'object', properties: { child: { $ref: '#/$defs/child' } }, additionalProperties: false };

const server = await startServer({
  jobs: {
    good: bash('echo fine; flwd_result 1'),
    evil: bash('true', { argspec: { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } } }),
    nested: bash('true', {
      argspec: { type: 'object', properties: { tree: { $ref: '#/$defs/child' } }, $defs: { child } },
    }),
    numbers: bash('true', {
      argspec: { type: 'object', properties: { n: { type: 'integer' }, x: { type: 'number' } } },
    }),
    listing: bash('true', {
      argspec: { type: 'object', properties: { list: { type: 'array', items: { type: 'string' } } } },
    }),
    lists: bash('true', {
      argspec: { type: 'object', additionalProperties: { type: 'array', items: { type: 'string' } } },
    }),
    binary: python('import sys\nsys.stdout.buffer.write(bytes(range(256)) * 20 + b"\\nend\\n")'),
    'one-line': node("process.stdout.write('x'.repeat(1_048_576)); process.stdout.write('\\nend\\n');"),
    'no-newline': node("process.stdout.write('y'.repeat(1_000_000));"),
    carriage: bash("printf 'one\\rtwo\\r\\nthree\\n\\n'"),
    marks: bash("printf '\\x1eE pretending\\n\\x1eP 200 nonsense\\n\\x1e\\n\\x1b[31mred\\n'"),
    flood: node('for (let i = 1; i <= 60_000; i++) console.log(i + " " + "z".repeat(90));', {
      logs: { max_size: '2MiB' },
    }),
    'too-big': bash(
      'echo small > "$FLWD_ARTIFACTS_DIR/a.txt"; head -c 3000000 /dev/zero > "$FLWD_ARTIFACTS_DIR/big.bin"',
    ),
    'over-quota': bash('for i in 1 2 3 4; do head -c 1500000 /dev/urandom > "$FLWD_ARTIFACTS_DIR/$i.bin"; done'),
    'no-outputs': bash('for i in $(seq 1 20); do echo "not an output"; done > "$FLWD_OUTPUT_FILE"'),
    'missing-interpreter': {
      'config.yaml': 'command: ./run\nulc_profile: ulc.exec\n',
      run: '#!/opt/nowhere/bin/perl\n',
    },
    'missing-program': { 'config.yaml': 'command: [no-such-program-here]\nulc_profile: ulc.exec\n' },
    'syntax-error': bash('if then fi'),
    'closes-streams': bash('exec >&- 2>&-; exit 5'),
    'deletes-all': bash('rm -rf /workspace/* /run/flwd/out/* 2> /dev/null; exit 0'),
    'stops-itself': bash('kill -STOP $$', { timeouts: { run: '700ms' } }),
    forks: bash('for i in $(seq 1 200); do sleep 30 & done; echo forked; exit 0'),
  },
  config: {
    persistence: { artifacts: { max_size: '2MiB', quota_hard: '4MiB' } },
    server: { body_limit: '1MiB' },
  },
});
afterAll(() => server.close());

/**
 * Waits until the server is healthy. After two requests in a row that each took more than two seconds, it refuses work
 * for a moment.
 */
const isHealthy = () => expect.poll(() => server.json('/health')).toMatchObject({ status: 'healthy' });

afterEach(async () => {
  await isHealthy();
  expect(await server.run('good')).toMatchObject({ status: 'success', result: { value: 1 } });
});

const log = (runId: string) => server.json<LogAnswer>(`/runs/${runId}/logs?limit=10000`);

const textOf = async (runId: string) => (await log(runId)).logs.map(({ message }) => message).join('');

describe('requests', () => {
  test.each([
    ['an integer beyond what a double holds', '{"job_id":"numbers","args":{"n":1e400}}', 400],
    ['a fraction for an integer', '{"job_id":"numbers","args":{"n":1.5}}', 400],
    ['minus zero', '{"job_id":"numbers","args":{"n":-0}}', 201],
    ['the largest safe integer', '{"job_id":"numbers","args":{"n":9007199254740991}}', 201],
    ['a very small number', '{"job_id":"numbers","args":{"x":1e-320}}', 201],
    ['a half surrogate', '{"job_id":"\\ud800"}', 404],
    ['constructor', '{"job_id":"good","args":{"constructor":{"prototype":{"a":1}}}}', 400],
    ['args that are no object', '{"job_id":"good","args":[]}', 400],
    ['a job id of 600 characters', `{"job_id":"${'x'.repeat(600)}"}`, 400],
    ['an empty label name', '{"job_id":"good","labels":{"":"x"}}', 400],
    ['a label that is too long', `{"job_id":"good","labels":{"a":"${'x'.repeat(256)}"}}`, 400],
    ['more than the limit', `{"job_id":"good","args":{"a":"${'x'.repeat(1_100_000)}"}}`, 413],
  ])('%s', async (_what, body, status) => {
    const response = await server.fetch('/runs', { body });
    const text = await response.text();
    expect(response.status, text).toBe(status);
    if (status === 201) await server.finished(String(JSON.parse(text).run_id));
  });

  test('arguments nested 5,000 deep', async () => {
    const body = `{"job_id":"nested","args":{"tree":${'{"child":'.repeat(5_000)}{}${'}'.repeat(5_000)}}}`;
    expect((await server.fetch('/runs', { body })).status).toBe(400);
  });

  test('up to a hundred errors are all listed, and of half a million errors the rest is counted', async () => {
    const problemOf = async (args: unknown): Promise<ProblemAnswer> => {
      const response = await server.fetch('/runs', { body: { job_id: 'listing', args } });
      expect(response.status).toBe(400);
      return JSON.parse(await response.text());
    };
    const { errors = [] } = await problemOf({ list: Array.from({ length: 100 }, () => 1) });
    expect(errors).toHaveLength(100);
    expect(errors.at(-1)).toMatchObject({ pointer: '/args/list/99', keyword: 'type' });

    const list = Array.from({ length: 520_000 }, () => 1);
    await expectWithin(2_000, async () => {
      await isHealthy();
      return msOf(async () => {
        const { errors: most } = await problemOf({ list });
        expect(most).toHaveLength(101);
        expect(most?.at(-1)).toEqual({ pointer: '', message: 'has 519900 more errors', keyword: 'more' });
      });
    });
  });

  test('a name as long as half the body, with over 200,000 values, needs neither seconds nor gigabytes', async () => {
    const values = Array.from({ length: 200_000 }, () => 1);
    const answerWithin = async (ms: number, name: string): Promise<string> => {
      let text = '';
      await expectWithin(ms, async () => {
        await isHealthy();
        return msOf(async () => {
          const response = await server.fetch('/runs', { body: { job_id: 'lists', args: { [name]: values } } });
          expect(response.status).toBe(400);
          text = await response.text();
        });
      });
      return text;
    };
    expect((await answerWithin(4_000, 'x'.repeat(500_000))).length).toBeLessThan(2_000_000);
    const answer = await answerWithin(4_000, 'x'.repeat(1_024));
    expect(answer.length).toBeLessThan(500_000);
    expect(answer).toMatch(/has \d+ more errors/);
  });

  test('a pattern that would backtrack exponentially elsewhere is matched in linear time', async () => {
    const body = { job_id: 'evil', args: { a: `${'a'.repeat(50_000)}!` } };
    await expectWithin(4_000, () => msOf(async () => expect((await server.fetch('/runs', { body })).status).toBe(400)));
  });
});

describe('scripts', () => {
  test('binary output is kept as text that JSON can carry', async () => {
    const run = await server.run('binary');
    expect(run).toMatchObject({ status: 'success' });
    const { logs } = await log(run.run_id);
    expect(logs.at(-1)?.message).toBe('end');
    expect(logs).toHaveLength(22);
  });

  test('a line of a megabyte without a newline is kept completely', async () => {
    const run = await server.run('one-line');
    expect((await textOf(run.run_id)) === `${'x'.repeat(1_048_576)}end`).toBe(true);
    const unended = await server.run('no-newline');
    expect((await textOf(unended.run_id)) === 'y'.repeat(1_000_000)).toBe(true);
  });

  test('carriage returns within a line and empty lines are kept', async () => {
    const run = await server.run('carriage');
    const messages = await server.messages(run.run_id);
    expect(messages.map((message) => message.replace(/\r$/, ''))).toEqual(['one\rtwo', 'three', '']);
  });

  test('a script that prints the spool’s own marks can only mislabel its own lines', async () => {
    const run = await server.run('marks');
    expect(run).toMatchObject({ status: 'success' });
    expect((await server.messages(run.run_id)).at(-1)).toBe('\u001b[31mred');
    const { progress } = await server.json<{ progress: { percent: number } | null }>(`/runs/${run.run_id}`);
    expect(progress?.percent ?? 0).toBeLessThanOrEqual(100);
  });

  test('if a log exceeds logs.max_size, its middle is left out with a mark, and its end is kept', async () => {
    const run = await server.run('flood');
    expect(run).toMatchObject({ status: 'success' });
    const text = await (await server.fetch(`/runs/${run.run_id}/logs`, { headers: { accept: 'text/plain' } })).text();
    expect(text.length).toBeLessThan(3_600_000);
    const lines = text.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^1 zzz/);
    expect(lines.at(-1)).toMatch(/^60000 zzz/);
    expect(lines.filter((line) => !/^\d+ z+$/.test(line))).toHaveLength(1);
  });

  test.each([
    ['too-big', 'artifact_too_large', /big\.bin/],
    ['over-quota', 'quota_exceeded', /quota/],
  ])('%s fails with %s, names the cause, and leaves no incomplete artifact', async (jobId, reason, says) => {
    const run = await server.run(jobId);
    expect(run).toMatchObject({ status: 'failed', reason, error: { message: expect.stringMatching(says) } });
    for (const { id } of await server.artifacts(run.run_id)) {
      expect((await server.fetch(`/artifacts/${id}`)).status).toBe(200);
    }
  });

  test.each([
    ['missing-interpreter', /first line/],
    ['missing-program', /no-such-program-here/],
  ])('%s fails with start_failed and says what is missing', async (jobId, says) => {
    expect(await server.run(jobId)).toMatchObject({
      status: 'failed',
      reason: 'start_failed',
      error: { message: expect.stringMatching(says) },
    });
  });

  test('a script that bash cannot parse fails, and the log says where', async () => {
    const run = await server.run('syntax-error');
    expect(run).toMatchObject({ status: 'failed', reason: 'exit' });
    expect((await server.messages(run.run_id)).join('\n')).toMatch(/syntax error/);
  });

  test('invalid outputs fail the run, or are named in its log', async () => {
    const run = await server.run('no-outputs');
    expect(run.status === 'failed' || (await server.messages(run.run_id)).join().includes('output')).toBe(true);
  });

  test.each([
    ['closes-streams', { status: 'failed', exit_code: 5 }],
    ['deletes-all', { status: 'success' }],
    ['stops-itself', { status: 'failed', reason: 'timeout' }],
    ['forks', { status: 'success' }],
  ])('%s ends as %j', async (jobId, ending) => {
    expect(await server.run(jobId)).toMatchObject(ending);
  });
});
