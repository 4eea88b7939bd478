// A secret argument reaches the script as a file, and appears nowhere else: not in answers, logs or files of the data
// dir.

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, expect } from 'vitest';
import type { RunAnswer } from '../support/answers.ts';
import { allFramesOf } from '../support/event-stream.ts';
import { testWith } from '../support/host.ts';
import { bash, python } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';
import { startServer } from '../support/server.ts';

const test = testWith('bwrap', 'python3');

const token = 'tok-Zq7!9 "x"\\é/Rw3=';
const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASCBK\n-----END KEY-----';
const argspec = {
  type: 'object',
  required: ['token'],
  properties: {
    token: { type: 'string', format: 'secret' },
    key: { type: 'string', format: 'secret' },
    user: { type: 'string' },
  },
};
const asked = python('import os\nprint(len(os.environ["TOKEN"]))', { argspec, env: { TOKEN: { secret: 'token' } } });

const server = await startServer({
  jobs: {
    asked,
    files: bash('tr a-zA-Z n-za-mN-ZA-M < "$FLWD_SECRETS_DIR/token"; echo; stat -c %a "$FLWD_SECRETS_DIR/token"', {
      argspec,
    }),
    nowhere: python(
      `import json, os
secret = open(os.environ["FLWD_SECRETS_DIR"] + "/token").read()
found = [name for name, value in os.environ.items() if secret in value]
for path in (os.environ["FLWD_ARGS_FILE"], "/proc/self/cmdline", "/proc/1/cmdline", "/proc/1/environ"):
    try:
        if secret.encode() in open(path, "rb").read():
            found.append(path)
    except OSError:
        pass
json.dump(found, open(os.environ["FLWD_RESULT_FILE"], "w"))`,
      { argspec },
    ),
    leaky: python(
      `import base64, json, os, sys, urllib.parse
def read(name):
    return open(os.environ["FLWD_SECRETS_DIR"] + "/" + name).read()
token, key = read("token"), read("key")
print("raw", token)
print("base64", base64.b64encode(token.encode()).decode())
print("url", urllib.parse.quote(token, safe=""))
print("hex", token.encode().hex())
print("json", json.dumps({"token": token}, ensure_ascii=False))
print(json.dumps({"level": "warn", "message": "structured " + token, "extra": token}))
print("key", key)
print("one line of it", key.split("\\n")[1])
print("to stderr", token, file=sys.stderr)
sys.stdout.write("x" * 65530 + token + "y" * 100 + "\\n")
sys.stdout.flush()
for part in (token[:7], token[7:]):
    sys.stdout.write(part)
    sys.stdout.flush()
print()
with open(os.environ["FLWD_RESULT_FILE"], "w") as f:
    json.dump({"token": token, "nested": [key]}, f)
with open(os.environ["FLWD_OUTPUT_FILE"], "w") as f:
    f.write("token=" + token + "\\n")
sys.exit("failing with " + token)`,
      { argspec },
    ),
    impostor: bash('echo "setpriv: failed to execute $(< "$FLWD_SECRETS_DIR/token"): x" >&2; exit 127', { argspec }),
    waiting: bash('echo started; sleep 300', { argspec }),
  },
});
afterAll(() => server.close());

const spellings = [
  token,
  JSON.stringify(token).slice(1, -1),
  Buffer.from(token).toString('base64'),
  encodeURIComponent(token),
  Buffer.from(token).toString('hex'),
  'MIIEvQIBADANBgkqh',
  'kiG9w0BAQEFAASCBK',
];

function expectNoSecret(text: string, where: string): void {
  const lower = text.toLowerCase();
  expect(
    spellings.filter((spelling) => lower.includes(spelling.toLowerCase())),
    where,
  ).toEqual([]);
}

test('the script finds a secret in a private file named after the argument', async () => {
  const run = await server.run('files', { token });
  expect(await server.messages(run.run_id)).toEqual(['gbx-Md7!9 "k"\\é/Ej3=', expect.stringMatching(/^[46]00$/)]);
});

