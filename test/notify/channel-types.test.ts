// What each type of channel sends, against what its service documents: members, lengths, and no way for the text of a
// job to mention people, to hide an address or to add a header.

import { setImmediate as yieldNow } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import type { Channel, NotifyEvent } from '../../src/domain/notification.ts';
import type { RunMove } from '../../src/domain/run.ts';
import { createId } from '../../src/lib/ids.ts';
import { startReceiver } from '../support/receiver.ts';
import { aChannel } from './a-channel.ts';
import { dataFolder, openNotifier } from './a-notifier.ts';

const publicUrl = 'https://flwd.example.org/';
const hostile = 'Nightly\r\nX-Injected: 1 <!channel> @everyone [click](https://evil.example) <b>&\u202e\u0007`*_';
/** Each is a line of the log. The last line has the greatest length that can be stored. */
const hostileLines = [
  '\u001b[31mred\u001b[0m <!here> ```',
  '[a](https://evil.example) <@U1> \\',
  `${'x<&"'.repeat(16_000)} end`,
];

/** The request that a channel of this type gets for a run that ends in this way. */
async function requestOf(
  channel: Partial<Channel> & Pick<Channel, 'type'>,
  o: { on?: NotifyEvent; move?: RunMove; message?: string; path?: string; publicUrl?: null } = {},
) {
  const receiver = await startReceiver();
  const { on = 'failed', move = 'fail', message = `the script said ${hostile}`, path = '/hooks/T0KEN' } = o;
  const opened = await openNotifier(dataFolder(), {
    channels: [aChannel({ url: `${receiver.url}${path}`, ...channel })],
    ...(o.publicUrl !== null && { publicUrl }),
  });
  const runId = await opened.end([{ on: [on], channel: 'team' }], move, {
    title: hostile,
    lines: hostileLines,
    change: { error: move === 'fail' ? { message } : null },
  });
  await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 60_000 });
  await yieldNow();
  const [request] = receiver.received;
  if (!request) throw new Error('no request');
  return { ...request, runId, json: () => JSON.parse(request.body) };
}

const invisible = /(?![\n\t])[\p{Cc}\p{Cf}]/u;

