import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Lexer, Parser, stringify } from 'yaml';
import { expectWithin, msOf } from '../support/goes.ts';
import { definitionOf, errorsIn, read } from './a-job-file.ts';
import type { Files } from './source-fixture.ts';

test('the definition of a job has every key of its config.yaml', async () => {
  const definition = await definitionOf(`name: Daily backup
description: Back one directory up to another
version: 2.1.0
tags: [backup, daily]
enabled: false
executor: proc
command: [./run.sh, --fast]
ulc_profile: ulc.shell.bash
argspec:
  type: object
  required: [target]
  properties:
    target: {type: string, format: path}
    token: {type: string, format: secret, default: {secret: registry}}
env: {LANG: C.UTF-8, TOKEN: {secret: token}}
timeouts: {run: 1h30m, step: 15m, queue: 10m}
cancel: {signal: INT, grace: 0s}
run_as: backup
security_profile: permissive
permissions:
  network: all
  read: [/etc/ssl, {arg: target}]
  write: [data]
  resources: {cpu: 1.5, memory: 1GiB, pids: 256, workspace: 20MB}
artifacts: {paths: ["*.tar.gz", {path: out/report.md, name: report, media_type: text/markdown}], mode: immutable, ttl: 30d}
logs: {max_size: 64MiB}
retry: {limit: 3, backoff: fixed, delay: 2s, max_delay: 30s, on: [1, 75]}
concurrency: {limit: 2, key: args.target, on_conflict: reject}
on_lost: retry
schedules: []
agents: {expose: true, idempotent: true}
expect: {duration: auto, by: "06:00", every: 1d}
webhooks: [{name: w, scheme: hmac, secret: key, header: X-Proof, if: 'has(body.x)', headers: [X-A], wait: 5s, args: {target: body.x}}]
`);
  expect(definition).toEqual({
    id: 'j',
    name: 'j',
    namespace: '',
    title: 'Daily backup',
    description: 'Back one directory up to another',
    version: '2.1.0',
    tags: ['backup', 'daily'],
    enabled: false,
    source: 'local',
    path: '.',
    executor: 'proc',
    expect: { durationMs: 'auto', by: '06:00', everyMs: 86_400_000 },
    image: null,
    argspec: {
      type: 'object',
      required: ['target'],
      properties: {
        target: { type: 'string', format: 'path' },
        token: { type: 'string', format: 'secret', default: { secret: 'registry' } },
      },
    },
    secretArgs: ['token'],
    env: { LANG: 'C.UTF-8', TOKEN: { secret: 'token' } },
    composition: 'single',
    steps: [
      {
        id: 'step_01',
        name: null,
        action: { kind: 'command', command: ['./run.sh', '--fast'], ulcProfile: 'ulc.shell.bash' },
        needs: [],
        condition: null,
        matrix: null,
        foreach: null,
        retry: { limit: 3, backoff: 'fixed', delayMs: 2_000, maxDelayMs: 30_000, on: [1, 75] },
        timeoutMs: 900_000,
        continueOnError: false,
        always: false,
      },
    ],
    concurrency: { limit: 2, key: 'args.target', onConflict: 'reject' },
    onLost: 'retry',
    timeouts: { runMs: 5_400_000, stepMs: 900_000, queueMs: 600_000 },
    cancel: { signal: 'INT', graceMs: 0 },
    securityProfile: 'permissive',
    runAs: 'backup',
    permissions: {
      network: 'all',
      read: ['/etc/ssl', { arg: 'target' }],
      write: ['data'],
      resources: { cpu: 1.5, memoryBytes: 1_073_741_824, pids: 256, workspaceBytes: 20_000_000 },
    },
    artifacts: {
      paths: [
        { path: '*.tar.gz', name: null, mediaType: null },
        { path: 'out/report.md', name: 'report', mediaType: 'text/markdown' },
      ],
      ttlMs: 2_592_000_000,
    },
    logs: { maxSizeBytes: 67_108_864 },
    schedules: [],
    triggers: [],
    webhooks: [
      {
        name: 'w',
        scheme: 'hmac',
        header: 'x-proof',
        secrets: ['key'],
        condition: 'has(body.x)',
        args: { target: 'body.x' },
        headers: ['x-a'],
        waitMs: 5_000,
      },
    ],
    agents: { expose: true, readOnly: false, idempotent: true, detach: false, approval: false },
    notify: [],
    unsupported: [],
  });
});

