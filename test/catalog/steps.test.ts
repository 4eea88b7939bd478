import { describe, expect, test } from 'vitest';
import { expectWithin, msOf } from '../support/goes.ts';
import { definitionOf, errorsIn } from './a-job-file.ts';

/** One step per line, in flow style, so the line of an error is the step's number plus one. */
function steps(...lines: readonly string[]): string {
  return ['steps:', ...lines.map((line) => `  - {${line}}`)].join('\n');
}

function numbers(count: number): string {
  return Array.from({ length: count }, (_, at) => at).join();
}

function chainOf(count: number): string {
  return steps(
    ...Array.from({ length: count }, (_, at) => {
      const needs = at === 0 ? '[]' : `[s${at - 1}]`;
      return `id: s${at}, command: 'true', needs: ${needs}`;
    }),
  );
}

test('the definition of a step has every key of the step', async () => {
  const { composition, steps: defined } = await definitionOf(`args: [{name: env}]
steps:
  - id: build
    name: Build
    script: ./lib/x.sh
    matrix: {node: [22, 24], os: [linux]}
    retry: {limit: 3, backoff: fixed, delay: 2s, max_delay: 5m, on: [1, 75]}
    timeout: 5m
  - {id: ask, approval: {text: Ship it?, by: [ada]}, needs: [build], if: 'args.env == "production"'}
  - {id: ship, job: other/job, args: {a: 1, b: {from: 'steps.build.outputs.tag[0]'}}, needs: [build, ask]}
  - {id: clean, command: [rm, -rf, x], needs: [ship], always: true, continue_on_error: true, foreach: steps.build.outputs.items}
`);
  const plain = { name: null, condition: null, matrix: null, foreach: null, timeoutMs: null };
  const once = { limit: 0, backoff: 'exponential', delayMs: 1_000, maxDelayMs: 60_000, on: null };
  const rest = { continueOnError: false, always: false };
  expect(composition).toBe('steps');
  expect(defined).toEqual([
    {
      ...plain,
      ...rest,
      id: 'build',
      name: 'Build',
      action: { kind: 'command', command: ['./lib/x.sh'], ulcProfile: 'ulc.shell.bash' },
      needs: [],
      matrix: { node: [22, 24], os: ['linux'] },
      retry: { limit: 3, backoff: 'fixed', delayMs: 2_000, maxDelayMs: 300_000, on: [1, 75] },
      timeoutMs: 300_000,
    },
    {
      ...plain,
      ...rest,
      id: 'ask',
      action: { kind: 'approval', text: 'Ship it?', by: ['ada'], notByStarter: false },
      needs: ['build'],
      condition: 'args.env == "production"',
      retry: once,
    },
    {
      ...plain,
      ...rest,
      id: 'ship',
      action: { kind: 'job', jobId: 'other/job', args: { a: 1, b: { from: 'steps.build.outputs.tag[0]' } } },
      needs: ['build', 'ask'],
      retry: once,
    },
    {
      ...plain,
      id: 'clean',
      action: { kind: 'command', command: ['rm', '-rf', 'x'], ulcProfile: 'ulc.exec' },
      needs: ['ship'],
      foreach: 'steps.build.outputs.items',
      retry: once,
      continueOnError: true,
      always: true,
    },
  ]);
});

test('a step without its own retry, step timeout or language gets those of its job', async () => {
  const { steps: defined } = await definitionOf(`retry: {limit: 2}
timeouts: {step: 1m}
ulc_profile: ulc.python.3
steps:
  - {id: a, script: ./data}
  - {id: b, command: [ls, ./data], retry: {limit: 0}, timeout: 2m}
  - {id: c, approval: {text: Go?}}
`);
  expect(defined).toMatchObject([
    { action: { ulcProfile: 'ulc.python.3' }, retry: { limit: 2 }, timeoutMs: 60_000 },
    { action: { ulcProfile: 'ulc.exec' }, retry: { limit: 0 }, timeoutMs: 120_000 },
    { action: { by: null }, retry: { limit: 0 }, timeoutMs: null },
  ]);
});

test('concurrency with only a limit applies to all runs of the job together, and the others queue', async () => {
  expect((await definitionOf('command: ./run.sh\nconcurrency: {limit: 1}')).concurrency).toEqual({
    limit: 1,
    key: null,
    onConflict: 'queue',
  });
});