test('a secret is in no variable, argument or other file', async () => {
  expect(await server.run('nowhere', { token })).toMatchObject({ status: 'success', result: { value: [] } });
});

test('a secret is in a variable only if the job asks for that', async () => {
  const run = await server.run('asked', { token });
  expect(await server.messages(run.run_id)).toEqual(['20']);
});

test('a script that prints a secret in every encoding reveals nothing', async () => {
  const body = { job_id: 'leaky', args: { token, key, user: 'ada' }, async: false };
  const text = await (await server.fetch('/runs', { body })).text();
  const run: RunAnswer = JSON.parse(text);
  expectNoSecret(text, 'the answer');
  expect(run).toMatchObject({
    status: 'failed',
    reason: 'exit',
    args: { token: '[redacted]', key: '[redacted]', user: 'ada' },
  });

  const log = await (await server.fetch(`/runs/${run.run_id}/logs`, { headers: { accept: 'text/plain' } })).text();
  expect(log).toContain('raw [redacted]\n');
  expect(log).toContain('yyyy');
  expectNoSecret(log, 'the log');
  const json = await (await server.fetch(`/runs/${run.run_id}/logs?limit=10000`)).text();
  expectNoSecret(json, 'the log as JSON');
  const followed = await allFramesOf(await server.fetch(`/runs/${run.run_id}/logs?follow=true`));
  expectNoSecret(JSON.stringify(followed.map(({ data }) => data)), 'the log as a stream');
  const events = await allFramesOf(await server.fetch(`/events/runs?run_id=${run.run_id}`));
  expectNoSecret(JSON.stringify(events.map(({ data }) => data)), 'the events');
  expectNoSecret(await (await server.fetch('/runs')).text(), 'the list');
});

test('a script that imitates a failed start reveals no secret', async () => {
  const body = { job_id: 'impostor', args: { token }, async: false };
  const text = await (await server.fetch('/runs', { body })).text();
  const run: RunAnswer = JSON.parse(text);
  expect(run).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('[redacted]') } });
  expectNoSecret(text, 'the answer');
});

test('a secret is in no file of the data dir, server log, command line or environment', async () => {
  const runId = await server.start('waiting', { token, key });
  await expect.poll(() => server.messages(runId)).toEqual(['started']);
  await server.fetch('/runs', { body: { job_id: 'waiting', args: { token, key, nope: 1 } } });

  expect(processesWith(token)).toEqual([]);
  const own = processesWith(runId);
  expect(own).not.toEqual([]);
  for (const { pid } of own) {
    expectNoSecret(await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => ''), `the environment of ${pid}`);
  }
  expectNoSecret(server.stderr + server.stdout, 'the log of the server');
  // Wait until the folders of earlier runs have been removed.
  await expect.poll(() => readdir(join(server.dataDir, 'runs'))).toEqual([runId]);
  const entries = await readdir(server.dataDir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  expect(files.length).toBeGreaterThan(10);
  for (const path of files) expectNoSecret(await textOf(path), path);
  await server.fetch(`/runs/${runId}/cancel`, { method: 'POST' });
});

test('a run that was waiting when the server was killed still gets its secret', async () => {
  await using small = await startServer({
    jobs: { hold: bash('echo held; sleep 300'), asked },
    config: { scheduler: { global_concurrency: 1 } },
  });
  const holder = await small.start('hold');
  await expect.poll(() => small.messages(holder)).toEqual(['held']);
  const waiting = await small.start('asked', { token });
  await small.stop('SIGKILL');
  await small.startAgain();
  await small.fetch(`/runs/${holder}/cancel`, { method: 'POST' });
  expect(await small.finished(waiting)).toMatchObject({ status: 'success' });
  expect(await small.messages(waiting)).toEqual(['20']);
});

/** Decompresses log segments (zstd), reads other files unchanged, and skips files that have been removed by now. */
async function textOf(path: string): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  });
  return (path.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString('utf8');
}
