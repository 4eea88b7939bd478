// A config.yaml that was written for another implementation of flwd either keeps its meaning, or is refused with a
// sentence that names what to write. One row for each example of the documented job files, in our own words.

import { afterAll, expect, test } from 'vitest';
import { startServing } from '../server/serving.ts';

type Row = {
  readonly example: string;
  readonly yaml: string;
  readonly files?: Readonly<Record<string, string>>;
  /** Members of the job in the API. */
  readonly job?: Readonly<Record<string, unknown>>;
  /** Members of its plan. */
  readonly plan?: Readonly<Record<string, unknown>>;
  readonly args?: Readonly<Record<string, unknown>>;
  /** The errors of the file, in order. */
  readonly refused?: readonly (string | RegExp)[];
};

const script = '#!/usr/bin/env bash\n';
const later = (detail: RegExp) => ({
  denied: { type: 'https://flowd.org/problems/not-supported-yet', detail: expect.stringMatching(detail) },
});
const network = /^unknown key `serviceBindings`: .*write `permissions: \{network: all\}`/;

const rows: readonly Row[] = [
  {
    example: 'a minimal job',
    yaml: `
name: "Nightly copy"
description: "Copies what matters"
executor: "proc"
ulc_profile: "ulc.shell.bash"
command: "./run.sh"`,
    job: { title: 'Nightly copy', description: 'Copies what matters', executor: 'proc', composition: 'single' },
    plan: { executor: 'proc', denied: null },
  },
  {
    example: 'a description of several lines',
    yaml: 'name: Copy\ndescription: |\n  Copies.\n  Packs.\ncommand: ./run.sh',
    job: { description: 'Copies.\nPacks.\n' },
  },
  {
    example: 'a job in a container',
    yaml: 'executor: container\nimage: "registry.example/copy:1@sha256:00"\ncommand: /app/copy',
    job: { executor: 'container' },
    plan: later(/'executor: container' in the job .*: install on the host what the script needs, and leave `executor`/),
  },
  {
    example: 'a job in PowerShell',
    yaml: 'ulc_profile: ulc.shell.pwsh\ncommand: ./main.ps1',
    files: { 'main.ps1': 'Write-Host hi\n' },
    plan: later(/'ulc_profile: ulc\.shell\.pwsh' in the job .*: write `command: \[pwsh, /),
  },
  {
    example: 'a job in Python',
    yaml: 'ulc_profile: ulc.python.3\ncommand: ./main.py',
    files: { 'main.py': 'print(1)\n' },
    plan: { denied: null },
  },
  {
    example: 'typed arguments',
    yaml: `
command: ./run.sh
argspec:
  type: object
  properties:
    target: { type: string, description: Where to, default: /mnt/copy }
    pack: { type: boolean, default: true }
    keep_days: { type: integer, minimum: 1, maximum: 365, default: 7 }
  required: [target]`,
    args: { target: '/mnt/other' },
    plan: { args: { target: '/mnt/other', pack: true, keep_days: 7 } },
  },
  {
    example: 'a secret argument, without type: object',
    yaml: 'command: ./run.sh\nargspec: { properties: { api_key: { type: string, format: secret } } }',
    job: { args: { type: 'object', properties: { api_key: { type: 'string', format: 'secret' } } } },
    args: { api_key: 'not-shown-to-anyone' },
    plan: { args: { api_key: '[redacted]' }, secrets: ['api_key'] },
  },
  {
    example: 'arguments of every kind, without type: object',
    yaml: `
command: ./run.sh
argspec:
  properties:
    target: { type: string }
    count: { type: integer }
    enabled: { type: boolean }
    tags: { type: array, items: { type: string } }`,
    args: { target: 'a', count: 2, enabled: false, tags: ['x', 'y'] },
    plan: { args: { target: 'a', count: 2, enabled: false, tags: ['x', 'y'] } },
  },
  {
    example: 'arguments as a list below argspec',
    yaml: `
command: ./run.sh
argspec:
  args:
    - { name: who, type: string, description: Whom to greet, required: true }
    - { name: loud, type: boolean, default: false }
    - { name: tags, type: array, items_type: string, items_enum: [a, b] }
    - { name: sizes, type: object, value_type: integer }
    - { name: token, type: string, secret: true }`,
    job: {
      args: {
        type: 'object',
        properties: {
          who: { type: 'string', description: 'Whom to greet' },
          loud: { type: 'boolean', default: false },
          tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
          sizes: { type: 'object', additionalProperties: { type: 'integer' } },
          token: { type: 'string', format: 'secret' },
        },
        required: ['who'],
      },
    },
  },
  {
    example: 'arguments as a map, with the short types',
    yaml: `
command: ./run.sh
env: { FIXED: "always" }
arguments:
  user: { type: string, default: admin, description: The user }
  debug: { type: bool, default: false }
  retries: { type: int, required: true }
  mode: { type: string, choices: [fast, safe] }`,
    job: {
      args: {
        type: 'object',
        properties: {
          user: { type: 'string', default: 'admin', description: 'The user' },
          debug: { type: 'boolean', default: false },
          retries: { type: 'integer' },
          mode: { type: 'string', enum: ['fast', 'safe'] },
        },
        required: ['retries'],
      },
    },
  },
  {
    example: 'a mistake in a map of arguments',
    yaml: 'command: ./run.sh\narguments:\n  user: { type: string, choises: [a] }\n  debug: { secret: 3 }',
    refused: ['unknown key `choises`', 'unknown key `secret`'],
  },
  {
    example: 'types with names that every object has',
    yaml: 'command: ./run.sh\narguments:\n  a: { type: constructor }\n  __proto__: { type: string }',
    refused: [/must be one of "array"/, /the argument name `__proto__`/],
  },
  {
    example: 'arguments in two forms',
    yaml: 'command: ./run.sh\narguments: {}\nargs: []',
    refused: ['`arguments` and `args` must not be used together'],
  },
  {
    example: 'one unit of work',
    yaml: 'composition: single\ncommand: ./run.sh',
    job: { composition: 'single' },
  },
  {
    example: 'steps in a row',
    yaml: `
composition: steps
steps:
  - { id: prepare, name: Get ready, script: ./run.sh }
  - { id: copy, script: ./run.sh, needs: [prepare] }
  - { id: verify, script: ./run.sh, needs: [copy] }`,
    job: { composition: 'steps' },
    plan: {
      steps: [
        { step_id: 'prepare', needs: [] },
        { step_id: 'copy', needs: ['prepare'] },
        { step_id: 'verify', needs: ['copy'] },
      ],
      denied: null,
    },
  },
  ...['secure', 'permissive'].map((profile) => ({
    example: `security_profile: ${profile}`,
    yaml: `security_profile: "${profile}"\ncommand: ./run.sh`,
    plan: { security: expect.objectContaining({ profile }), denied: null },
  })),
  {
    example: 'exec_profile: standard',
    yaml: 'exec_profile: standard\ncommand: ./run.sh',
    plan: { security: expect.objectContaining({ profile: 'secure' }), denied: null },
  },
  {
    example: 'exec_profile: privileged',
    yaml: 'exec_profile: privileged\ncommand: ./run.sh',
    refused: [/^`exec_profile` must be `standard`: a job gets more rights with `security_profile`/],
  },
  {
    example: 'timeouts',
    yaml: 'timeouts: { run: 1h, step: 15m }\ncommand: ./run.sh',
    plan: { timeouts: { run: '1h', step: '15m', queue: null } },
  },
  {
    example: 'immutable artifacts with a key of their own',
    yaml: 'artifacts: { mode: immutable, default_key_pattern: "copies/{run_id}" }\ncommand: ./run.sh',
    plan: later(/'artifacts\.default_key_pattern' in the job .*: leave it out; `flwd artifacts RUN` lists/),
  },
  {
    example: 'mutable artifacts',
    yaml: 'artifacts: { mode: mutable, default_key_pattern: state/latest }\ncommand: ./run.sh',
    refused: [
      /^`artifacts\.mode` must be `immutable`: for data that one run leaves to the next, use the key-value store/,
    ],
  },
  { example: 'services', yaml: 'serviceBindings: [postgres, redis]\ncommand: ./run.sh', refused: [network] },
  {
    example: 'a whole job that dumps a database',
    yaml: `
name: Dump
executor: proc
ulc_profile: ulc.shell.bash
command: ./run.sh
argspec:
  type: object
  properties:
    database: { type: string, default: main }
    bucket: { type: string }
    key: { type: string, format: secret }
  required: [bucket, key]
security_profile: secure
timeouts: { run: 30m }
artifacts: { mode: immutable, default_key_pattern: "dumps/{run_id}" }
serviceBindings: [postgres]`,
    refused: [network],
  },
  {
    example: 'a whole job that builds an image',
    yaml: `
executor: container
image: "docker:24@sha256:00"
command: /usr/local/bin/build.sh
argspec:
  type: object
  properties: { tag: { type: string }, token: { type: string, format: secret } }
  required: [tag, token]
exec_profile: privileged
security_profile: permissive
timeouts: { run: 1h }`,
    refused: [/^`exec_profile` must be `standard`/],
  },
  {
    example: 'a whole job with steps that fork and join',
    yaml: `
ulc_profile: ulc.shell.bash
composition: steps
steps:
  - { id: build, script: ./run.sh }
  - { id: test-unit, script: ./run.sh, needs: [build] }
  - { id: test-all, script: ./run.sh, needs: [build] }
  - { id: deploy, script: ./run.sh, needs: [test-unit, test-all] }
argspec:
  type: object
  properties: { version: { type: string }, environment: { type: string, enum: [staging, production], default: staging } }
  required: [version]
timeouts: { run: 2h, step: 30m }
security_profile: permissive`,
    args: { version: '1.2.3' },
    plan: {
      args: { version: '1.2.3', environment: 'staging' },
      steps: expect.arrayContaining([{ step_id: 'deploy', needs: ['test-unit', 'test-all'] }]),
      denied: null,
    },
  },
  {
    example: 'the keys of the oldest job files',
    yaml: `
interpreter: /usr/bin/env bash
timeout: 30
error_handling: { policy: abort, retries: 2, retry_backoff: 1 }
env_inheritance: true
container: { image: alpine, network: none }
job: { id: copy, name: Copy }
id: copy
aliases: [{ from: copy, to: cp }]`,
    refused: [
      /^unknown key `interpreter`: write `command: \.\/run\.sh`/,
      'unknown key `timeout`: write `timeouts: {run: 30s}`',
      /^unknown key `error_handling`: write `retry: \{limit: 2, delay: 1s\}`/,
      /^unknown key `env_inheritance`: name the variables in `env`/,
      /^unknown key `container`: write `executor: container` and `image`/,
      /^unknown key `job`: the id of a job is the path of its folder/,
      /^unknown key `id`: the id of a job is the path/,
      /^unknown key `aliases`: aliases are in flwd\.yaml/,
    ],
  },
  {
    example: 'keys of other schedulers',
    yaml: `
run: make
depends_on: [fetch]
user: backup
working_dir: /srv
env_file: .env
on_failure: mail ops`,
    refused: [
      /^unknown key `run`: write `command: \.\/run\.sh`/,
      /^unknown key `depends_on`: only steps depend on each other/,
      'unknown key `user`: write `run_as`',
      /^unknown key `working_dir`: a run starts in its own workspace/,
      /^unknown key `env_file`: name the variables in `env`/,
      'unknown key `on_failure`: write `notify: [{channel: NAME, on: [failed]}]`, or a step with `always: true`',
    ],
  },
  {
    example: 'steps with executors of their own',
    yaml: 'steps:\n  - id: a\n    script: ./run.sh\n    executor: proc\n    container: { image: alpine }',
    refused: [
      'unknown key `executor`: all steps of a job have the `executor` of the job',
      /^unknown key `container`: write `executor: container`/,
    ],
  },
  {
    example: 'a script without ./',
    yaml: 'steps:\n  - { id: a, script: scripts/init.sh }',
    refused: [/a script is a file of the job, so it must begin with \.\//],
  },
];

const named = rows.map((row, at) => ({ ...row, id: `job-${at}` }));
const server = await startServing({
  jobs: Object.fromEntries(
    named.map(({ id, yaml, files }) => [id, { 'config.yaml': yaml, 'run.sh': script, ...files }]),
  ),
});
afterAll(() => server.close());

test.each(named.filter(({ refused }) => refused))(
  '$example: is refused, and the error says what to write',
  async ({ id, refused }) => {
    const answer: { errors: { message: string }[] } = JSON.parse(await (await server.fetch(`/jobs/${id}`)).text());
    expect(answer).toMatchObject({ type: 'https://flowd.org/problems/job-invalid' });
    expect(answer.errors.map(({ message }) => message)).toEqual(
      refused?.map((line) => (typeof line === 'string' ? line : expect.stringMatching(line))),
    );
  },
);

test.each(named.filter(({ refused }) => !refused))('$example: keeps its meaning', async ({ id, job, plan, args }) => {
  expect(await (await server.fetch(`/jobs/${id}`)).json()).toMatchObject({ id, ...job });
  if (plan) expect(await (await server.post('/plans', { job_id: id, args })).json()).toMatchObject(plan);
});
