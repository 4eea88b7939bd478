// Records the screen while a job is started by its form, fails, is fixed and runs again: takes pictures, and ffmpeg
// joins them.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { writeJob } from '../test/support/jobs.ts';

const viewport = { width: 1_200, height: 720 };
const framesASecond = 8;
const colours = 96;
/** How long a person needs to see what happened. */
const pauseMs = 1_400;

const config = {
  name: 'Monthly report',
  description: 'Adds up the sales of a month',
  argspec: {
    type: 'object',
    properties: {
      month: { type: 'string', pattern: '^[0-9]{4}-[0-9]{2}$', description: 'Which month', examples: ['2026-10'] },
      currency: { type: 'string', enum: ['EUR', 'USD', 'GBP'], default: 'EUR' },
    },
    required: ['month'],
  },
  steps: [
    { id: 'fetch', script: './fetch.sh' },
    { id: 'report', script: './report.sh', needs: ['fetch'] },
  ],
};
const fetchSales = `#!/usr/bin/env bash
for store in berlin hamburg munich vienna zurich; do echo "fetched the sales of $store"; sleep 0.3; done
`;
const reportWith = (total: string): string => `#!/usr/bin/env bash
echo "adding up $((RANDOM % 900 + 100)) receipts"
sleep 0.6
${total}
echo "written to report.csv"
`;
const broken = reportWith('echo "report.sh: line 4: SALES_TOTAL: unbound variable" >&2; exit 1');
const fixed = reportWith('echo "total: 184,220.50"');

type Recorded = { readonly base: string; readonly jobsDir: string; readonly file: string };

export async function record(browser: Browser, { base, jobsDir, file }: Recorded): Promise<void> {
  const jobDir = join(jobsDir, 'report/monthly');
  const files = { 'config.yaml': JSON.stringify(config), 'fetch.sh': fetchSales };
  await writeJob(jobDir, { ...files, 'report.sh': broken });
  const page = await browser.newPage({ viewport, colorScheme: 'light' });
  await page.goto(`${base}/jobs/report/monthly`);
  const month = page.getByRole('textbox', { name: 'month' });
  await month.waitFor();
  const stop = startFrames(page);
  await month.pressSequentially('2026-10', { delay: 90 });
  await startRun(page);
  await page.getByText('Failed in report').first().waitFor();
  await page.waitForTimeout(2 * pauseMs);
  await writeJob(jobDir, { ...files, 'report.sh': fixed });
  await page.waitForTimeout(pauseMs);
  // A run that is repeated has the files of its first time, so the job is started by its form again.
  await page.keyboard.press('Control+k');
  await page.keyboard.type('rep mon', { delay: 90 });
  await page.waitForTimeout(pauseMs);
  await page.keyboard.press('Enter');
  await month.fill('2026-10');
  await startRun(page);
  await page.getByText('Succeeded').first().waitFor();
  await page.waitForTimeout(2 * pauseMs);
  joinFrames(await stop(), file);
  await page.close();
}

async function startRun(page: Page): Promise<void> {
  await page.getByText('Starts at once').first().waitFor();
  await page.waitForTimeout(pauseMs);
  await page
    .getByRole('button', { name: /^Run\b/ })
    .first()
    .click();
}

type Frame = { readonly atMs: number; readonly picture: Buffer };

/** Takes pictures one after the other until the returned function is called. */
function startFrames(page: Page): () => Promise<readonly Frame[]> {
  const frames: Frame[] = [];
  const over = new AbortController();
  async function take(): Promise<void> {
    while (!over.signal.aborted) {
      const atMs = Date.now();
      frames.push({ atMs, picture: await page.screenshot() });
    }
  }
  const taken = take();
  return async () => {
    over.abort();
    await taken;
    return frames;
  };
}

/** Each picture is shown until the next one came. */
function joinFrames(frames: readonly Frame[], file: string): void {
  const dir = mkdtempSync(join(tmpdir(), 'flwd-frames-'));
  const list = frames.map(({ atMs, picture }, index) => {
    const name = join(dir, `${index}.png`);
    writeFileSync(name, picture);
    const untilMs = frames[index + 1]?.atMs ?? atMs + pauseMs;
    return `file '${name}'\nduration ${((untilMs - atMs) / 1_000).toFixed(3)}`;
  });
  writeFileSync(join(dir, 'list.txt'), `ffconcat version 1.0\n${list.join('\n')}\n`);
  const filter = `fps=${framesASecond},scale=960:-1:flags=lanczos,split[a][b];[a]palettegen=max_colors=${colours}[p];[b][p]paletteuse=dither=none:diff_mode=rectangle`;
  const words = ['-y', '-v', 'error', '-f', 'concat', '-safe', '0', '-i', join(dir, 'list.txt'), '-vf', filter, file];
  const { status, stderr } = spawnSync('ffmpeg', words, { encoding: 'utf8' });
  rmSync(dir, { recursive: true, force: true });
  if (status !== 0) throw new Error(`ffmpeg could not join the pictures: ${stderr}`);
}
