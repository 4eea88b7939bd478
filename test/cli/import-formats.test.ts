// How the readers of other schedulers' files convert single constructs, without writing jobs.

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findCronicleEvents } from '../../src/cli/import/formats/cronicle.ts';
import { findDaguWorkflows } from '../../src/cli/import/formats/dagu.ts';
import { findRundeckJobs } from '../../src/cli/import/formats/rundeck.ts';
import { findTimers } from '../../src/cli/import/formats/systemd-timers.ts';
import type { Found, FoundJob } from '../../src/cli/import/found-job.ts';
import { createFolder } from './terminal.ts';

function jobOf([found]: readonly Found[]): FoundJob {
  if (found?.kind !== 'job') throw new Error(found?.obstacles.join() ?? 'nothing was found');
  return found;
}

function obstaclesOf([found]: readonly Found[]): readonly string[] {
  return found?.kind === 'nothing' ? found.obstacles : [];
}

function rundeck(job: object): Found[] {
  const path = join(createFolder(), 'jobs.json');
  writeFileSync(path, JSON.stringify([{ name: 'a', ...job }]));
  return findRundeckJobs(path);
}

function dagu(text: string): Found[] {
  const dir = createFolder();
  writeFileSync(join(dir, 'a.yaml'), text);
  return findDaguWorkflows(dir);
}

function timer(lines: string, service: string): Found[] {
  const dir = createFolder();
  mkdirSync(join(dir, 'units'));
  writeFileSync(join(dir, 'units/a.timer'), `[Timer]\n${lines}\n`);
  writeFileSync(join(dir, 'units/a.service'), `[Service]\n${service}\n`);
  return findTimers(join(dir, 'units'));
}

function cronicle(event: object, others: object = {}): Found[] {
  const path = join(createFolder(), 'export.txt');
  const lists = { schedule: [{ title: 'a', plugin: 'shellplug', params: { script: 'date' }, ...event }], ...others };
  writeFileSync(
    path,
    Object.entries(lists)
      .map(([name, items]) => `global/${name}/0 - ${JSON.stringify({ items })}`)
      .join('\n'),
  );
  return findCronicleEvents(path);
}

const steps = (job: FoundJob) =>
  'file' in job.program ? [{ id: '', command: job.program, settings: {} }] : job.program;

test('Rundeck: built-in steps are recognized if they are written as plugins, and a handler runs when its step failed', () => {
  const job = jobOf(
    rundeck({
      sequence: {
        keepgoing: true,
        commands: [
          {
            type: 'exec-command',
            nodeStep: true,
            configuration: { adhocRemoteString: 'date' },
            errorhandler: {
              type: 'script-command',
              configuration: { adhocLocalString: 'echo "$1"', argString: 'failed', interpreterArgsQuoted: 'false' },
              keepgoingOnSuccess: true,
            },
          },
          { type: 'localexec', configuration: { command: 'id' } },
        ],
      },
    }),
  );
  expect(steps(job)).toMatchObject([
    { id: 'step-1', command: { text: 'date\n', interpreter: ['/bin/sh'] }, settings: { continue_on_error: true } },
    {
      id: 'step-1-handler',
      command: { text: 'echo "$1"\n' },
      settings: { needs: ['step-1'], always: true, if: 'steps["step-1"].status == "failed"' },
    },
    { id: 'step-2', command: { text: 'id\n' }, settings: { needs: ['step-1', 'step-1-handler'], always: true } },
  ]);
  expect(steps(job)[1]?.command?.setup).toContain('set -- failed');
});

test('Rundeck: a reference finds the right one of two jobs with the same name', () => {
  const path = join(createFolder(), 'jobs.json');
  const caller = { name: 'call', sequence: { commands: [{ jobref: { name: 'a', uuid: 'two', args: '-y 1' } }] } };
  const twins = ['one', 'two'].map((uuid) => ({
    name: 'a',
    uuid,
    options: [{ name: uuid === 'one' ? 'x' : 'y' }],
    sequence: { commands: [{ exec: `echo \${option.${uuid === 'one' ? 'x' : 'y'}}` }] },
  }));
  writeFileSync(path, JSON.stringify([...twins, caller]));
  const found = findRundeckJobs(path);
  expect(found.map((one) => one.kind === 'job' && one.name)).toEqual(['a', 'a 2', 'call']);
  expect(steps(jobOf(found.slice(2)))).toMatchObject([{ job: 'a 2', args: { y: '1' } }]);
});