test('a job with only a command gets the defaults', async () => {
  expect(await definitionOf('command: ./run.sh\n')).toMatchObject({
    title: null,
    version: '1.0.0',
    enabled: true,
    steps: [
      {
        id: 'step_01',
        action: { kind: 'command', command: ['./run.sh'], ulcProfile: 'ulc.shell.bash' },
        retry: { limit: 0, backoff: 'exponential', delayMs: 1_000, maxDelayMs: 60_000, on: null },
        timeoutMs: null,
      },
    ],
    concurrency: null,
    onLost: 'fail',
    argspec: { type: 'object', properties: {} },
    timeouts: { runMs: null, stepMs: null, queueMs: null },
    cancel: { signal: 'TERM', graceMs: 10_000 },
    securityProfile: null,
    runAs: null,
    permissions: {
      network: null,
      read: [],
      write: [],
      resources: { cpu: null, memoryBytes: null, pids: null, workspaceBytes: null },
    },
    logs: { maxSizeBytes: 1_073_741_824 },
    unsupported: [],
  });
});

test.each([
  ['', []],
  ['notify: {webhook: https://example.org/x}', [{ on: ['failed'], webhook: 'https://example.org/x' }]],
  [
    'notify: [{on: [success, cancelled], webhook: http://10.0.0.1:8080/a?b=c}, {webhook: https://example.org}]',
    [
      { on: ['success', 'cancelled'], webhook: 'http://10.0.0.1:8080/a?b=c' },
      { on: ['failed'], webhook: 'https://example.org' },
    ],
  ],
  [
    'notify: {channel: team, after: 3, repeat: 24h, digest: 10m}',
    [{ on: ['failed'], after: 3, repeatMs: 86_400_000, digestMs: 600_000, channel: 'team' }],
  ],
  [
    'notify: [{channel: team}, {channel: pager, on: [failed, fixed, still_failing, waiting_approval]}]',
    [
      { on: ['failed'], channel: 'team' },
      { on: ['failed', 'fixed', 'still_failing', 'waiting_approval'], channel: 'pager' },
    ],
  ],
])('notification rules: %j', async (text, notify) => {
  expect((await definitionOf(`command: ./run.sh\n${text}\n`)).notify).toEqual(notify);
});

test('keys that this version does not support are listed, so that a run can be refused', async () => {
  const single = await definitionOf(
    `command: ./x.ps1
artifacts: {default_key_pattern: "backups/{run_id}"}
`,
    { 'x.ps1': '1' },
  );
  expect(single.unsupported).toEqual(['ulc_profile: ulc.shell.pwsh', 'artifacts.default_key_pattern']);
  const container = await definitionOf('executor: container\nimage: busybox\n');
  expect(container.unsupported).toEqual(['executor: container']);
  const steps = await definitionOf('steps: [{id: a, script: ./run.sh}]\n');
  expect(steps).toMatchObject({ composition: 'steps', unsupported: [] });
});