describe('a config.yaml is refused', () => {
  test.each([
    [steps('id: a, script: ./run.sh, needs: [qqqq]'), '2:39: there is no step `qqqq`'],
    [
      steps('id: build, script: ./run.sh', 'id: x, script: ./run.sh, needs: [biuld]'),
      '3:39: there is no step `biuld`: did you mean `build`?',
    ],
    [
      steps('id: a, script: ./run.sh, needs: [b]', 'id: b, script: ./run.sh, needs: [a]'),
      '2:31: the steps need each other in a cycle: a → b → a',
    ],
    [
      steps(
        'id: a, script: ./run.sh, needs: [b]',
        'id: b, script: ./run.sh, needs: [c]',
        'id: c, script: ./run.sh, needs: [b]',
      ),
      '3:31: the steps need each other in a cycle: b → c → b',
    ],
    [steps('id: a, script: ./run.sh, needs: [a]'), '2:31: the steps need each other in a cycle: a → a'],
    [steps('id: a, script: ./run.sh', 'id: a, script: ./run.sh'), '3:10: another step already has the id `a`'],
    [
      steps('id: a-b, script: ./run.sh', 'id: A_b, script: ./run.sh'),
      '3:10: the outputs of `a-b` and `A_b` would become the same variables',
    ],
    [steps('id: a'), '2:5: a step must have exactly one of script, command, job, approval, but `a` has none of them'],
    [
      steps('id: a, script: ./run.sh, approval: {text: x}'),
      '2:5: a step must have exactly one of script, command, job, approval, but `a` has 2',
    ],
    [steps('id: a, script: ./gone.sh'), "2:21: `./gone.sh` is not in the job's folder"],
    [
      steps('id: a, script: tar'),
      '2:21: a script is a file of the job, so it must begin with ./ (put commands into a file such as ./run.sh)',
    ],
    [
      steps('id: a, run: make'),
      '2:13: unknown key `run`: did you mean `command: [..]`, or `script: ./file` for a file of the job?',
    ],
    [steps('id: a, script: ./run.sh, depends_on: [b]'), '2:31: unknown key `depends_on`: write `needs`'],
    [
      steps('id: a, approval: {text: x, timeout: 1h}'),
      '2:33: unknown key `timeout`: write `timeout` in the step, beside `approval`',
    ],
    [steps('id: a, script: ./run.sh, timeut: 5m'), '2:31: unknown key `timeut`: did you mean `timeout`?'],
    [steps('id: a, script: ./run.sh, args: {}'), '2:31: `args` are only allowed in a step with `job`'],
    [
      steps('id: a, approval: {text: x}, retry: {limit: 1}'),
      '2:34: an approval is never retried: `retry` is only allowed in other steps',
    ],
    [
      steps('id: a, job: ../b'),
      "2:18: `../b` cannot be the id of a job: the folder name `..` cannot be part of a job's id: " +
        'use letters, digits, `.`, `_` and `-`, and begin with a letter or digit',
    ],
    [
      'composition: single\nsteps: [{id: a, script: ./run.sh}]\ncommand: ./run.sh',
      '2:1: a job with `composition: single` must not have `steps`',
    ],
    ['composition: steps', '1:1: `composition: steps` needs `steps`'],
    [
      'steps: [{id: a, script: ./run.sh}]\ncommand: ./run.sh',
      '2:1: a job with steps must not have a `command`: each step has its own',
    ],
    ['command: ./run.sh\nconcurrency: {key: "1"}', '2:1: `limit` is missing'],
  ])('if it is %j', async (config, error) => {
    expect(await errorsIn(config)).toEqual([error]);
  });

  test.each([
    ['matrix: {x: [1], X: [2]}', '2:48: `x` and `X` would become the same variable'],
    ['matrix: {x: [1]}, foreach: args', '2:49: `matrix` and `foreach` must not be used together'],
    [
      'matrix: {"a b": [1]}',
      '2:40: the name of a matrix variable must begin with a letter and contain only letters, digits, `_` and `-`',
    ],
    ['matrix: {x: [22, "22"]}', '2:48: `22` would be the same instance as an earlier value'],
    [
      'matrix: {x: ["a]"]}',
      '2:44: a value must have 1 to 100 characters, without `[`, `]`, commas and control characters',
    ],
    [
      `matrix: {x: [${numbers(26)}], y: [${numbers(20)}]}`,
      '2:31: the matrix makes 520 instances, more than the 500 allowed',
    ],
  ])('if a step has %s', async (keys, error) => {
    expect(await errorsIn(steps(`id: a, script: ./run.sh, ${keys}`))).toEqual([error]);
  });
});

describe('a job of 500 steps', () => {
  test('may be one chain; 501 steps are refused', async () => {
    expect((await definitionOf(chainOf(500))).steps).toHaveLength(500);
    expect(await errorsIn(chainOf(501))).toEqual(['1:1: `steps` must have at most 500 items']);
  });

  test('with a cycle through all of them is refused', async () => {
    const [error] = await errorsIn(chainOf(500).replace('needs: []', 'needs: [s499]'));
    expect(error).toBe('2:31: the steps need each other in a cycle: s0 → s499 → s498 → s497 → … → s2 → s1 → s0');
  });

  test('whose steps all refer to the first is read in less than quadratic time', async () => {
    const lines = Array.from({ length: 500 }, (_, at) => {
      const needs = at === 0 ? '' : `, needs: [s${at - 1}], if: 'steps.s0.status == "success"'`;
      return `id: s${at}, command: 'true'${needs}`;
    });
    const read = async () => expect((await definitionOf(steps(...lines))).steps).toHaveLength(500);
    await expectWithin(2_000, () => msOf(read));
  });
});