test('Rundeck: a list of values is split into words, and a pattern that RE2 lacks is named', () => {
  const job = jobOf(
    rundeck({
      options: [
        { name: 'users', multivalued: true, delimiter: ' ', value: 'ada bob' },
        { name: 'code', regex: '(?=a)b' },
        { name: 'url', value: 'https://ada:correct-horse@example.com' },
        { name: 'title', value: '"quoted"' },
      ],
      sequence: [{ script: 'for i in @option.users@; do echo "$i"; done' }],
    }),
  );
  expect(steps(job)[0]?.command?.text).toBe('for i in ${RD_OPTION_USERS}; do echo "$i"; done\n');
  expect(job.arguments.find(({ name }) => name === 'code')?.schema).toEqual({ type: 'string' });
  expect(job.arguments.find(({ name }) => name === 'url')).toMatchObject({ secretVariable: 'RD_OPTION_URL' });
  expect(JSON.stringify(job)).not.toContain('correct-horse');
  expect(job.notes).toEqual(
    expect.arrayContaining([
      expect.stringContaining('the pattern `(?=a)b`'),
      expect.stringContaining('the default of its option title contains characters that a shell interprets'),
    ]),
  );
});

test.each([
  [{ sequence: { commands: [{ exec: 'echo ${option.who}' }] } }, 'it uses the option who, which the job does not have'],
  [{ sequence: { commands: [{ exec: 'echo ${node.hostname}' }] } }, 'it uses `node.hostname`, a value of Rundeck'],
  [{ sequence: { commands: [{ scripturl: 'https://example.com/x.sh' }] } }, 'runs a script from an address'],
  [
    { sequence: { commands: [{ script: 'id', scriptInterpreter: 'sudo -u ada bash' }] } },
    'becomes another user with sudo',
  ],
  [
    { sequence: { commands: [{ script: 'id', scriptInterpreter: 'bash', interpreterArgsQuoted: true }] } },
    'takes its script and arguments as one word',
  ],
  [{ sequence: { commands: [{ scriptfile: 'relative.sh' }] } }, 'which is not a path on this machine'],
  [{ sequence: { strategy: 'ruleset', commands: [{ exec: 'id' }] } }, 'its workflow strategy ruleset'],
  [{ options: [{ name: 'f', type: 'file' }], sequence: { commands: [{ exec: 'id' }] } }, 'its option f takes a file'],
  [
    { options: [{ name: 'd', value: '${globals.x}' }], sequence: { commands: [{ exec: 'id' }] } },
    'refers to another value',
  ],
])('Rundeck: %j is not imported, because it %s', (job, reason) => {
  expect(obstaclesOf(rundeck(job))).toEqual([expect.stringContaining(reason)]);
});

test('Dagu: without a type, steps run in the order of the file, unless that would be circular', () => {
  const needs = (text: string) => steps(jobOf(dagu(text))).map(({ id, settings }) => [id, settings.needs ?? []]);
  expect(needs('steps: [{name: a, command: x}, {name: b, command: y}]')).toEqual([
    ['a', []],
    ['b', ['a']],
  ]);
  expect(needs('type: graph\nsteps: [{name: a, command: x}, {name: b, command: y}]')).toEqual([
    ['a', []],
    ['b', []],
  ]);
  expect(
    needs('steps: [{name: a, command: x, depends: c}, {name: b, command: y}, {name: c, command: z, depends: b}]'),
  ).toEqual([
    ['a', ['c']],
    ['b', []],
    ['c', ['b']],
  ]);
  expect(needs('steps: [one, [two, three], four]').map(([, list]) => list)).toEqual([
    [],
    ['step-1'],
    ['step-1'],
    ['step-2', 'step-3'],
  ]);
});