describe('errors have their place and say what is wrong', () => {
  test.each([
    ['command: ./run.sh\nnmae: x', '2:1: unknown key `nmae`: did you mean `name`?'],
    ['command: ./run.sh\ntimeouts:\n  rum: 1h', '3:3: unknown key `rum`: did you mean `run`?'],
    [
      'command: ./run.sh\nlimits: {memory: 1GiB}',
      '2:1: unknown key `limits`: write `permissions: {resources: {memory: 512MiB}}`; `timeouts` limits the time',
    ],
    [
      'script: echo hi',
      '1:1: unknown key `script`: put the commands into a file such as ./run.sh, and write `command: ./run.sh`',
    ],
    ['command: ./run.sh\nnetwork: all', '2:1: unknown key `network`: write `permissions: {network: all}`'],
    ['command: ./run.sh\nqqqqqqq: x', '2:1: unknown key `qqqqqqq`'],
    [
      'command: ./run.sh\nretry: {max: 2}',
      '2:9: unknown key `max`: known here are `limit`, `backoff`, `delay`, `max_delay`, `on`',
    ],
    ['command: ./run.sh\nversion: 1.10', '2:10: `version` must be a string: put it in quotes'],
    ['command: ./run.sh\ntags: x', '2:7: `tags` must be a list, not a string'],
    ['command: ./run.sh\ntags: [a,\n  a]', '2:1: `tags` must not contain the same item twice'],
    ['command: ./run.sh\nnotify: {on: [failed]}', '2:1: `webhook` or `channel` is missing'],
    [
      'command: ./run.sh\nnotify: {channel: team, webhook: "https://example.org/"}',
      '2:10: `channel` and `webhook` must not be used together',
    ],
    ['command: ./run.sh\ntriggers: [{on: [success]}]', '2:12: a trigger needs one of `job`, `files` and `check`'],
    [
      'command: ./run.sh\ntriggers: [{job: a, files: /srv}]',
      '2:21: `files` and `job` must not be used together: write two triggers',
    ],
    ['command: ./run.sh\ntriggers: [{job: a, settle: 5s}]', '2:21: `settle` is only for triggers with `files`'],
    [
      'command: ./run.sh\ntriggers: [{files: /srv, settle: soon}]',
      '2:34: `triggers.0.settle` must be a duration such as `30s` or `1h30m`',
    ],
    [
      'command: ./run.sh\ntriggers: [{files: /srv, if: run.status}]',
      '2:30: `if`: there is no name `run`: there are file',
    ],
    [
      'command: ./run.sh\ntriggers: [{files: /srv, args: {}}, {files: /srv, settle: 1s}]',
      '2:37: `triggers.0` follows the same files',
    ],
    ['command: ./run.sh\ntriggers: [{check: ./no.sh}]', "2:20: `./no.sh` is not in the job's folder"],
    ['command: ./run.sh\ntriggers: [{check: ./run.sh, every: 30d}]', '2:37: `every` must be between 5s and 7d'],
    [
      'command: ./run.sh\ntriggers: [{files: /srv, match: a/b}]',
      '2:33: `match` must not contain `/`: only files directly in the folder count',
    ],
    [
      'command: ./run.sh\ntriggers: [{files: /srv}, {files: /srv, settle: 1s, match: "*"}]',
      '2:27: `triggers.0` follows the same files',
    ],
    ['command: ./run.sh\ntriggers: [{check: ./run.sh, every: 1s}]', '2:37: `every` must be between 5s and 7d'],
    [
      'command: ./run.sh\ntriggers: [{job: a, on: [ended]}]',
      '2:26: `triggers.0.on.0` must be one of "success", "failed", "cancelled"',
    ],
    [
      'command: ./run.sh\ntriggers: [{job: a, if: runn.status}]',
      '2:25: `if`: there is no name `runn`: did you mean `run`?',
    ],
    ['command: ./run.sh\ntriggers: [{job: a, if: "1 + 1"}]', '2:25: `if` must give true or false, but gives int'],
    ['command: ./run.sh\ntriggers: [{job: a, if: args.y}]', '2:25: `if`: there is no name `args`: there are run'],
    [
      'command: ./run.sh\nargs: [{name: xy}]\ntriggers: [{job: a, args: {x: run.status}}]',
      '3:28: there is no argument `x`: did you mean `xy`?',
    ],
    [
      'command: ./run.sh\nargs: [{name: y, required: true}]\ntriggers: [{job: a}]',
      '3:12: the required argument `y` is missing',
    ],
    ['command: ./run.sh\ntriggers: [{job: a}, {job: a}]', '2:22: this trigger is the same as `triggers.0`'],
    [
      'command: ./run.sh\nnotify: [{webhook: "https://a:b@example.org/"}]',
      '2:20: `notify.0.webhook` must be an http or https URL without a user and password',
    ],
    [
      'command: ./run.sh\nnotify: {webhook: "https://example.org/", digest: 10m}',
      '2:43: `digest` needs a `channel`: a webhook gets each notification separately',
    ],
    ['command: ./run.sh\nexecutor: docker', '2:11: `executor` must be one of "proc", "container"'],
    [
      'command: ./run.sh\ntimeouts: {run: 60}',
      '2:17: `timeouts.run` must be a duration above zero such as `30s` or `1h30m`',
    ],
    [
      'command: ./run.sh\ntimeouts: {run: 0s}',
      '2:17: `timeouts.run` must be a duration above zero such as `30s` or `1h30m`',
    ],
    ['command: ./run.sh\ncancel: {grace: soon}', '2:17: `cancel.grace` must be a duration such as `30s` or `1h30m`'],
    ['command: ./run.sh\nlogs: {max_size: big}', '2:18: `logs.max_size` must be a size such as `512MiB` or `1GiB`'],
    [
      'command: ./run.sh\npermissions: {resources: {memory: 64M}}',
      '2:35: `permissions.resources.memory` must be a size such as `512MiB` or `1GiB`: did you mean `64MiB`?',
    ],
    [
      'command: ./run.sh\nartifacts: {mode: mutable}',
      '2:19: `artifacts.mode` must be `immutable`: for data that one run leaves to the next, use the key-value store (`flwd_kv_set`)',
    ],
    [
      'command: ./run.sh\nartifacts: {paths: [{path: x, media_type: "text/csv\\r\\nX: y"}]}',
      '2:43: `artifacts.paths.0.media_type` must be a media type such as `text/csv`',
    ],
    ['command: ./run.sh\nartifacts: {paths: [../x]}', '2:21: must be a path or pattern inside the workspace'],
    [
      'command: ./run.sh\nschedules: [{cron: hourly}]',
      '2:20: `schedules.0.cron` must be five fields such as `0 3 * * *`',
    ],
    [
      'command: ./run.sh\nschedules: [{cron: "0 3 * * *", timezone: Mars/X}]',
      '2:43: `schedules.0.timezone` must be a time zone such as `Europe/Berlin`, not `Mars/X`',
    ],
    [
      'command: ./run.sh\nschedules: [{cron: "0 3 * * *", timezone: Europe/Pris}]',
      '2:43: `schedules.0.timezone` must be a time zone such as `Europe/Berlin`, not `Europe/Pris`: did you mean `Europe/Paris`?',
    ],
    ['command: ./run.sh\nretry: 3', '2:8: `retry` must be a map of keys such as `{limit: 3}`'],
    ['command: ./run.sh\ntimeouts: 1h', '2:11: `timeouts` must be a map of keys such as `{run: 1h}`, not a string'],
    ['command: ./run.sh\nconcurrency: 1', '2:14: `concurrency` must be a map of keys such as `{limit: 1}`'],
    [
      'command: ./run.sh\nschedules: ["0 3 * * *"]',
      "2:13: `schedules.0` must be a map of keys such as `{cron: '0 3 * * *'}`, not a string",
    ],
    ['command: ./run.sh\nartifacts: [x]', "2:1: `artifacts` must be a map of keys such as `{paths: ['*.csv']}`"],
    [
      'command: ./run.sh\nnotify: ops',
      '2:9: `notify` must be a map of keys such as `{channel: NAME, on: [failed]}`, or a list of maps, not a string',
    ],
    ['command: ./run.sh\ncmd: ./run.sh', '2:1: unknown key `cmd`: write `command`'],
    ['command: ./run.sh\nschedules: [{timezone: UTC}]', '2:13: a schedule needs `cron`, or `at` for a single time'],
    ['command: ./run.sh\npermissions: {read: [{arg: path}]}', '2:28: there is no argument `path`'],
    ['command: ./run.sh\nimage: x', '2:1: `image` needs `executor: container`'],
    ['executor: container\ncommand: ./run.sh', '1:1: `executor: container` needs an `image`'],
    ['name: x', '1:1: `command` is missing: it says what the job runs'],
    ['command: ./run.sh\nenv: {LD_PRELOAD: /x.so}', '2:7: `LD_PRELOAD` is a variable that a job must not set'],
    [
      'command: ./run.sh\nenv: {A B: x}',
      '2:7: `A B` is not a variable name: use letters, digits and `_`, and do not begin with a digit',
    ],
    ['command: ./run.sh\nargs: [{name: a}]\nenv: {X: {secret: a}}', '3:19: the argument `a` is not `format: secret`'],
    ['command: ./run.sh\nargs: [{name: a}]\nenv: {a: x}', '3:7: the argument `a` would become the same variable'],
    ['command: ./run.sh\ncommand: ./run.sh', '2:1: `command` occurs twice, first on line 1: merge the two'],
    ['command: ./run.sh\nname: "a\\0b"', '2:7: must not contain a NUL character'],
    [
      'command: ./run.sh\n- x',
      '2:1: this line is not a key with `: `, or its indentation differs from the lines above',
    ],
    ['command: ./run.sh\n---\nname: x', '2:1: there is more than one document'],
    ['- a', '1:1: must be a map of keys'],
    ['command: *x', '1:10: there is no anchor `&x` above'],
    ['command: !run ./run.sh', '1:10: there is no tag !run: put it in quotes if it is a text'],
  ])('the first error of %j is reported at its place', async (config, error) => {
    expect((await errorsIn(config))[0]).toBe(error);
  });

  test('all errors of a file are reported at once, in the order of the file', async () => {
    expect(await errorsIn('nmae: x\ntimeouts: {run: 1, step: 2}\ncommand: {}\n')).toEqual([
      '1:1: unknown key `nmae`: did you mean `name`?',
      '2:17: `timeouts.run` must be a duration above zero such as `30s` or `1h30m`',
      '2:26: `timeouts.step` must be a duration above zero such as `30s` or `1h30m`',
      '3:1: `command` must be a string or a list',
    ]);
  });

  test('a key that occurs twice in a map of a quarter of a megabyte is found as quickly as the map is read', async () => {
    const keys = Array.from({ length: 12_000 }, (_, at) => `  k${at}: x`).join('\n');
    expect(await errorsIn(`command: ./run.sh\nenv:\n${keys}\n  k7: y\n`)).toEqual([
      '12003:3: `k7` occurs twice, first on line 10: merge the two',
    ]);
  });
});

