// Writes docs/configuration.md from the table of keys, with what does not fit into a row below each table.

import { type Key, type KeyPath, keys } from '../src/config/keys.ts';
import { keyPaths } from '../src/config/shape.ts';

type SectionOf<P> = P extends `${infer Section}.${string}` ? Section : never;
type SectionName = SectionOf<KeyPath>;
/** `about` says what the section is for. `notes` are the details of its keys, each an item of a list. */
type Section = { readonly about: string; readonly notes?: readonly string[] };
type Row = (...cells: readonly string[]) => string;

export function configPage(row: Row): string {
  const bySection = Map.groupBy(keyPaths, sectionOf);
  return `${introductionWith([...bySection.keys()])}\n${[...bySection].map(([name, paths]) => sectionText(name, paths, row)).join('\n')}`;
}

function sectionOf(path: KeyPath): SectionName {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every path begins with its section
  return path.split('.', 1)[0] as SectionName;
}

function sectionText(name: SectionName, paths: readonly KeyPath[], row: Row): string {
  const nameOf = (path: KeyPath) => `\`${path.slice(name.length + 1)}\``;
  const rows = paths.map((path) => {
    const key: Key = keys[path];
    return row(nameOf(path), key.kind.name, defaultOf(key), describe(key));
  });
  const table = row('key', 'value', 'default', 'meaning') + row('---', '---', '---', '---') + rows.join('');
  const { about, notes = [] } = sections[name];
  const items = [...notes.map(wrapNote), ...notYetNotes(paths, nameOf)].map((note) => `- ${note}\n`).join('');
  return `## ${name}\n\n${about}\n\n${table}${items === '' ? '' : `\n${items}`}`;
}

const inWords = new Intl.ListFormat('en-GB');

/** A note for each reason why this version refuses keys. */
function notYetNotes(paths: readonly KeyPath[], nameOf: (path: KeyPath) => string): string[] {
  const byReason = Map.groupBy(paths, (path) => {
    const { notYet }: Key = keys[path];
    return notYet;
  });
  return [...byReason].flatMap(([reason, refused]) =>
    reason === undefined
      ? []
      : [
          wrap(
            `${inWords.format(refused.map(nameOf))} ${refused.length > 1 ? 'are' : 'is'} *not yet* supported, because ${reason}.`,
          ),
        ],
  );
}

/** A note that contains a list keeps its lines. */
function wrapNote(note: string): string {
  return note.includes('\n  - ') ? note : wrap(note.replaceAll(/\s+/g, ' '));
}

/** At 120 columns, by default as an item of a list. */
function wrap(text: string, indent = '  '): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + word.length < 118) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join(`\n${indent}`);
}

function describe({ about, notYet, isRequired, isForUntrusted, sourceTypes }: Key): string {
  const notes = [
    isRequired ? 'required' : '',
    isForUntrusted ? 'untrusted only' : '',
    sourceTypes ? `${sourceTypes.join(' and ')} only` : '',
    notYet ? '*not yet*' : '',
  ].filter(Boolean);
  return notes.length > 0 ? `${about} (${notes.join('; ')})` : about;
}