test('Dagu: steps that depend on a step with preconditions are skipped together with it', () => {
  const job = jobOf(
    dagu(
      'preconditions: test -d /\nsteps: [{name: a, command: x}, {name: b, command: y, preconditions: [{condition: "$A", expected: "re:^[1-5]$"}]}, {name: c, command: z}]\nhandlerOn: {success: {command: s}}',
    ),
  );
  const met = (id: string) => `steps["${id}"].outputs.met == "yes"`;
  const there = (id: string) => `steps["${id}"].status != "skipped"`;
  expect(steps(job).map(({ id, settings }) => [id, settings.needs ?? [], settings.if])).toEqual([
    ['preconditions', [], undefined],
    ['a', ['preconditions'], met('preconditions')],
    ['b-check', ['a'], there('a')],
    ['b', ['a', 'b-check'], `${there('a')} && ${there('b-check')} && ${met('b-check')}`],
    ['c', ['b'], there('b')],
    ['on-success', ['a', 'b', 'c'], met('preconditions')],
  ]);
  expect(steps(job)[0]?.command?.text).toContain('(\ntest -d /\n) > /dev/null 2>&1 || met=no\n');
  expect(steps(job)[2]?.command?.text).toContain(`printf '%s\\n' "$A" | grep -q -P -e '^[1-5]$' || met=no\n`);
});

test('Dagu: parameters and variables become environment variables of the program', () => {
  const job = jobOf(
    dagu(
      'params: first "second one" KIND=full\nenv: [{DIR: /srv}, {FILE: "$DIR/`date +%F`"}, {MINE: "${GITHUB_TOKEN}"}]\nsteps: [{command: echo "$1 $2"}]',
    ),
  );
  expect(steps(job)[0]?.command?.setup).toEqual([
    'param_1=$FLWD_ARG_PARAM_1; export param_1',
    'param_2=$FLWD_ARG_PARAM_2; export param_2',
    'KIND=$FLWD_ARG_KIND; export KIND',
    'set -- "$param_1" "$param_2"',
    'FILE="$DIR/$(date +%F)"; export FILE',
    'MINE="${GITHUB_TOKEN}"; export MINE',
  ]);
  expect(job.environment).toEqual({ DIR: '/srv' });
  expect(job.arguments.map(({ name, schema, secretVariable }) => [name, secretVariable ?? schema.default])).toEqual([
    ['param_1', 'first'],
    ['param_2', 'second one'],
    ['kind', 'full'],
    ['github_token', 'GITHUB_TOKEN'],
  ]);
});

test('Dagu: the limits of a number are carried over', () => {
  const job = jobOf(
    dagu('params: [{name: TRIES, type: integer, default: 3, minimum: 1, maximum: 9}]\nsteps: [{command: id}]'),
  );
  expect(job.arguments).toMatchObject([{ schema: { type: 'integer', default: 3, minimum: 1, maximum: 9 } }]);
});

test('Dagu: if a file is given in place of the folder, the error says so', () => {
  const file = join(createFolder(), 'a.yaml');
  writeFileSync(file, 'steps: [id]\n');
  expect(() => findDaguWorkflows(file)).toThrow('a.yaml is a file: name its folder');
});

test('Rundeck: the note about a disabled schedule is true even if the schedule is left out', () => {
  const { notes } = jobOf(
    rundeck({ scheduleEnabled: false, schedule: { crontab: '0 0 3 ? * * *' }, sequence: [{ exec: 'id' }] }),
  );
  expect(notes).toContain('its schedule was disabled in Rundeck: it starts nothing here, either');
});

