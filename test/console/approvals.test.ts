// Approvals in the browser: answering by keyboard alone, who else may answer, and who has answered.

import { afterAll, describe, expect } from 'vitest';
import { steps } from '../engine/step-jobs.ts';
import { startServing } from '../server/serving.ts';
import { testWith } from '../support/host.ts';
import { bash } from '../support/jobs.ts';
import { aBrowser, goByKey } from './a-browser.ts';

const ask = (text: string, by?: readonly string[]) => [
  { id: 'check', command: ['true'] },
  { id: 'ask', approval: { text, ...(by && { by }) }, needs: ['check'] },
  { id: 'ship', command: ['true'], needs: ['ask'] },
];
const server = await startServing({
  executes: true,
  jobs: {
    'shop/release': steps({ steps: ask('Release to production?') }),
    'db/migrate': steps({ steps: ask('Drop the column?') }),
    'infra/keys': steps({ steps: ask('Rotate the keys?', ['alice']) }),
    'etl/load': bash('true', { permissions: { network: 'all' } }),
    'etl/daily': steps({
      steps: [
        { id: 'ask', approval: { text: 'Load it?' } },
        { id: 'load', job: 'etl/load', needs: ['ask'] },
      ],
      schedules: [{ cron: '30 2 * * *', timezone: 'UTC' }],
    }),
    'etl/all': steps({ steps: [{ id: 'each', job: 'etl/daily' }] }),
  },
});
const { url } = server;
const browser = aBrowser();
afterAll(() => server.close());

type Run = {
  readonly status: string;
  readonly steps: readonly { readonly status: string; readonly approval: unknown }[];
};
const run = async (id: string): Promise<Run> => JSON.parse(await (await server.fetch(`/runs/${id}`)).text());

async function start(jobId: string): Promise<string> {
  const answer = await server.post('/runs', { job_id: jobId });
  const { run_id: id }: { run_id: string } = JSON.parse(await answer.text());
  await expect.poll(async () => (await run(id)).steps[1]?.status).toBe('waiting_approval');
  return id;
}