/** Every text in the value. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

test('slack: a message has a headline, the reason, the end of the log and a link, in fields that Mattermost shows too', async () => {
  const { json, headers, path, runId } = await requestOf({ type: 'slack' });
  expect([path, headers['content-type']]).toEqual(['/hooks/T0KEN', 'application/json']);
  const { text, attachments } = json();
  expect(text).toContain('(backup/daily) failed');
  expect(text).toContain('&lt;!channel&gt;');
  const [attachment, ...others] = attachments;
  expect(others).toEqual([]);
  expect(attachment).toMatchObject({
    color: '#d00000',
    fallback: text,
    title: 'Show the run',
    title_link: `https://flwd.example.org/runs/${runId}`,
    mrkdwn_in: ['text'],
    footer: `Failed on db1 at 2024-01-15 10:30:01 UTC, started by local through the API · ${runId}`,
  });
  expect(attachment).not.toHaveProperty('blocks');
  const [, reason, log] = /^([^`]*)\n```\n([^`]*)\n```$/.exec(attachment.text) ?? [];
  expect(reason).toMatch(/^The script said Nightly/);
  expect(log).toMatch(/^red &lt;!here&gt; '''\n/);
  expect(attachment.text.length).toBeLessThanOrEqual(4_600);
  for (const each of [text, reason]) {
    expect(each).not.toMatch(/[<>`]/);
    // In Markdown, these would mention everybody and hide an address.
    expect(each).not.toContain('@everyone');
    expect(each).not.toContain('](');
  }
  expect(textsOf(json()).filter((each) => invisible.test(each))).toEqual([]);
});

test('a message about a run with several steps names the steps as flwd runs does, and how to repeat those that failed', async () => {
  const receiver = await startReceiver();
  const channel = aChannel({ type: 'gotify', url: receiver.url, token: 't' });
  const opened = await openNotifier(dataFolder(), { channels: [channel] });
  const one = { name: '', kind: 'command', needs: [] } as const;
  const steps = [
    { ...one, step_id: 'step_01', n: 1 },
    { ...one, step_id: 'deploy[1]', n: 2, instance_of: 'deploy', item: '{"item":"db2.fra"}' },
  ];
  const change = { error: { message: 'exited with code 1', step_id: 'deploy[1]' } };
  const rule = [{ on: ['failed'], channel: 'team' }] as const;
  const runId = await opened.end(rule, 'fail', { run: { steps }, change, lines: ['the last line'] });
  await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 60_000 });
  expect(JSON.parse(receiver.received[0]?.body ?? '').message).toBe(
    'deploy[1] (db2.fra): exited with code 1.\n\n' +
      'Failed on db1 at 2024-01-15 10:30:01 UTC, started by local through the API.\n\n' +
      'step_01 | the last line\n\n' +
      `On db1: flwd logs ${runId}, or flwd rerun ${runId} --from failed`,
  );
});

test('slack: without server.public_url a message has a command instead of the link', async () => {
  const { json, runId } = await requestOf({ type: 'slack' }, { publicUrl: null });
  const [attachment] = json().attachments;
  expect(attachment).not.toHaveProperty('title');
  expect(attachment).not.toHaveProperty('title_link');
  expect(attachment.footer).toMatch(new RegExp(`through the API · flwd logs ${runId}$`));
});

test('teams: a message is an Adaptive Card without Markdown, below 28 KB', async () => {
  const { json, body, runId } = await requestOf({ type: 'teams' });
  const { type, attachments } = json();
  expect(type).toBe('message');
  expect(attachments).toHaveLength(1);
  const [{ contentType, contentUrl, content }] = attachments;
  expect([contentType, contentUrl]).toEqual(['application/vnd.microsoft.card.adaptive', null]);
  expect(content).toMatchObject({ type: 'AdaptiveCard', version: '1.4' });
  expect(content.body.map((each: { type: string }) => each.type)).toEqual(Array(4).fill('RichTextBlock'));
  expect(content.body[0].inlines[0]).toMatchObject({ type: 'TextRun', color: 'Attention', weight: 'Bolder' });
  expect(content.actions).toEqual([
    { type: 'Action.OpenUrl', title: 'Show the run', url: `https://flwd.example.org/runs/${runId}` },
  ]);
  expect(Buffer.byteLength(body)).toBeLessThan(28_000);
});

test('discord: a message is an embed within Discord’s limits, and mentions nobody', async () => {
  const { json, runId } = await requestOf({ type: 'discord' });
  const { embeds, allowed_mentions: mentions } = json();
  expect(mentions).toEqual({ parse: [] });
  const [embed, ...others] = embeds;
  expect(others).toEqual([]);
  expect(embed.title.length).toBeLessThanOrEqual(256);
  expect(embed.title).toContain('\\[click\\]\\(https\\://evil');
  expect(embed.description.length).toBeLessThanOrEqual(4_096);
  expect(embed.description.match(/```/g)).toHaveLength(2);
  expect([embed.color, embed.url]).toEqual([0xd0_00_00, `https://flwd.example.org/runs/${runId}`]);
  expect(new Date(embed.timestamp).toISOString()).toBe('2024-01-15T10:30:01.500Z');
  expect(textsOf(embed).join('').length).toBeLessThanOrEqual(6_000);
});

test('telegram: a message is HTML that Telegram can parse, with at most 4096 characters', async () => {
  const { json, path } = await requestOf({ type: 'telegram', token: '123:AB-c_d', chatId: '-100123' }, { path: '' });
  expect(path).toBe('/bot123:AB-c_d/sendMessage');
  const { chat_id: chat, text, parse_mode: mode, link_preview_options: preview } = json();
  expect([chat, mode, preview]).toEqual(['-100123', 'HTML', { is_disabled: true }]);
  expect(text.length).toBeLessThanOrEqual(4_096);
  expect(text.match(/<[^>]*>/g)).toEqual(['<b>', '</b>']);
  expect(text.match(/&(?!amp;|lt;|gt;)/g)).toBeNull();
  expect(text).toContain('&lt;!here&gt;');
});

test('ntfy: a message is JSON for the root, with the topic from the address, and at most 4096 bytes', async () => {
  const { json, path, headers, runId } = await requestOf({ type: 'ntfy', token: 'tk_1' }, { path: '/base/my-topic' });
  expect([path, headers.authorization]).toEqual(['/base/', 'Bearer tk_1']);
  const { topic, title, message, priority, tags, click } = json();
  expect([topic, priority, tags]).toEqual(['my-topic', 4, ['rotating_light']]);
  expect(click).toBe(`https://flwd.example.org/runs/${runId}`);
  expect(title).not.toMatch(/[\r\n]/);
  expect(Buffer.byteLength(title)).toBeLessThanOrEqual(250);
  expect(Buffer.byteLength(message)).toBeLessThanOrEqual(4_096);
});

test('gotify: a message is plain text with a priority, sent to /message', async () => {
  const { json, path, headers, runId } = await requestOf({ type: 'gotify', token: 'A.b' }, { path: '/gotify/' });
  expect([path, headers['x-gotify-key']]).toEqual(['/gotify/message', 'A.b']);
  const { priority, extras, message } = json();
  expect(priority).toBe(8);
  expect(message).toContain('<!here>');
  expect(extras).toEqual({
    'client::display': { contentType: 'text/plain' },
    'client::notification': { click: { url: `https://flwd.example.org/runs/${runId}` } },
  });
});

test('pagerduty: a failure opens an incident, and the next success resolves the same one', async () => {
  const receiver = await startReceiver();
  const channel = aChannel({ type: 'pagerduty', url: `${receiver.url}/v2/enqueue`, routingKey: { secret: 'pd' } });
  const opened = await openNotifier(dataFolder(), { channels: [channel], secrets: { pd: 'R'.repeat(32) }, publicUrl });
  const rule = [{ on: ['failed', 'fixed'], channel: 'team' }] as const;
  const change = { error: { message: 'y'.repeat(5_000) } };
  await opened.end(rule, 'fail', { title: hostile, lines: hostileLines, change });
  await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 60_000 });
  await opened.end(rule, 'succeed');
  await vi.waitFor(() => expect(receiver.received).toHaveLength(2), { timeout: 60_000 });

  const [opening, resolving] = receiver.received.map(({ body }) => JSON.parse(body));
  expect(opening).toMatchObject({ routing_key: 'R'.repeat(32), event_action: 'trigger', client: 'flwd' });
  const { summary, source, severity, timestamp } = opening.payload;
  expect([source, severity, timestamp]).toEqual(['db1', 'error', '2024-01-15T10:30:01.500Z']);
  expect(summary.length).toBeLessThanOrEqual(1_024);
  expect(opening.dedup_key.length).toBeLessThanOrEqual(255);
  expect(resolving).toEqual({ routing_key: 'R'.repeat(32), event_action: 'resolve', dedup_key: opening.dedup_key });
});

test('pagerduty: an incident is resolved only by a run that was created after the failed run, and the failure of an old run opens no incident', async () => {
  const receiver = await startReceiver();
  const channel = aChannel({ type: 'pagerduty', url: receiver.url, routingKey: 'R' });
  const opened = await openNotifier(dataFolder(), { channels: [channel], publicUrl });
  const rule = [{ on: ['failed', 'success'], channel: 'team' }] as const;
  /** A run that is created now, and ends when the test says so. */
  const created = () => ({ run: { createdAtMs: opened.time.nowMs, id: createId('run', opened.time.nowMs) } });
  const delivered = (count: number) =>
    vi.waitFor(() => expect(opened.notifier.outcomes.delivered).toBe(count), { timeout: 60_000 });
  const actions = () => receiver.received.map(({ body }) => JSON.parse(body).event_action);

  await opened.end(rule, 'succeed');
  await delivered(1);
  expect(actions()).toEqual([]);
  const slow = created();
  opened.time.nowMs += 60_000;
  await opened.end(rule, 'fail');
  await delivered(2);
  await opened.end(rule, 'succeed', slow);
  await delivered(3);
  expect(actions()).toEqual(['trigger']);
  const old = created();
  opened.time.nowMs += 60_000;
  await opened.end(rule, 'succeed');
  await delivered(4);
  expect(actions()).toEqual(['trigger', 'resolve']);

  opened.time.nowMs += 60_000;
  const oldId = await opened.end(rule, 'fail', old);
  await delivered(5);
  expect(actions()).toEqual(['trigger', 'resolve']);
  expect(await opened.store.notifications.list(oldId)).toMatchObject([{ event: 'failed' }]);
  await opened.end(rule, 'fail');
  await delivered(6);
  expect(actions()).toEqual(['trigger', 'resolve', 'trigger']);
});