test.each([
  [
    'steps: [{name: a, command: id, preconditions: x}, {name: a-check, command: id}]',
    'has a name that flwd needs for a step of its own',
  ],
  ['steps: [{name: a, command: id, preconditions: [{expected: x}]}]', 'one of its preconditions has no condition'],
  ['steps: [{command: id, repeatPolicy: {repeat: true}}]', 'is repeated'],
  ['container: {image: alpine}\nsteps: [{command: id}]', 'it has `container`'],
  ['steps: [{command: id, executor: ssh}]', 'is of the kind ssh'],
  ['steps: [{action: mail.send}]', 'is of the kind mail.send'],
  ['steps: [{command: "echo ${A.b}"}]', 'it uses `${A.b}`, a reference that only Dagu can resolve'],
  ['steps: [{call: elsewhere}]', 'runs the workflow elsewhere, which is not in the folder'],
  ['steps: [{command: id, output: "x y"}]', 'is not a valid name for a variable'],
  ['params: [{"a b": c}]\nsteps: [{command: id}]', 'is not a valid name for a variable'],
  ['env: [{"x; touch pwned": c}]\nsteps: [{command: id}]', 'does not have a valid name'],
  ['type: agent\nsteps: [{command: id}]', 'its type is agent'],
])('Dagu: %j is not imported: %s', (text, reason) => {
  expect(obstaclesOf(dagu(text))).toEqual([expect.stringContaining(reason)]);
});

test('Dagu: an error in YAML says where it is, and why', () => {
  expect(obstaclesOf(dagu('steps:\n  - {run: echo ${x}}\n'))).toEqual([
    'a.yaml:2:17 is not valid YAML: a text that contains `{` needs quotes',
  ]);
});

test('Dagu: the description of an argument shows its computed default', () => {
  const job = jobOf(dagu('params: [{DAY: "`date +%F`"}]\nsteps: [{run: "echo ${DAY}"}]\n'));
  expect(job.arguments).toMatchObject([
    { name: 'day', schema: { description: 'default, computed in each run: `date +%F`' } },
  ]);
});

test('Dagu: every obstacle of a workflow is named', () => {
  const text = `
container: {image: alpine}
params: [{"a b": c}, {name: when, eval: "$(date)"}]
env: [{"x y": c}, {URL: "\${{ outputs.x }}"}]
steps:
  - {name: a, command: "echo \${A.b} \${A.c}", repeatPolicy: {repeat: true}, output: "x y"}
  - {name: b, type: http, command: GET https://example.com}
  - {name: c, approval: {prompt: go on}, preconditions: [{expected: x}]}
  - {name: d, call: elsewhere}
`;
  expect(obstaclesOf(dagu(text))).toEqual([
    'it has `container`, which flwd does not have',
    'its parameter `a b` is not a valid name for a variable',
    'its parameter when is computed with `eval`',
    'its variable `x y` does not have a valid name',
    'it uses `${{ outputs.x }}`, a reference that only Dagu can resolve',
    'its step a is repeated',
    'the output `x y` of its step a is not a valid name for a variable',
    'its step a: it uses `${A.b}`, a reference that only Dagu can resolve',
    'its step a: it uses `${A.c}`, a reference that only Dagu can resolve',
    'its step b is of the kind http, which flwd does not have',
    'its step c waits for an approval in Dagu’s own way',
    'its step d runs the workflow elsewhere, which is not in the folder',
    'one of its preconditions has no condition',
  ]);
});

test('Rundeck: every obstacle of a job is named', () => {
  const job = {
    options: [
      { name: 'cfg', type: 'file' },
      { name: 'd', value: '${globals.x}' },
    ],
    sequence: {
      strategy: 'ruleset',
      commands: [
        { exec: 'echo ${node.name} ${option.who}', errorhandler: { scripturl: 'https://example.com/x.sh' } },
        { type: 'jira-create', nodeStep: false },
        { jobref: { name: 'missing' } },
      ],
    },
  };
  expect(obstaclesOf(rundeck(job))).toEqual([
    'its option cfg takes a file, but arguments of flwd are text',
    'the default of its option d refers to another value',
    'its workflow strategy ruleset has no counterpart',
    'step-1: it uses `node.name`, a value of Rundeck that flwd does not know',
    'step-1: it uses the option who, which the job does not have',
    'step-1-handler runs a script from an address',
    'step-2 is a step of the plugin jira-create, which flwd does not have',
    'step-3 starts the job missing, which is not in the file',
  ]);
});