describe('hostile text', () => {
  const size = 250_000;
  const tenfold = Array.from({ length: 9 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at}, `.repeat(9)}]`).join('\n');
  test.each([
    ['nested lists', '['.repeat(size), /nested deeper than 64 levels/],
    ['nested maps', '{a: '.repeat(size / 4), /nested deeper than 64 levels/],
    ['nested dashes', '- '.repeat(size / 2), /nested deeper than 64 levels/],
    ['a list that holds itself', 'command: &x [*x, *x]', /nested deeper than 64 levels/],
    ['aliases of aliases', `a0: &a0 [x]\n${tenfold}`, /aliases/],
    ['many aliases', `a: &a x\nb: [${'*a, '.repeat(50_000)}]`, /aliases|more than/],
    ['many commas', `[${'a,'.repeat(size / 2)}]`, /more than 100,000/],
    ['many documents', '---\n'.repeat(size / 4), /more than 100,000/],
    ['errors throughout', '- ]\n'.repeat(size / 4), /more than 100,000/],
  ])('with %s is refused, without delay', async (_, text, message) => {
    expect(await errorsIn(text)).toEqual([expect.stringMatching(message)]);
  });

  /** Returns the duration of a task divided by the duration of another task. */
  async function ratioOf(task: () => unknown, other: () => unknown): Promise<number> {
    const otherMs = await msOf(other);
    return (await msOf(task)) / otherMs;
  }
  function toTokens(text: string): number {
    const parser = new Parser();
    return [...new Lexer().lex(text)].flatMap((lexeme) => [...parser.next(lexeme)]).length;
  }

  test('thousands of aliases are refused at the first one over the limit, before anything is composed', async () => {
    const merges = Array.from({ length: 3_000 }, (_, at) => `y${at}: &y${at}\n  <<: [*x, *x, *x]`);
    const text = `x: &x {a: 1}\n${merges.join('\n')}\ncommand: ./run.sh\n`;
    expect(await errorsIn(text)).toEqual(['69:12: there are more than 100 aliases']);
    await expectWithin(1, () =>
      ratioOf(
        () => errorsIn(text),
        () => toTokens(text),
      ),
    );
  });

  test('many aliases in a long text cost hardly more than plain words in their place', async () => {
    const textWith = (word: string): string => {
      const members = Array.from({ length: 12_000 }, (_, at) => `  k${at}: ${at % 150 === 0 ? word : 'yy'}`);
      return `name: &x title\ncommand: ./run.sh\nenv:\n${members.join('\n')}\n`;
    };
    expect(await errorsIn(textWith('*x'))).toEqual([]);
    const [aliases, words] = [textWith('*x'), textWith('yy')];
    await expectWithin(2, () =>
      ratioOf(
        () => errorsIn(aliases),
        () => errorsIn(words),
      ),
    );
  });

  test('the reader never throws, whatever the text is', async () => {
    const piece = fc.constantFrom(
      ...'command: ./run.sh\n|argspec:\n|  type: object\n|  properties:\n|    a: {type: |string}\n|args: |[{name: a}]\n|steps: |- id: x\n'
        .concat(
          '|env:\n|  X: |{secret: a}|&a |*a|!t |null|1e999|"|\'|[|]|{|}|: |, |- |? |#|%|@|`|<<: |\t|\r\n|é|\u0000|\ufeff|---\n|...\n',
        )
        .split('|'),
    );
    const text = fc.oneof(
      fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join('')),
      fc.string(),
    );
    await fc.assert(
      fc.asyncProperty(text, async (config) => {
        const job = await read(config);
        expect('id' in job || job.length > 0).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('the reader never throws, whatever the values of the keys are', async () => {
    const keys =
      'name command argspec args env composition steps timeouts cancel retry permissions artifacts schedules';
    const config = fc.dictionary(fc.constantFrom(...keys.split(' ')), fc.jsonValue({ maxDepth: 4 }), { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(config, async (value) => {
        const job = await read(stringify({ command: './run.sh', ...value }));
        expect('id' in job || job.length > 0).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the command of a job', () => {
  const files: Files = {
    'a.py': '',
    'a.mjs': '',
    'plain-bash': '#!/usr/bin/env -S bash -e\n',
    'plain-python': '#!/usr/bin/python3.13\n',
    'plain-sh': '#!/bin/sh\n',
    'not-executable': 'x',
    'inner/config.yaml': 'command: ./run.sh\n',
    'inner/run.sh': '#!/bin/bash\n',
    outside: { link: '/etc/passwd' },
    linked: { link: 'lib/x.sh' },
  };
  test.each([
    ['./run.sh', 'ulc.shell.bash'],
    ['./a.py', 'ulc.python.3'],
    ['./a.mjs', 'ulc.node'],
    ['./plain-bash', 'ulc.shell.bash'],
    ['./plain-python', 'ulc.python.3'],
    ['./plain-sh', 'ulc.exec'],
    ['./linked', 'ulc.shell.bash'],
    ['[./lib/x.sh, --flag, ./data]', 'ulc.shell.bash'],
    ['[python3, ./a.py]', 'ulc.exec'],
    ['tar', 'ulc.exec'],
    ['/usr/bin/env', 'ulc.exec'],
  ])('%s has the language %s', async (command, profile) => {
    expect((await definitionOf(`command: ${command}\n`, files)).steps[0]?.action).toMatchObject({
      ulcProfile: profile,
    });
  });

  test.each([
    [
      './run.sh --fast  now',
      '1:10: a string must be a single path, because flwd does not split it: write a list, [./run.sh, --fast, now]',
    ],
    ...(
      [
        ['echo hi && echo ho', '"echo hi && echo ho"'],
        ['ls *.csv', '"ls *.csv"'],
        ['echo $HOME > "a b"', '"echo $HOME > \\"a b\\""'],
        ['A=1 tar', '"A=1 tar"'],
      ] as const
    ).map(([line, quoted]): [string, string] => [
      line,
      `1:10: a string must be a single path, because flwd does not split it: write [bash, -c, ${quoted}], or put the line into a script`,
    ]),
    ['./gone.sh', "1:10: `./gone.sh` is not in the job's folder"],
    ['[python3, ./gone.py]', "1:20: `./gone.py` is not in the job's folder"],
    ['./../x', "1:10: `./../x` lies outside the job's folder"],
    ['./outside', '1:10: `./outside` is a broken link, or leads outside the source'],
    ['./inner/run.sh', '1:10: `./inner/run.sh` belongs to another job'],
    ['./lib', '1:10: `./lib` is not a regular file'],
    ['./run.sh/x', "1:10: `./run.sh/x` is not in the job's folder"],
    [
      './not-executable',
      '1:10: `./not-executable` is not executable, and neither its ending nor a `#!` line names a language: run chmod +x, or add an ending or a `#!` line',
    ],
    ['run.sh', "1:10: `run.sh` would be searched for in PATH: write ./run.sh to use the job's own file"],
    ['lib/x.sh', '1:10: `lib/x.sh` is neither a program in PATH nor a file of the job: write ./lib/x.sh'],
    ['""', '1:10: `command` must have at least 1 character'],
    ['[]', '1:1: `command` must have at least 1 item'],
    ['[""]', '1:11: the program is missing: the first word must not be empty'],
    ['[tar, 5]', '1:16: `command.1` must be a string: put it in quotes'],
  ])('%s is refused', async (command, error) => {
    expect(await errorsIn(`command: ${command}\n`, files)).toEqual([error]);
  });

  test('with a language must name a file of the job', async () => {
    expect(await errorsIn('command: bash\nulc_profile: ulc.shell.bash\n')).toEqual([
      '1:10: ulc.shell.bash runs a file of the job, so the command must begin with ./',
    ]);
  });
});