test('webhook: a call is that of a job’s own webhook, with the message in words added', async () => {
  const { json, headers, runId } = await requestOf({ type: 'webhook' }, { message: 'exit code 3' });
  expect(headers['webhook-signature']).toMatch(/^v1,/);
  expect(json()).toMatchObject({
    type: 'run.finished',
    data: {
      run_id: runId,
      event: 'failed',
      status: 'failed',
      message: {
        reason: 'Exit code 3.',
        context: 'Failed on db1 at 2024-01-15 10:30:01 UTC, started by local through the API',
        url: `https://flwd.example.org/runs/${runId}`,
      },
    },
  });
  expect(json().data).not.toHaveProperty('args');
});

test('template: flwd.yaml sets the method, the headers and an expression for the body', async () => {
  const body = '{"text": message.headline, "job": run.job_id, "why": message.reason, "event": event}';
  const json = await requestOf({ type: 'template', method: 'PUT', headers: { 'X-Key': 'k' }, body }, { message: 'no' });
  expect(json.headers).toMatchObject({ 'x-key': 'k', 'content-type': 'application/json' });
  expect(json.headers).not.toHaveProperty('webhook-signature');
  expect(json.headers).not.toHaveProperty('x-injected');
  expect(json.json()).toMatchObject({ job: 'backup/daily', why: 'No.', event: 'failed' });

  const text = await requestOf({ type: 'template', headers: { 'Content-Type': 'text/x-own' }, body: 'message.reason' });
  expect(text.headers['content-type']).toBe('text/x-own');
  expect(text.body).toMatch(/^The script said/);
});

test.each([
  ['flwd', 'db1'],
  ['reports', 'db1 (reports)'],
])(
  'without server.public_url, a message of the instance %s has a command and the host on which to type it',
  async (instance, where) => {
    const receiver = await startReceiver();
    const channel = aChannel({ type: 'gotify', url: receiver.url, token: 't' });
    const opened = await openNotifier(dataFolder(), { channels: [channel], instance });
    const runId = await opened.end([{ on: ['success'], channel: 'team' }], 'succeed');
    await vi.waitFor(() => expect(receiver.received).toHaveLength(1), { timeout: 60_000 });
    const { message } = JSON.parse(receiver.received[0]?.body ?? '');
    expect(message).toBe(
      `It succeeded in 1.5s.\n\n` +
        `Succeeded on ${where} at 2024-01-15 10:30:01 UTC, started by local through the API.\n\n` +
        `On ${where}: flwd logs ${runId}`,
    );
  },
);