test('systemd and Cronicle: every obstacle of a job is named', () => {
  const service = 'WorkingDirectory=/srv/%H\nExecStartPre=/bin/echo "open\nExecStart=/bin/echo %b';
  expect(obstaclesOf(timer('OnCalendar=daily', service))).toEqual([
    'a quote in `ExecStartPre=` is not closed',
    'it uses `%b`, whose value flwd does not know',
    'it uses `%H`, whose value flwd does not know',
  ]);
  expect(obstaclesOf(cronicle({ plugin: 'urlplug', params: { url: 'ftp://x/[params/id]' } }))).toEqual([
    'its address is not an HTTP address',
    'its request contains `[…]`, which Cronicle replaces with values of the job',
  ]);
});

test('systemd: the report does not say that a service with DynamicUser= ran as root', () => {
  const { user, notes } = jobOf(timer('OnCalendar=daily', 'DynamicUser=yes\nExecStart=/bin/true'));
  expect(user).toBeNull();
  expect(notes).toContain('`DynamicUser=yes` was not carried over: see `run_as` in jobs.md');
});

test('systemd: an empty time removes all times before it', () => {
  const job = jobOf(timer('OnBootSec=1min\nOnCalendar=daily\nOnCalendar=\nOnCalendar=weekly', 'ExecStart=/bin/true'));
  expect(job.schedules.map(({ cron }) => cron)).toEqual(['0 0 * * 1']);
  expect(job.notes).toEqual([]);
});

test('systemd: times relative to an event, and other requirements of a service, are reported', () => {
  const job = jobOf(
    timer(
      'OnBootSec=1min\nOnUnitActiveSec=1h\nRandomizedDelaySec=2h\nOnCalendar=hourly\nOnCalendar=nonsense',
      'Type=forking\nExecStart=-!/bin/true a\nExecStart=@/bin/sh mysh -c "exit 0"\nNice=5\nEnvironmentFile=/etc/default/a\nWorkingDirectory=-/srv',
    ),
  );
  expect(job.schedules).toMatchObject([{ cron: '0 * * * *', settings: {} }, { cron: '@boot' }]);
  expect(job.notes).toEqual([
    '`OnCalendar=nonsense` is not a calendar expression of systemd.time(7), so the job has no schedule for this time',
    '`RandomizedDelaySec=2h` was left out: it is not shorter than the time between two starts',
    expect.stringContaining('`OnBootSec=1min` became `@boot`'),
    expect.stringContaining('`cron: "0 * * * *"` comes nearest'),
    expect.stringContaining('`Type=forking`'),
    '`Nice=5` was not carried over',
    '`ExecStart=-!/bin/true` ran with root privileges, which a job does not get',
    '`ExecStart=@/bin/sh` gave the program another name, mysh',
  ]);
  expect(steps(job)[0]?.command?.text).toMatch(
    /\nread_environment \/etc\/default\/a\ncd \/srv \|\| true\n\/bin\/true a \|\| true\n\/bin\/sh -c 'exit 0'\n$/,
  );
});

