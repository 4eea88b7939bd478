// A config.yaml with several errors: one reading reports all of them, but no error that only follows from another
// error.

import { expect, test } from 'vitest';
import { errorsIn } from './a-job-file.ts';

test('errors of form, files, arguments and schedules are reported together', async () => {
  const config = `name: 5
command: ./nope.sh
argspec:
  type: object
  properties:
    PATH: {type: string}
    keep: {type: integr}
env: {IFS: x}
timeouts: {run: 5x, step: 3m}
schedules:
  - cron: "99 3 * * *"
    timezone: Mars
  - cron: "0 3 * *"
artifacts: {paths: [../x]}
`;
  expect((await errorsIn(config)).map((error) => error.replace(/(`\S+` (?:must|is|\w+)).*/, '$1'))).toEqual([
    '1:7: `name` must',
    '2:10: `./nope.sh` is',
    '6:5: the argument name `PATH` is',
    '7:18: `argspec.properties.keep.type` must',
    '8:7: `IFS` is',
    '9:17: `timeouts.run` must',
    '11:11: `schedules.0.cron` is',
    '12:15: `schedules.0.timezone` must',
    '13:11: `schedules.1.cron` must',
    '14:21: must be a path or pattern inside the workspace',
  ]);
});

test('an error of form in one step does not hide errors of other steps', async () => {
  const config = `steps:
  - {id: a, script: ./no.sh, needs: [x]}
  - {id: b, scrip: ./no.sh}
  - {id: c, command: ["true"], retry: 5, needs: [d]}
  - {id: e, job: f, needs: [a, e], if: steps.b.status == "success", args: {x: {from: steps.c.outputs.x}}}
env: {IFS: x}
`;
  expect((await errorsIn(config)).map((error) => error.replace(/(`\S+` (?:must|is|\w+)).*/, '$1'))).toEqual([
    '2:21: `./no.sh` is',
    '2:38: there is no step `x`',
    '3:13: unknown key `scrip`: did you mean `script`?',
    '4:39: `steps.2.retry` must',
    '5:21: the steps need each other in a cycle: e → e',
    '6:7: `IFS` is',
  ]);
});

test.each([
  ['comand: ["true"]\n', ['1:1: unknown key `comand`: did you mean `command`?']],
  ['command: 5\n', ['1:10: `command` must be a string or a list: put it in quotes']],
  [
    'command: ["true"]\nargspc: {type: object, properties: {a: {type: string}}}\npermissions: {read: [{arg: a}]}\n',
    ['2:1: unknown key `argspc`: did you mean `argspec`?'],
  ],
  [
    'command: ["true"]\nargs: 5\npermissions: {read: [{arg: a}]}\nconcurrency: {limit: 1, key: args.a}\n',
    ['2:7: `args` must be a list'],
  ],
  ['executor: vm\nimage: x\n', ['1:11: `executor` must be one of "proc", "container"']],
  [
    'steps:\n  - {id: a, command: ["true"]}\n  - {id: b, command: ["true"], needs: a, if: steps.a.status == "success"}\n',
    ['3:39: `steps.1.needs` must be a list, not a string'],
  ],
  [
    'command: ["true"]\nargs: [{name: a, required: true}]\nschedules: [{cron: "0 3 * * *", args: 5}, {cron: "0 3 * * *", args: {a: x}, jitter: x}]\n',
    ['3:39: `schedules.0.args` must be a map of keys', '3:85: `schedules.1.jitter` must'],
  ],
  [
    'command: ["true"]\nschedules: [{cron: "0 3 * * *", timezone: Mars}, {cron: "0 3 * * *"}]\n',
    ['2:43: `schedules.0.timezone` must'],
  ],
])('an error that only follows from another error is not reported: %j', async (config, errors) => {
  const found = await errorsIn(config);
  expect(found.map((error, at) => error.slice(0, errors[at]?.length ?? 999))).toEqual(errors);
});
