// `flwd plan` says what a run can reach over the network.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bash, writeJob } from '../support/jobs.ts';
import { createFolder, flwd } from './terminal.ts';

test.each([
  ['secure', 'flwd’s own API asks it for a token, but other flwd servers of the same user may let it in without one'],
  ['disabled', 'flwd’s own API treats the job as the operator'],
])('the plan of a %s job with network access says: %s', async (security_profile, words) => {
  const dir = createFolder();
  const config = 'security: { allow_profiles: [secure, disabled] }\ninstance: { data_dir: ./data }\n';
  writeFileSync(join(dir, 'flwd.yaml'), config);
  await writeJob(join(dir, 'jobs', 'calls'), bash('true', { security_profile, permissions: { network: 'all' } }));
  await writeJob(join(dir, 'jobs', 'stays'), bash('true'));
  const { stdout } = await flwd(dir, 'plan', 'calls');
  expect(stdout).toMatch(
    /^network +the internet, .*, and everything that listens on the machine itself, .* 127\.0\.0\.1/m,
  );
  expect(stdout).toContain(words);
  const answer: { network_reach: string } = JSON.parse((await flwd(dir, 'plan', 'calls', '--json')).stdout);
  expect(answer.network_reach).toContain(words);
  expect(JSON.parse((await flwd(dir, 'plan', 'stays', '--json')).stdout)).toMatchObject({ network_reach: null });
});
