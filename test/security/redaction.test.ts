// A job prints its secret through every output it has, in every encoding that tools use, and nobody can read the secret
// anywhere. The content of artifacts is not redacted (docs/security.md).

import { existsSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { steps } from '../engine/step-jobs.ts';
import { startServing } from '../server/serving.ts';
import type { RunAnswer } from '../support/answers.ts';
import { allFramesOf } from '../support/event-stream.ts';
import { testWith } from '../support/host.ts';
import { bash, python } from '../support/jobs.ts';
import { processesWith } from '../support/processes.ts';

const test = testWith('bwrap', 'python3');

const token = 'tok-Zq7!9 "x"\\é/Rw3=<&>';
const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\nkiG9w0BAQEFAASCBK\n-----END KEY-----\n';
const plain = 'plainWord-8842-secret';
const argspec = {
  type: 'object',
  properties: Object.fromEntries(
    ['token', 'key', 'plain'].map((name) => [name, { type: 'string', format: 'secret' }] as const),
  ),
};

const json = (text: string) => JSON.stringify(text).slice(1, -1);
const base64 = (text: string, before: number) => {
  const whole = Buffer.from('x'.repeat(before) + text).toString('base64');
  return whole.slice(Math.ceil((before * 8) / 6), Math.floor(((before + Buffer.byteLength(text)) * 8) / 6));
};
const spellingsOf = (text: string): string[] => [
  text,
  ...[0, 1, 2].flatMap((before) => [
    base64(text, before),
    base64(text, before).replaceAll('+', '-').replaceAll('/', '_'),
  ]),
  Buffer.from(text).toString('hex'),
  Buffer.from(text).toString('hex').toUpperCase(),
  encodeURIComponent(text),
  new URLSearchParams([['', text]]).toString().slice(1),
  json(text),
  json(json(text)),
];
const spellings = [token, plain, 'MIIEvQIBADANBgkqh', 'kiG9w0BAQEFAASCBK'].flatMap((text) => spellingsOf(text));

function expectNoSecret(text: string, where: string): void {
  expect(
    spellings.filter((spelling) => text.includes(spelling)),
    where,
  ).toEqual([]);
}

const talks = `import base64, json, os, sys, urllib.parse
def read(name):
    return open(os.environ["FLWD_SECRETS_DIR"] + "/" + name).read()
token, key, plain = read("token"), read("key"), read("plain")
lines = [line for line in key.split("\\n") if len(line) > 3]
def spellings(text):
    raw = text.encode()
    yield text
    for before in (b"", b"x", b"xy"):
        for after in (b"", b"z", b"zz"):
            yield base64.b64encode(before + raw + after).decode()
            yield base64.urlsafe_b64encode(before + raw + after).decode()
    yield raw.hex()
    yield raw.hex().upper()
    yield urllib.parse.quote(text, safe="")
    yield urllib.parse.quote(text)
    yield urllib.parse.quote_plus(text)
    yield json.dumps(text)
    yield json.dumps(text, ensure_ascii=False)
said = [form for text in (token, plain, key, *lines) for form in spellings(text)]
for stream in (sys.stdout, sys.stderr):
    for form in said:
        print("<", form, ">", file=stream, flush=True)
    for form in said[:40]:
        half = len(form) // 2
        for part in (form[:half], form[half:], "\\n"):
            stream.write(part)
            stream.flush()
    stream.write("y" * 65526 + plain + "z" * 65530 + token + "\\n")
    stream.flush()
def mark(kind, text):
    sys.stdout.write("\\x1e" + kind + text + "\\n")
    sys.stdout.flush()
for form in said[:20]:
    one = form.replace("\\n", " ")
    print(json.dumps({"level": "warn", "message": "said " + one, "token": one, one: [one, {"deep": one}]}), flush=True)
    print(json.dumps({"level": "info", "msg": one, "n": 1}, ensure_ascii=False), flush=True)
    mark("w", "by the helper " + one)
os.system('flwd_progress 40 "$(cat "$FLWD_SECRETS_DIR/plain")"')
os.system('flwd_log error "$(cat "$FLWD_SECRETS_DIR/token")"')
dir = os.environ["FLWD_ARTIFACTS_DIR"]
for at, form in enumerate((plain, plain.encode().hex(), base64.b64encode(plain.encode()).decode(), urllib.parse.quote(token, safe=""))):
    with open(dir + "/" + str(at) + "-" + form + ".txt", "w") as f:
        f.write("content " + str(at))
os.mkdir(dir + "/" + plain)
open(dir + "/" + plain + "/inner.txt", "w").write("inner")
open("/workspace/named.txt", "w").write("named")
os.system('flwd_artifact named.txt --name "$(cat "$FLWD_SECRETS_DIR/plain").log" --type "text/$(cat "$FLWD_SECRETS_DIR/plain")"')
os.mkfifo(dir + "/pipe-" + plain)
with open(os.environ["FLWD_RESULT_FILE"], "w") as f:
    json.dump({"said": said, plain: token, "nested": [{key: [plain]}]}, f)
with open(os.environ["FLWD_OUTPUT_FILE"], "w") as f:
    f.write("token=" + token + "\\n" + plain.replace("-", "_") + "=x\\nkey<<EOF\\n" + key + "\\nEOF\\n")
sys.exit("failing with " + token + " and " + plain)`;

const logged: string[] = [];
const server = await startServing({
  executes: true,
  onLog: (line) => logged.push(JSON.stringify(line)),
  jobs: {
    talks: python(talks, { argspec, concurrency: { limit: 1, key: 'args["pla" + "in"]' } }),
    badResult: bash('printf "{%s" "$(cat "$FLWD_SECRETS_DIR/plain")" > "$FLWD_RESULT_FILE"', { argspec }),
    badOutput: bash('echo "no value $(cat "$FLWD_SECRETS_DIR/plain")" > "$FLWD_OUTPUT_FILE"', { argspec }),
    noProgram: bash('exec "/$(cat "$FLWD_SECRETS_DIR/plain")"', { argspec }),
    traced: bash(
      'set -x; word=$(cat "$FLWD_SECRETS_DIR/token"); other=$(cat "$FLWD_SECRETS_DIR/plain"); false "$word"',
      {
        argspec,
      },
    ),
    stepped: steps(
      {
        argspec,
        steps: [
          { id: 'list', script: './list.sh' },
          { id: 'each', script: './each.sh', foreach: 'steps.list.outputs.items', needs: ['list'] },
          {
            id: 'again',
            script: './again.sh',
            needs: ['each'],
            always: true,
            retry: { limit: 1, delay: '0s' },
            if: 'steps.list.outputs.items.contains("8842") || true',
          },
        ],
      },
      {
        list: 'printf "items=[\\"%s\\",\\"b\\"]\\n" "$(cat "$FLWD_SECRETS_DIR/plain")" > "$FLWD_OUTPUT_FILE"',
        each: 'echo "$FLWD_ITEM $FLWD_STEP_LIST_ITEMS"',
        again: 'echo "no: $FLWD_STEP_LIST_ITEMS" >&2; exit 3',
      },
    ),
    hangs: bash('stat -f -c "a %T" "$FLWD_SECRETS_DIR"; cat "$FLWD_SECRETS_DIR"/*; sleep 300', {
      argspec,
      cancel: { grace: '100ms' },
    }),
  },
});
afterAll(() => server.close());

const args = { token, key, plain };
const text = async (path: string, headers: Readonly<Record<string, string>> = {}) =>
  (await server.fetch(path, { headers })).text();

const runs = new Map<string, RunAnswer>();
beforeAll(async () => {
  for (const jobId of ['talks', 'badResult', 'badOutput', 'noProgram', 'traced', 'stepped']) {
    const response = await server.post('/runs', { job_id: jobId, args, async: false });
    const answer = await response.text();
    expectNoSecret(answer, `what POST /runs of ${jobId} answers`);
    runs.set(jobId, JSON.parse(answer));
  }
});
const runOf = (jobId: string): RunAnswer => {
  const run = runs.get(jobId);
  if (!run) throw new Error(`no run of ${jobId}`);
  return run;
};

describe.each(['talks', 'badResult', 'badOutput', 'noProgram', 'traced', 'stepped'])('%s', (jobId) => {
  test('cannot reveal its secret', async () => {
    const run = runOf(jobId);
    expect(run).toMatchObject({ status: 'failed' });
    const path = `/runs/${run.run_id}`;
    const places: Readonly<Record<string, string>> = {
      run: await text(path),
      attempts: await text(`${path}/attempts`),
      log: await text(`${path}/logs?limit=10000`),
      'log as text': await text(`${path}/logs`, { accept: 'text/plain' }),
      'log as NDJSON': await text(`${path}/logs`, { accept: 'application/x-ndjson' }),
      'log as a stream': JSON.stringify(await allFramesOf(await server.fetch(`${path}/logs?follow=true`))),
      events: JSON.stringify(await allFramesOf(await server.fetch(`${path}/events`))),
      'events of all': JSON.stringify(await allFramesOf(await server.fetch(`/events/runs?run_id=${run.run_id}`))),
      artifacts: await text(`/artifacts?run_id=${run.run_id}`),
      notices: await text(`${path}/notices`),
      list: await text('/runs'),
      audit: await text('/audit'),
      plan: await (await server.post('/plans', { job_id: jobId, args })).text(),
    };
    for (const [where, held] of Object.entries(places)) {
      expect(held, where).not.toContain('"status":404');
      expectNoSecret(held, where);
    }
  });
});

test('the output of a job is stored, with its secret redacted', async () => {
  const { run_id: runId, error } = runOf('talks');
  const log = await text(`/runs/${runId}/logs`, { accept: 'text/plain' });
  expect(log.split('[redacted]').length).toBeGreaterThan(200);
  expect(log).toContain('zzzz[redacted]');
  expect(error).toMatchObject({ message: expect.stringMatching(/failing with \[redacted\] and \[redacted\]$/) });
  expect(await text(`/runs/${runId}`)).toContain('"progress":{"percent":40,"message":"[redacted]"');
});

test('an artifact has its name, path, type and header redacted, and its content unchanged', async () => {
  const { run_id: runId } = runOf('talks');
  const { artifacts }: { artifacts: { id: string; name: string; media_type: string }[] } = JSON.parse(
    await text(`/artifacts?run_id=${runId}`),
  );
  expect(artifacts.map(({ name }) => name)).toEqual(expect.arrayContaining(['0-[redacted].txt', '[redacted].log']));
  expect(artifacts).toHaveLength(6);
  for (const { id, media_type: mediaType } of artifacts) {
    const response = await server.fetch(`/artifacts/${id}`);
    expect(response.headers.get('content-disposition')).toContain('attachment');
    expectNoSecret(JSON.stringify([...response.headers]), `the headers of ${id}`);
    expect(mediaType).toMatch(/^(text\/plain|application\/octet-stream)/);
    expect(await response.text()).toMatch(/^(content \d|inner|named)$/);
  }
});

test('no search finds the secret', async () => {
  for (const { run_id: runId } of runs.values()) {
    for (const word of [plain, 'plainWord', '8842', token, 'MIIEvQ']) {
      const q = encodeURIComponent(word);
      expect(JSON.parse(await text(`/runs?q=${q}`))).toMatchObject({ total: 0 });
      expect(JSON.parse(await text(`/runs/${runId}/logs?q=${q}`))).toMatchObject({ logs: [] });
    }
  }
});

test('a run gets its secret in a private tmpfs, and no command line or environment contains it', async () => {
  const response = await server.post('/runs', { job_id: 'hangs', args });
  const { run_id: runId }: { run_id: string } = JSON.parse(await response.text());
  await expect.poll(() => text(`/runs/${runId}/logs`)).toContain('[redacted]');
  expect(await text(`/runs/${runId}/logs`)).toContain('"message":"a tmpfs"');
  expect(existsSync('/run/flwd/secrets')).toBe(false);
  for (const word of [token, plain, 'MIIEvQIBADANBgkqh']) expect(processesWith(word)).toEqual([]);
  const processes = processesWith(runId);
  expect(processes.length).toBeGreaterThan(1);
  for (const { pid } of processes) {
    const variables = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    expectNoSecret(variables, `the environment of ${pid}`);
  }
  const [spool = ''] = (await readdir(join(server.root, 'data/runs', runId), { recursive: true })).filter((name) =>
    name.endsWith('spool'),
  );
  // Until the run has ended, this file contains the script's raw output, and only the server's user can read it.
  expect(statSync(join(server.root, 'data/runs', runId, spool)).mode & 0o777).toBe(0o400);
  expect(statSync(join(server.root, 'data/runs', runId)).mode & 0o777).toBe(0o700);
  await server.post(`/runs/${runId}/cancel`, {});
  expectNoSecret(await text(`/runs/${runId}`), 'the run');
  expectNoSecret(await text(`/runs/${runId}/logs`), 'its log');
  await expect.poll(() => existsSync(join(server.root, 'data/runs', runId))).toBe(false);
});

test('the answer to a refused request does not contain the secret', async () => {
  for (const body of [
    { job_id: 'talks', args: { ...args, nope: 1 } },
    { job_id: 'talks', args: { ...args, key: 7 }, labels: { 'no label': plain } },
    { job_id: 'nowhere', args },
    { job_id: 'talks', args, priority: 1_000 },
    { job_id: 'talks', args, security_profile: 'disabled' },
  ]) {
    const response = await server.post('/runs', body);
    expect(response.status).toBeGreaterThanOrEqual(400);
    expectNoSecret(await response.text(), JSON.stringify(body));
  }
  const broken = await server.post('/runs', `{"job_id": "talks", "args": {"plain": "${plain}"`);
  expect(broken.status).toBe(400);
  expectNoSecret(await broken.text(), 'of what is no JSON');
});

test('neither the server’s log nor any file of the data dir contains the secret, except artifacts', async () => {
  expect(logged.length).toBeGreaterThan(20);
  expectNoSecret(logged.join('\n'), 'the log of the server');
  const dataDir = join(server.root, 'data');
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  expect(files.map((file) => file.slice(dataDir.length + 1))).toEqual(
    expect.arrayContaining(['flwd.db', 'flwd.db-wal', 'secret.key']),
  );
  for (const path of files) {
    const bytes = await readFile(path).catch(() => Buffer.alloc(0));
    expectNoSecret((path.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString('utf8'), path);
    expectNoSecret(path, 'a name');
  }
});