test('systemd: the script of a service reads its environment file as systemd does', () => {
  const file = join(createFolder(), 'env');
  const values = {
    LEAD: ['  LEAD=x', 'x'],
    SPACED: ['SPACED = v', 'v'],
    TRAIL: ['TRAIL=abc   ', 'abc'],
    ESCAPES: ['ESCAPES="say \\"hi\\" \\$x \\n"', 'say "hi" $x \\n'],
    CONTINUED: ['CONTINUED=one \\\ntwo', 'one two'],
    SINGLE: ["SINGLE='it \\$x'   ", 'it \\$x'],
    LINES: ['LINES="line1\nline2"', 'line1\nline2'],
    JOINED: [`JOINED="a" 'b' c`, 'abc'],
    INNER: ['INNER=a"b"c', 'a"b"c'],
    BLANK: ['BLANK=a\\ ', 'a '],
    CODE: ['CODE=$(touch pwned)`touch pwned`', '$(touch pwned)`touch pwned`'],
    CRLF: ['CRLF=x y\r', 'x y'],
    EMPTY: ['EMPTY=', ''],
    OPEN: ['# comment\n; comment\nexport NOT=1\nno assignment\nOPEN="open\nend', 'open\nend'],
  };
  writeFileSync(
    file,
    Object.values(values)
      .map(([line]) => line)
      .join('\n'),
  );
  const [service] = steps(jobOf(timer('OnCalendar=daily', `EnvironmentFile=${file}\nExecStart=/usr/bin/env -0`)));
  for (const shell of ['/bin/sh', 'bash']) {
    const { stdout } = spawnSync(shell, ['-c', service?.command?.text ?? ''], {
      env: { PATH: process.env.PATH },
      encoding: 'utf8',
    });
    const given = Object.fromEntries(stdout.split('\0').map((one) => [one.split('=')[0], one.replace(/^[^=]*=/, '')]));
    expect(given).toMatchObject(Object.fromEntries(Object.entries(values).map(([name, [, value]]) => [name, value])));
    expect(given).not.toHaveProperty('NOT');
  }
});

test('systemd: the signal that stops a service is carried over, and a note names the folders that it may write to', () => {
  const job = jobOf(
    timer('OnCalendar=daily', 'ExecStart=/bin/true\nKillSignal=SIGINT\nKillMode=process\nReadWritePaths=/srv/web'),
  );
  expect(job.settings.cancel).toEqual({ signal: 'INT' });
  expect(job.notes).toEqual([
    '`KillMode=process` was not carried over: flwd ends all processes of the run',
    '`ReadWritePaths=/srv/web` was not carried over: name the folders under `permissions.write`',
  ]);
  const other = jobOf(timer('OnCalendar=daily', 'ExecStart=/bin/true\nKillSignal=SIGWINCH\nKillMode=control-group'));
  expect(other.notes).toEqual(['`KillSignal=SIGWINCH` was not carried over: see `cancel.signal` in jobs.md']);
});

test('the notes about mails keep their recipients', () => {
  const categories = [{ id: 'c', enabled: 1, notify_success: 'all@example.org', notify_fail: 'ops@example.org' }];
  const event = { enabled: 1, category: 'c', notify_fail: 'dba@example.org, ada@example.org' };
  const mailed = (when: string, event: string, to: string) =>
    `when it ${when}, a mail went to ${to}: use \`notify\` with \`on: [${event}]\` and the channel \`{type: mail, to: [${to}]}\` (docs/guides/notifications.md)`;
  expect(jobOf(cronicle(event, { categories })).notes).toEqual(
    expect.arrayContaining([
      mailed('succeeded', 'success', 'all@example.org'),
      mailed('failed', 'failed', 'dba@example.org, ada@example.org'),
    ]),
  );
  const notification = {
    onfailure: { email: { recipients: 'ops@example.org' }, urls: 'https://hooks.example.org/x' },
    onsuccess: { plugin: { type: 'Slack' } },
    onstart: { email: { recipients: 'ada@example.org' } },
  };
  expect(jobOf(rundeck({ sequence: [{ exec: 'id' }], notification })).notes).toEqual(
    expect.arrayContaining([
      mailed('failed', 'failed', 'ops@example.org'),
      'when it started, a mail went to ada@example.org: flwd sends no message when a run starts',
      'its notifications (onfailure: urls, onsuccess: plugin) were not carried over: see `notify` in jobs.md',
    ]),
  );
});