describe('the page of approvals', () => {
  testWith('bwrap')('approves and denies by keyboard alone, and requires a reason to deny', async () => {
    const release = await start('shop/release');
    const migrate = await start('db/migrate');
    const page = await browser.open(`${url}/runs`);
    // Keys have an effect only after the page is drawn.
    await page.getByRole('heading', { level: 1, name: 'Runs' }).waitFor();
    await goByKey(page, 'a', '/approvals');
    await page.getByRole('heading', { name: 'Release to production?' }).waitFor();
    const panel = page.getByRole('region', { name: 'Approval' });
    await expect.poll(() => panel.getByText('1 of 3 steps').count()).toBe(1);
    await page.keyboard.press('a');
    await expect.poll(async () => (await run(release)).status).toBe('success');

    // The page moves on to the next question.
    await page.getByRole('heading', { name: 'Drop the column?' }).waitFor();
    await page.keyboard.press('d');
    await panel.getByText('Say why you deny it.').waitFor();
    expect((await run(migrate)).steps[1]?.status).toBe('waiting_approval');
    await panel.getByRole('textbox', { name: 'Reason' }).focus();
    await page.keyboard.type('not on a Friday');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await expect.poll(() => panel.getByRole('button', { name: 'Deny' }).and(page.locator(':focus')).count()).toBe(1);
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await run(migrate)).status).toBe('failed');
    expect((await run(migrate)).steps[1]?.approval).toMatchObject({ decision: 'deny', comment: 'not on a Friday' });
    await page.getByText('Nothing waits for you.').waitFor();
    await page.getByRole('button', { name: 'Answered' }).click();
    await page
      .getByRole('region', { name: 'Answered, newest first' })
      .getByText('denied by local: “not on a Friday”')
      .waitFor();
  });

  testWith('bwrap')('says who may answer, and who has answered in the meantime', async () => {
    const keys = await start('infra/keys');
    const release = await start('shop/release');
    const page = await browser.open(`${url}/approvals?run=${keys}&step=ask`);
    const panel = page.getByRole('region', { name: 'Approval' });
    await panel.getByText('Only alice may answer.').waitFor();
    expect(await panel.getByRole('button', { name: 'Approve' }).count()).toBe(0);
    await page.getByRole('region', { name: 'For others' }).getByText('waits for alice').waitFor();
    const sidebar = page.getByRole('navigation', { name: 'Pages' });
    await sidebar.getByRole('link', { name: 'Approvals 1 waiting' }).waitFor();

    await page
      .getByRole('link', { name: /Release to production/ })
      .first()
      .click();
    await panel.getByRole('button', { name: 'Approve' }).waitFor();
    await server.post(`/runs/${release}/approvals`, { step_id: 'ask', decision: 'approve', comment: 'faster' });
    await panel.getByRole('status').getByText('It was approved by local: “faster”').waitFor();
    expect(await panel.getByRole('button', { name: 'Approve' }).count()).toBe(0);

    // The link in the sidebar counts only the approvals that this user may answer.
    await sidebar.getByRole('link', { name: 'Approvals', exact: true }).waitFor();
    await page.goto(`${url}/runs/${keys}`);
    const asked = page.getByRole('region', { name: 'Approval of ask' });
    await asked.getByText('Only alice may answer.').waitFor();
    expect(await asked.getByRole('button').count()).toBe(0);
  });

  testWith('bwrap')('approves from the list on a phone, and opens the page with the reason to deny', async () => {
    const release = await start('shop/release');
    const page = await browser.open(`${url}/approvals`, { width: 390 });
    await page.getByRole('button', { name: 'Deny shop/release…' }).click();
    await page.getByRole('textbox', { name: 'Reason' }).waitFor();
    await page.getByRole('link', { name: 'All approvals' }).click();
    await page.getByRole('button', { name: 'Approve shop/release' }).click();
    await expect.poll(async () => (await run(release)).status).toBe('success');
  });

  testWith('bwrap')(
    'names the jobs that later steps start, which the permissions of the run do not limit',
    async () => {
      const answer = await server.post('/runs', { job_id: 'etl/all' });
      const { run_id: above }: { run_id: string } = JSON.parse(await answer.text());
      const page = await browser.open(`${url}/approvals`);
      const panel = page.getByRole('region', { name: 'Approval' });
      await panel.getByText('nothing but its workspace').waitFor();
      const said = (name: string) => panel.locator('dl > div', { has: page.getByText(name, { exact: true }) });
      await said('Starts').getByText('. These jobs have their own permissions, which are not listed here').waitFor();
      expect(await said('Starts').getByRole('link', { name: 'etl/load' }).getAttribute('href')).toBe('/jobs/etl/load');
      expect(await said('Then').getByRole('link').getAttribute('href')).toBe(`/runs/${above}`);
      // If the page cannot read the job, it does not know which jobs the steps start.
      await page.route(/\/jobs\/etl(?:%2F|\/)daily$/, (route) => route.fulfill({ status: 403, json: {} }));
      await page.reload();
      await said('Starts').getByText('possibly other jobs, in load. These jobs have their own permissions').waitFor();
      await server.post(`/runs/${above}/cancel`, {});
      await expect.poll(async () => (await run(above)).status).toBe('cancelled');
    },
  );

  testWith('bwrap')('says which scheduled time a run of a backfill is for', async () => {
    const found = await server.fetch('/schedules?job_id=etl/daily');
    const { schedules }: { schedules: readonly { id: string }[] } = JSON.parse(await found.text());
    const span = { from: '2026-03-01T00:00:00Z', until: '2026-03-02T00:00:00Z' };
    await server.post(`/schedules/${schedules[0]?.id}/backfills`, span);
    const page = await browser.open(`${url}/approvals`, { timezone: 'Europe/Berlin' });
    const panel = page.getByRole('region', { name: 'Approval' });
    await panel.getByText('The run is for 1 Mar 2026, 03:30.').waitFor();
  });
});