describe('an expression', () => {
  const before = 'args: [{name: env}, {name: token, format: secret}]\n';
  const withKey = (key: string) => `${before}${steps('id: a, script: ./run.sh', 'id: b, script: ./run.sh', key)}`;

  test.each([
    ["id: c, script: ./run.sh, if: 'args.env =='", '5:35: `if`: unexpected token: its end (character 12)'],
    ["id: c, script: ./run.sh, if: '1 + 1'", '5:35: `if` must give true or false, but gives an int'],
    [
      'id: c, script: ./run.sh, if: env',
      '5:35: `if`: there is no name `env`: there are args, steps, run, item, matrix',
    ],
    ['id: c, script: ./run.sh, if: arg.env', '5:35: `if`: there is no name `arg`: did you mean `args`?'],
    ['id: c, script: ./run.sh, if: args.evn', '5:35: `if`: there is no argument `evn`: did you mean `env`?'],
    ['id: c, script: ./run.sh, if: args.token', '5:35: `if`: `token` is a secret, and expressions cannot read secrets'],
    [
      'id: c, script: ./run.sh, foreach: 1 + 1',
      '5:40: `foreach` must give a list, or text with one item per line, but gives an int',
    ],
    [
      'id: c, script: ./run.sh, foreach: steps.aa.outputs.x',
      '5:40: `foreach`: there is no step `aa`: did you mean `a`?',
    ],
    [
      'id: c, script: ./run.sh, needs: [a], if: \'steps["b"].status == "failed"\'',
      '5:47: `if`: `c` does not need `b`, so `b` may still be running: add it to `needs`',
    ],
    ['id: c, script: ./run.sh, if: steps.c.x', '5:35: `if`: `c` cannot use its own outputs: it has not ended yet'],
    [
      'id: c, job: x, args: {v: {from: steps.b.x}}',
      '5:38: `from`: `c` does not need `b`, so `b` may still be running: add it to `needs`',
    ],
    ['id: c, job: x, args: {v: {from: item}}', '5:38: `from`: `item` exists only in a step with `foreach`'],
    [
      'id: c, job: x, matrix: {n: [1]}, args: {v: {from: matrix.m}}',
      '5:56: `from`: the matrix has no `m`: there are n',
    ],
    [
      'id: c, script: ./run.sh, foreach: args.env, if: item',
      '5:54: `if`: `item` can be used only in the `args` of a sub-run',
    ],
    [
      'id: c, script: ./run.sh, if: \'args.env.mtaches("x")\'',
      '5:35: `if`: there is no function `mtaches`: did you mean `matches`?',
    ],
    [`id: c, script: ./run.sh, if: '${'!'.repeat(2_000)}true'`, '5:35: `if`: it is longer than 2,000 characters'],
  ])('is refused in %s', async (key, error) => {
    expect(await errorsIn(withKey(key))).toEqual([error]);
  });

  test.each([
    ['args.', '3:30: `key`: expected a name, got its end (character 6)'],
    ['run.id', '3:30: `key`: it is evaluated before the run starts, so it can use only `args`'],
    ['"[args.env]"', '3:30: `key` must give text, a number, or true or false, but gives a list'],
  ])('is refused as the key of concurrency: %s', async (key, error) => {
    expect(
      await errorsIn(`${before}command: ./run.sh\nconcurrency: {limit: 1, key: ${key}}`.replace('\n', '\n')),
    ).toEqual([error]);
  });

  test.each([
    'id: c, script: ./run.sh, needs: [b], if: \'steps.b.status == "failed" && args.env != "x"\'',
    'id: c, job: x, foreach: args.env, args: {v: {from: item}, w: {from: run.id}, x: {from: y, of: z}}',
    'id: c, job: x, matrix: {n: [1]}, args: {v: {from: matrix.n}}',
    'id: c, script: ./run.sh, needs: [b], if: \'steps.all(s, steps[s].status == "success")\'',
  ])('is accepted in %s', async (key) => {
    expect(await errorsIn(withKey(key))).toEqual([]);
  });

  test('may use a step that is needed only through another step', async () => {
    const lines = [
      'id: a-1, script: ./run.sh',
      'id: b, script: ./run.sh, needs: [a-1]',
      'id: c, script: ./run.sh, needs: [b], if: \'steps["a-1"].outputs.tag == "1"\'',
    ];
    expect(await errorsIn(steps(...lines))).toEqual([]);
  });
});
