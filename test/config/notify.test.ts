// The channels and rules of flwd.yaml: what they mean, and every error with its place.

import { expect, test } from 'vitest';
import { createProject } from './project.ts';

const written = `notify:
  channels:
    team: {type: slack, url: {secret: slack}}
    own:
      type: template
      method: PUT
      url: https://example.org/x
      headers: {Authorization: {secret: own}, X-Plain: text}
      body: message.reason
  rules:
    - {jobs: "prod/**", on: [failed, fixed], to: [team]}
    - {to: own, after: 3, repeat: 24h, digest: 10m}
`;

test('channels and rules are read with their defaults', () => {
  const { load } = createProject({ 'flwd.yaml': written });
  const { channels, rules } = load().config.notify;
  expect(channels).toMatchObject([
    { name: 'team', type: 'slack', url: { secret: 'slack' }, method: 'POST', headers: {}, body: null },
    {
      name: 'own',
      type: 'template',
      method: 'PUT',
      url: 'https://example.org/x',
      headers: { Authorization: { secret: 'own' }, 'X-Plain': 'text' },
      body: 'message.reason',
    },
  ]);
  expect(rules).toEqual([
    { jobs: ['prod/**'], to: ['team'], terms: { on: ['failed', 'fixed'] } },
    {
      jobs: ['**'],
      to: ['own'],
      terms: { on: ['failed'], after: 3, repeatMs: 86_400_000, digestMs: 600_000 },
    },
  ]);
});

test.each([
  ['channels: {team: {type: slack}}', '1:20: a channel of the type `slack` needs `url`'],
  ['channels: {team: {type: slak, url: x}}', 'must be one of'],
  ['channels: {team: {type: slack, url: T0KEN}}', 'must be an http or https URL without a user and password'],
  ['channels: {team: {type: slack, url: "https://a:T0KEN@b"}}', 'must be an http or https URL'],
  ['channels: {team: {type: slack, url: {secrt: T0KEN}}}', 'must be a text, or `{secret: NAME}`'],
  ['channels: {team: {type: slack, url: https://a, token: T0KEN}}', 'a channel of the type `slack` has no `token`'],
  ['channels: {team: {type: telegram, token: t}}', 'a channel of the type `telegram` needs `chat_id`'],
  [
    'channels: {get: {type: template, url: https://a, method: GET, body: message.reason}}',
    'a request with `method: GET` has no body: remove `body`, or use another method',
  ],
  [
    "channels: {t: {type: template, url: https://a, headers: {Content-Length: '5'}}}",
    'flwd sets the header `Content-Length` itself',
  ],
  ["channels: {t: {type: template, url: https://a, headers: {'X Y': '5'}}}", '`X Y` cannot be the name of a header'],
  ['channels: {a/b: {type: slack, url: https://a}}', '`a/b` cannot be the name of a channel'],
  ['channels: {ops: {type: mail, to: [ops@example.org]}}', 'a channel of the type `mail` needs `notify.smtp.url`'],
  ['channels: {ops: {type: mail, to: ["a@b\\nBcc: c@d"]}}', 'must be a list, each an address'],
  ['smtp: {url: "localhost:2525", from: a@b}', '`notify.smtp.url` must be `smtp://HOST:PORT` or `smtps://USER:PASS'],
  ['smtp: {url: "http://localhost:T0KEN@a", from: a@b}', '`notify.smtp.url` must be `smtp://HOST:PORT` or'],
  ['smtp: {url: "smtp://", from: a@b}', '`notify.smtp.url` must be `smtp://HOST:PORT` or'],
  ['smtp: {url: "smtps://me@mail.example.org", from: a@b}', '`notify.smtp.url` has a user, but no password'],
  ['smtp: {url: smtp://localhost, from: "x\\n <a@b>"}', '`notify.smtp.from` must be an address'],
  [
    'channels: {p: {type: pagerduty, routing_key: r}}, rules: [{to: p, digest: 1m}]',
    '`p` gets no digest: an incident of PagerDuty belongs to one job',
  ],
  ['rules: [{to: team}]', 'there is no channel `team` in `notify.channels`'],
  ['rules: [{jobs: "../x"}]', '`notify.rules[0].to` is missing'],
  ['rules: [{on: lately, to: team}]', 'must be one of `failed`'],
])('%s is refused', (notify, error) => {
  const { errors } = createProject({ 'flwd.yaml': `notify: {${notify}}\n` });
  expect(errors().join('\n')).toContain(error.replace(/^1:20/, 'flwd.yaml:1:21'));
  expect(errors().join('\n')).not.toContain('T0KEN');
});
