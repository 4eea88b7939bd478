// `~` at the beginning of a path means the home of the server's user, in flwd.yaml and in jobs.

import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFiles } from './a-job-folder.ts';
import { createFolder, flwd } from './terminal.ts';

/** The folder of the test is the home of the user who types the commands. */
function createHome(files: Readonly<Record<string, string>>): string {
  const home = createFolder();
  writeFiles(home, { 'data/x': 'of the home\n', ...files });
  chmodSync(home, 0o755);
  return home;
}

test('a job is granted a path with ~ if flwd.yaml allows it', async () => {
  const home = createHome({
    'flwd.yaml': 'security: {paths: [~/data]}\n',
    'jobs/given/config.yaml': `command: ./run.sh\nargs: [{name: from, default: ~/data}]\npermissions: {read: [{arg: from}]}\n`,
    'jobs/given/run.sh': 'cat "$from/x"\n',
  });
  writeFiles(home, {
    'jobs/fixed/config.yaml': `command: [cat, ${home}/data/x]\npermissions: {read: [~/data]}\n`,
  });
  const seen = { stdout: 'of the home\n', code: 0 };
  expect(await flwd(home, 'fixed')).toMatchObject(seen);
  expect(await flwd(home, 'given')).toMatchObject(seen);
  expect(await flwd(home, 'given', '--from', '~/data/../data')).toMatchObject(seen);
});

test('if it is not allowed, the error says what to add', async () => {
  const home = createHome({ 'jobs/fixed/config.yaml': 'command: ["true"]\npermissions: {write: [~/data]}\n' });
  expect(await flwd(home, 'fixed')).toMatchObject({
    stderr:
      "'~/data' is not below any folder in security.paths: add security: {paths: [~/data]} to flwd.yaml, unless it is there already (flwd config show names the file). Then restart the server, which reads the file only when it starts.\n",
    code: 4,
  });
});

test('a job in an untrusted source is not granted a path with ~', async () => {
  const home = createHome({
    'flwd.yaml': 'security: {paths: [~/data]}\nsources: [{path: jobs, mountPath: ext, trusted: false}]\n',
    'jobs/fixed/config.yaml': 'command: ["true"]\npermissions: {read: [~/data]}\n',
  });
  expect(await flwd(home, 'ext/fixed')).toMatchObject({
    stderr: "The job asks for '~/data', but its source is not trusted.\n",
    code: 4,
  });
});

test("another user's home is refused with a reason, by validate, by a run and in flwd.yaml", async () => {
  const home = createHome({
    'jobs/others/config.yaml': 'command: ["true"]\npermissions: {read: [~ada/data]}\n',
    'jobs/given/config.yaml': 'command: ["true"]\nargs: [{name: from}]\npermissions: {read: [{arg: from}]}\n',
  });
  const reason = "names another user's home, which flwd does not look up: write the full path\n";
  expect((await flwd(home, 'jobs', 'validate', 'jobs')).stderr).toBe(
    `jobs/others/config.yaml:2:22: \`~ada/data\` ${reason}`,
  );
  expect((await flwd(home, 'others')).stderr).toContain(`\`~ada/data\` ${reason}`);
  expect(await flwd(home, 'given', '--from=~ada/data')).toMatchObject({
    stderr: `--from '~ada/data' ${reason}`,
    code: 2,
  });
  writeFiles(home, { 'flwd.yaml': 'security: {paths: [~ada/data]}\n' });
  expect((await flwd(home, 'config', 'validate')).stderr).toContain(
    'must be a list, each a path (`~/` is this user’s home; `~name/` and `$HOME/` are not supported), not the list',
  );
});

test.each(['$HOME/data', '"${HOME}/data"'])(
  'the path %s in flwd.yaml is refused, because no shell reads it',
  async (path) => {
    const home = createHome({ 'flwd.yaml': `security: {paths: [${path}]}\n` });
    expect(await flwd(home, 'config', 'validate')).toMatchObject({
      stderr: expect.stringContaining('a path (`~/` is this user’s home; `~name/` and `$HOME/` are not supported)'),
      code: 2,
    });
  },
);

test('config validate and doctor warn if a folder of security.paths does not exist', async () => {
  const home = createHome({ 'flwd.yaml': 'security: {paths: [~/data, ~/nosuch]}\n' });
  const what = `${home}/nosuch in security.paths does not exist`;
  expect(await flwd(home, 'config', 'validate')).toMatchObject({
    stderr: `flwd: ${what}; create it, or correct security.paths in flwd.yaml\n`,
    code: 0,
  });
  expect((await flwd(home, 'doctor')).stdout).toContain(`${what}\n`);
});

test.each([
  [
    'command: ["true"]\nartifacts: {paths: [~/out.txt]}\n',
    '2:21: must not begin with `~/`: paths already start in the workspace, which is the home of a job\n',
  ],
  [
    'command: ~/bin/x.sh\n',
    "1:10: `~/bin/x.sh`: no shell expands `~` here, and a job's home is its workspace: write the full path\n",
  ],
])('validate says so if ~ could only mean the workspace: %j', async (config, message) => {
  const home = createHome({ 'jobs/a/config.yaml': config });
  expect((await flwd(home, 'jobs', 'validate', 'jobs')).stderr).toBe(`jobs/a/config.yaml:${message}`);
});

test('--config and --data-dir accept ~', async () => {
  const home = createHome({ 'etc/flwd.yaml': 'instance: {name: mine}\n' });
  const seen = await flwd(join(home, 'data'), 'config', 'show', '--config=~/etc/flwd.yaml');
  expect(seen.stderr).toContain('no such file');
  expect(await flwd(home, 'config', 'validate', '--config=~/etc/flwd.yaml')).toMatchObject({ code: 0 });
});