test('Cronicle: a job whose category or plugin was disabled is disabled, and a disabled event without times has a note', () => {
  const timing = { hours: [3], minutes: [0] };
  const categories = [{ id: 'night', enabled: 0 }];
  const night = jobOf(cronicle({ enabled: 1, timing, timezone: 'UTC', category: 'night' }, { categories }));
  expect(night.settings.enabled).toBe(false);
  expect(night.notes).toContain(
    'its category was disabled in Cronicle, which refused to run it: its job is disabled, too',
  );
  const plugins = [{ id: 'shellplug', enabled: 0 }];
  expect(jobOf(cronicle({ enabled: 1, timing, timezone: 'UTC' }, { plugins })).settings.enabled).toBe(false);
  const byHand = jobOf(cronicle({ enabled: 0, timing: false }));
  expect(byHand.settings).not.toHaveProperty('enabled');
  expect(byHand.notes).toContainEqual(expect.stringContaining('it was disabled in Cronicle, and had no times'));
});

test('Cronicle: each variable of Cronicle that a script reads is named', () => {
  const script = 'JOB_DIR=/srv\necho $JOB_DIR $JOB_LOG ${JOB_EVENT_TITLE} $JOB_CATEGORY $JOB_TIME_START $JOB_ID';
  const { notes } = jobOf(cronicle({ enabled: 1, params: { script } }));
  expect(notes.flatMap((note) => /names `(\w+)`/.exec(note)?.[1] ?? [])).toEqual([
    'JOB_LOG',
    'JOB_EVENT_TITLE',
    'JOB_CATEGORY',
    'JOB_TIME_START',
    'JOB_ID',
  ]);
});

test('Cronicle: chains, several servers, plugins and unusual times are reported', () => {
  const servers = [{ hostname: 'a' }, { hostname: 'b' }];
  const job = jobOf(
    cronicle(
      {
        timing: { years: [2027] },
        timezone: 'UTC',
        enabled: 1,
        target: 'allgrp',
        multiplex: 1,
        chain_error: 'e9',
        web_hook: 'https://example.com/secret',
        memory_limit: 5,
      },
      { servers },
    ),
  );
  expect(job.schedules).toEqual([]);
  for (const part of [
    'limited to some years',
    'web hook',
    'every server',
    'ran on allgrp',
    '5 bytes',
    'when it failed: give that job a trigger',
  ])
    expect(job.notes).toContainEqual(expect.stringContaining(part));
  expect(job.notes.join('\n')).not.toContain('example.com');
  expect(obstaclesOf(cronicle({ plugin: 'p9' }))).toEqual([
    expect.stringContaining('its plugin p9 uses a protocol of Cronicle'),
  ]);
  expect(obstaclesOf(cronicle({ plugin: 'urlplug', params: { url: 'https://x/[params/id]' } }))).toEqual([
    expect.stringContaining('which Cronicle replaces'),
  ]);
  expect(obstaclesOf(cronicle({ plugin: 'urlplug', params: { url: 'file:///etc/passwd' } }))).toEqual([
    expect.stringContaining('not an HTTP address'),
  ]);
});

test.each([
  ['cronicle', 'hello\n', 'is not an export of Cronicle'],
  ['cronicle', 'global/schedule/0 - {"items":[}\n', ':1 is not valid JSON'],
  ['rundeck', '<joblist><job/></joblist>', 'is in the XML format of Rundeck: export the jobs as YAML'],
  ['rundeck', 'name: x\n', 'has no job definitions of Rundeck'],
  ['rundeck', '['.repeat(5_000), 'is nested deeper than 64 levels'],
  [
    'rundeck',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghij'.replaceAll(
      /./g,
      (to) =>
        `${to}: &${to} [${Array(9)
          .fill(`*${String.fromCodePoint((to.codePointAt(0) ?? 0) - 1)}`)
          .join(',')}]\n`,
    )}`,
    'has too many aliases',
  ],
  ['rundeck', 'a: [\n', ':2:1 is not valid YAML'],
])('a file that is no export of %s is refused', (kind, text, problem) => {
  const path = join(createFolder(), 'file');
  writeFileSync(path, text);
  expect(() => (kind === 'cronicle' ? findCronicleEvents(path) : findRundeckJobs(path))).toThrow(problem);
});