function defaultOf({ default: value, defaultText }: Key): string {
  if (defaultText) return defaultText;
  if (value === null) return '–';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function introductionWith(names: readonly SectionName[]): string {
  const links = names.map((name) => `[${name}](#${name.replace('[]', '')})`).join(', ');
  return `# Configuration

<!-- Made by \`npm run docs\` from src/config/keys.ts and docs/config-page.ts. -->

\`flwd.yaml\` configures flwd. It needs only the settings that differ from the defaults:

\`\`\`yaml
server:
  bind: 127.0.0.1:9000
sources:
  - name: ops
    path: /srv/ops/jobs
scheduler:
  timezone: Europe/Berlin
\`\`\`

\`\`\`sh
flwd config validate --config FILE   # every error, with file, line and column
flwd config show                     # every setting that a server started here would have, and where it comes from
\`\`\`

\`flwd config validate\` also checks the keys and certificates that the file names, so run it as the server's user.
\`flwd config show\` warns if the running server does not use the printed sources, because it was started in another
folder or before the settings changed.

${wrap(`The sections of the file: ${links}`, '')}

## Where flwd looks

**For the file.** flwd reads the first of these files that exists:

1. the file that \`--config FILE\` names
2. \`./flwd.yaml\`
3. \`~/.config/flwd/flwd.yaml\`
4. \`/etc/flwd/flwd.yaml\`

If \`--config\` names a file that does not exist, flwd exits. Without a file, the defaults apply.

**For jobs.** flwd looks in the folders that \`sources\` lists. Without \`sources\`, there is one source with the name
\`local-fs\`. It is the first of these folders that exists:

1. the folder \`jobs\` next to \`flwd.yaml\` or, without \`flwd.yaml\`, in the current folder
2. the folder of \`flwd.yaml\` or, without \`flwd.yaml\`, the current folder. flwd does not use this folder if the
   configured \`instance.data_dir\` is in it

If the folder of a source does not exist, perhaps because it is mounted later, the server starts without its jobs. It
finds them once the folder is there. Until then, \`/health\` says \`degraded\` for the check \`sources\`. But a folder that
\`--jobs\` names must exist when the server starts.

## How to write values

- **Variables.** The environment variable \`FLWD_SERVER_BIND\` overrides \`server.bind\`. For any other key, write \`FLWD_\`,
  then its section and its name in upper case, with \`_\` for every dot:
  \`FLWD_SECURITY_PROFILES_SECURE_RATE_LIMIT_LIMIT\`.
  - Separate the items of a list with commas, and write a map as \`name=value,name=value\`.
  - flwd ignores an empty variable.
  - \`remotes\`, \`notify.channels\` and the items of \`sources\`, \`aliases\` and \`notify.rules\` have no variables.
  - The older prefix \`FLOWD_\` and the short names \`FLWD_DATA_DIR\`, \`FLWD_LOG_LEVEL\` and \`FLWD_PROFILE\` work, too.
- **Options.** The command-line options \`--bind\`, \`--data-dir\`, \`--jobs\`, \`--profile\` and \`--log\` override the file and
  the variables. \`--jobs\` replaces all sources.
- **Paths.** A relative path in the file starts at the file's folder. In a variable or an option, it starts at the
  current folder. \`~/\` is the home of the user that runs flwd. \`~name/\` and \`$HOME/\` are refused.
- **Units.** A duration is \`250ms\`, \`30s\`, \`1h30m\` or \`7d\`. \`never\`, where it is allowed, means no limit. A size is
  \`512\` (bytes), \`64KiB\`, \`10MB\` or \`1GiB\`.
- **Not yet.** flwd knows the keys marked *not yet*, but this version accepts only their defaults.
- **Other spellings.** flwd also reads a file that was written for another implementation of flwd. If a line cannot keep
  its meaning, flwd refuses it and says what to write instead ([guide](guides/other-spellings.md)).
  \`flwd config validate\` and \`flwd serve\` name the lines that flwd accepts but only partly follows.

## Who may write to the file

Anyone who can write to \`flwd.yaml\` decides what the server runs. So if flwd has found the file by itself, without
\`--config\`, it checks two things:

- The file, and a link that leads to it, must belong to the current user or to root.
- Only the file's owner may have write permission. (The file's group may have it, too, if the group id equals the
  owner's user id.)

If one of these checks fails, flwd prints an error and exits. Fix it with \`chown\` or \`chmod go-w\`, or name the file
with \`--config\`. flwd always accepts a file that \`--config\` names, and warns if others can write to it.
`;
}

const sections: Readonly<Record<SectionName, Section>> = {
  instance: {
    about: 'The name of this instance, and the folder for its data.',
    notes: [
      'Only the user that runs flwd can read the data dir (mode 0700). Only one server at a time can use it.',
      '`default_tenant` is also the [tenant](security.md#tenants) of the schedules and webhooks in `config.yaml` files.',
    ],
  },
  'sources[]': {
    about: 'Each item is a folder in which flwd looks for jobs.',
    notes: [
      `This version refuses \`git\` and \`oci\`: clone the repository, or copy the jobs out of the image, and name the folder
  in \`path\`.`,
      `With \`watch: true\`, flwd finds changes within a second. With \`false\`, it reads the source when it starts, and on
  \`flwd sources reload\`.`,
      `With \`trusted: false\`, the jobs run in the profile \`secure\`, without the network and without your files. The source
  needs a \`mountPath\` of its own. [Untrusted sources](security.md#untrusted-sources) says more.`,
      `The keys marked *untrusted only* say what the jobs of an untrusted source may use. flwd refuses them in a trusted
  source, because its jobs may use everything.`,
      `\`calls\` is about [sub-runs](jobs.md#sub-runs), and \`triggers\` about [triggers](jobs.md#triggers) that follow a
  job. In both, \`own\` means only this source, and \`all\` means every source. A list of names means these sources and
  this source itself.`,
      'With `webhooks: true`, `secrets` must also list the keys that sign the deliveries.',
    ],
  },
  server: {
    about: 'The address of the server, how long it waits for clients, and TLS.',
    notes: [
      `If other machines can reach the address, as with \`0.0.0.0:8080\`, the server starts only with a token, with
  \`auth.jwt\` or with \`auth.mode: none\` ([Security](security.md#beyond-loopback)).`,
      'The links in notifications and the addresses of new webhooks begin with `public_url`.',
      `With \`trust_proxy: true\`, flwd trusts these headers from every caller. Use it only if nobody but the proxy can reach
  the port ([Security](security.md#behind-a-proxy)).`,
      `With \`tls.cert_file\`, the server speaks only HTTPS. When the files change, it uses the new ones without a restart
  ([Security](security.md#tls)).`,
    ],
  },
  auth: {
    about: 'Who may call the server ([Security](security.md#who-can-call-the-server)).',
    notes: [
      `With \`mode: auto\`, only the server's own user on loopback needs no token. With \`required\`, every caller needs one.
  With \`none\`, no caller needs one.`,
      `The server recognises calls from its own jobs by looking at the processes of its user in \`/proc\`. \`trust_jobs\` turns
  this check off. Set it only if \`/proc\` hides these processes. \`trust_jobs\` has an effect only with
  \`mode: auto\`, and only if the server does not run as root.`,
      'When `jwks_file` changes, flwd reads it again within a second. `jwks_url` must be https, except on loopback.',
      `A JWT without the tenant claim belongs to \`instance.default_tenant\`. The tenant \`*\` requires the scope \`admin\`.`,
      'The scope claim is a list of scopes, or one text with spaces between the scopes. flwd ignores scopes that it does not know.',
      '`algorithms` cannot contain algorithms with shared secrets, such as `HS256`.',
    ],
  },
  security: {
    about:
      'What jobs may do on this host, and how much of it they may use ([Security](security.md#what-a-job-can-reach)).',
    notes: [
      'Only a server that runs as root can run jobs as other users (`run_as`).',
      `\`resources\` are also the most that a job can ask for: in its \`permissions.resources\` or, for \`timeout\`, in its
  \`timeouts.run\`.`,
      `The \`rate_limit\` of the default profile counts the requests of a caller. The
  \`rate_limit\` of any other profile counts the runs that a caller starts in this profile.`,
    ],
  },
  persistence: {
    about: 'Where flwd keeps its data, how much, and for how long ([Operation](operation.md#retention)).',
    notes: [
      'A run fails if one of its artifacts is larger than `artifacts.max_size`, or if all artifacts together exceed `artifacts.quota_hard`.',
      'flwd removes a run together with its steps, logs, artifacts and workspace.',
      'If `retention.logs` or `retention.runs` is shorter than `retention.events`, the shorter time also applies to events.',
      'flwd can keep the statistics counters (`retention.stats`) for longer than the runs that they count.',
      `\`secret_key_file\` has one key \`fsk_…\` per line. flwd encrypts with the first key, and decrypts with all of them. flwd creates the file when it
  first starts. After a rotation, a line \`ffk_…\` holds the key with which flwd recognises repeated requests (\`Idempotency-Key\`).`,
      `flwd refuses \`secret_key\` in \`flwd.yaml\`, because jobs in the profile \`disabled\` can read that file. In
  \`FLWD_SECRET_KEY\`, commas separate the keys.`,
    ],
  },
  scheduler: {
    about: 'When runs start, and how many at a time.',
    notes: [
      `A calendar is a list of dates, or the path of an iCalendar file (\`.ics\`), which flwd reads when the server starts:
  \`calendars: {holidays: [2026-12-24], company: /etc/flwd/company.ics}\`.`,
      'With `schedules_paused: true`, no schedule starts a run.',
      'With `triggers_paused: true`, no trigger and no delivery to a webhook starts a run.',
      `If \`queue.max_depth\` runs wait, flwd refuses further runs with 429 \`queue-full\`. Sub-runs do not count.`,
      `If runs of several tenants wait, each tenant gets slots in proportion to its weight. With \`weights: {team-a: 3}\`,
  team-a gets three slots for each slot of another tenant.`,
    ],
  },
  notify: {
    about: 'Where notifications go ([guide](guides/notifications.md)).',
    notes: [
      '`signing_key_file` has one key `whsec_…` per line. flwd creates the file when it first starts.',
      `Jobs of untrusted sources cannot notify the server itself, link-local addresses, or the metadata service of the
  server's cloud. \`allow\` lists exceptions.`,
      'In `smtp.url`, `smtps:` means TLS from the start, and `smtp:` means STARTTLS.',
      `The \`type\` of a channel decides which other keys it needs:
  - \`webhook\`, \`slack\`, \`teams\`, \`discord\`: \`url\`
  - \`ntfy\`: \`url\`, and \`token\` if the topic needs an access token
  - \`gotify\`: the \`url\` of the server, and the \`token\` of the application
  - \`telegram\`: the \`token\` of the bot, and \`chat_id\`
  - \`pagerduty\`: \`routing_key\`
  - \`mail\`: \`to\`, and \`smtp.url\` and \`smtp.from\` for all channels of this type
  - \`template\`: \`url\`, and optionally \`method\`, \`headers\` and \`body\``,
      `\`body\` is an [expression](jobs.md#expressions) that can use \`event\`, \`message\` and \`run\`. If its value is a text,
  flwd sends the text unchanged. It sends any other value as JSON.`,
      'In `rules[].jobs`, `*` stands for any part of one segment of an id, and `**` stands for any number of segments.',
      'With `after: 3`, flwd does not report the first two failures in a row, but the third and all further ones.',
      `With \`repeat: 24h\`, flwd reports the same failure at most once in 24 hours, until the job succeeds. From the second
  report on, the event is \`still_failing\`. flwd reports a different failure of the job at once.`,
    ],
  },
  'aliases[]': {
    about:
      'Second names for jobs. With `aliases: [{from: backup/daily, to: nightly}]`, `flwd nightly` runs `backup/daily`.',
  },
  worker: { about: 'Reserved for servers on several machines.' },
  container: { about: 'Reserved for jobs that run in containers.' },
  logging: {
    about: 'The log of the server itself. `flwd logs` shows the logs of runs.',
    notes: ['A file in `output` gets mode 0600. flwd only appends to it, so rotate it with `copytruncate`.'],
  },
  telemetry: {
    about: 'Sends spans and lines of logs to a collector, by OTLP over HTTP ([Operation](operation.md#traces)).',
    notes: [
      'flwd adds `/v1/traces` or `/v1/logs` to `endpoint`.',
      'With `logs: true`, everyone who can read the data of the collector can read what the scripts of all tenants print.',
    ],
  },
  extensions: {
    about: 'Switches the optional interfaces on and off.',
    notes: [
      'Without `mcp`, the server has no `/mcp` and refuses `flwd mcp`.',
      '`tui` only tells clients that they may offer the terminal UI.',
      '`triggers`, `export` and `maint` have no effect: these parts cannot be switched off.',
    ],
  },
  mcp: {
    about: 'Which tools agents get ([guide](guides/agents.md)).',
    notes: [
      `If there are more jobs than \`job_tools\`, only jobs with \`agents: {expose: true}\` become tools. If no job has this,
  the first jobs in the order of their ids become tools. Agents find the other jobs with the tool \`jobs_search\`.`,
      'Keep `job_tools` small, because many clients read only one page of tools.',
      'If a run takes longer than `wait`, the answer of the tool says that the run is still running.',
      'With `untrusted: true`, agents read text by authors whom you do not trust. It may contain instructions.',
    ],
  },
  remotes: { about: 'Other instances of flwd. `flwd --remote NAME` sends a command to one of them.' },
};
