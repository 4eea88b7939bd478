// `flwd compare`: how two runs differ.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash } from '../support/jobs.ts';
import { createInstance } from './an-instance.ts';
import { flwd } from './terminal.ts';

const args = [
  { name: 'target', default: 'web1' },
  { name: 'code', default: '0' },
];

test('a run is compared with the last success of its job, and the older one comes first', async () => {
  const { dir } = await createInstance({ load: bash('echo begun\necho "to $target"\nexit "$code"', { args }) });
  const idOf = async (...words: string[]): Promise<string> =>
    JSON.parse((await flwd(dir, 'load', '--json', ...words)).stdout).run_id;
  const good = await idOf();
  expect(await flwd(dir, 'compare', good)).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(/^no run of load succeeded before run_\w+; name another run: flwd .*compare run_/),
  });

  const same = await flwd(dir, 'compare', good, await idOf());
  expect(same.stdout).toMatch(
    /\n\nThe arguments are the same\.\n\nThe logs are the same, apart from times and ids\.\n$/,
  );

  writeFileSync(
    join(dir, 'jobs/load/run.sh'),
    '#!/usr/bin/env bash\necho begun\necho "towards $target"\nexit "$code"\n',
  );
  const bad = await idOf('--target', 'web2', '--code', '3');
  const { code, stdout } = await flwd(dir, 'compare', bad, good);
  expect(code).toBe(0);
  const [head, ...rows] =
    stdout
      .split('\n\n')[0]
      ?.split('\n')
      .map((line) => line.split(/ {2,}/)) ?? [];
  expect(head).toEqual(['DIFFERENCE', good, bad]);
  expect(rows).toEqual([
    ['created', expect.any(String), expect.any(String)],
    ['revision', expect.stringMatching(/^[0-9a-f]{7}$/), expect.stringMatching(/^[0-9a-f]{7}$/)],
    ['status', 'success', 'failed (exit)'],
    ['worked', expect.any(String), expect.any(String)],
    ['argument target', 'web1', 'web2'],
    ['argument code', '0', '3'],
  ]);
  expect(stdout).toContain('\n\nThe logs differ from line 2 on:\n- to web1\n+ towards web2\n');
  expect(stdout).toContain(
    '\n\nrun.sh (changed)\n  #!/usr/bin/env bash\n  echo begun\n- echo "to $target"\n+ echo "towards $target"\n',
  );

  const { stdout: json } = await flwd(dir, 'compare', bad, '--json');
  expect(JSON.parse(json)).toMatchObject({
    b: bad,
    arguments: [{ name: 'target', a: 'web1', b: 'web2' }, { name: 'code' }],
    steps: [{ a: { status: 'success' }, b: { status: 'failed' } }],
    log: { kind: 'line', b: { seq: 2, message: 'towards web2' } },
    files: [{ path: 'run.sh', change: 'changed', b: expect.stringContaining('towards') }],
  });
});
