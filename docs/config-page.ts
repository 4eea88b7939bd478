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
  return `${introduction}\n${[...bySection].map(([name, paths]) => sectionText(name, paths, row)).join('\n')}`;
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
  const items = [...notes, ...notYetNotes(paths, nameOf)].map((note) => `- ${note}\n`).join('');
  return `## ${name}\n\n${about}\n\n${table}${items === '' ? '' : `\n${items}`}`;
}

/** A note for each reason why this version refuses keys. */
function notYetNotes(paths: readonly KeyPath[], nameOf: (path: KeyPath) => string): string[] {
  const byReason = Map.groupBy(paths, (path) => {
    const { notYet }: Key = keys[path];
    return notYet;
  });
  return [...byReason].flatMap(([reason, refused]) =>
    reason === undefined ? [] : [wrap(`*Not yet*: ${refused.map(nameOf).join(', ')}. The reason: ${reason}.`)],
  );
}

/** At 120 columns, as an item of a list. */
function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + word.length < 118) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines.join('\n  ');
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

const introduction = `# Configuration

<!-- Made by \`npm run docs\` from src/config/keys.ts and docs/config-page.ts. -->

Write what differs from the defaults into \`flwd.yaml\`:

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
flwd config show                     # every setting in force, and where it comes from
\`\`\`

\`flwd config validate\` also checks the keys and certificates that the file names, so run it as the server's user.

## Where flwd looks

**For the file.** flwd reads the first of these files that exists:

1. the file that \`--config FILE\` names
2. \`./flwd.yaml\`
3. \`~/.config/flwd/flwd.yaml\`
4. \`/etc/flwd/flwd.yaml\`

If \`--config\` names a file that does not exist, flwd exits. Without a file, the defaults apply.

**For jobs.** flwd looks in the folders that \`sources\` lists. Without \`sources\`, it looks in one folder, the source
\`local-fs\`:

1. in the folder \`jobs\` next to the file or, without a file, in the current folder
2. if there is no folder \`jobs\`, in the folder of the file or, without a file, in the current folder. flwd does not
   look there if the configured \`instance.data_dir\` is in that folder

If the folder of a source does not exist, perhaps because it is mounted later, the server starts without its jobs. It
finds them once the folder is there. Until then, \`/health\` says \`degraded\` for the check \`sources\`. Only a folder that
\`--jobs\` names must exist at the start.

## How to write values

- **Variables.** \`FLWD_<SECTION>_<KEY>\` overrides a key. Write \`_\` for every dot: \`FLWD_SERVER_BIND\`,
  \`FLWD_SECURITY_PROFILES_SECURE_RATE_LIMIT_LIMIT\`.
  - Separate the items of a list with commas, and write a map as \`name=value,name=value\`.
  - flwd ignores an empty variable.
  - \`remotes\`, \`notify.channels\` and the items of \`sources\`, \`aliases\` and \`notify.rules\` have no variables.
  - The older prefix \`FLOWD_\` and the short names \`FLWD_DATA_DIR\`, \`FLWD_LOG_LEVEL\` and \`FLWD_PROFILE\` work, too.
- **Options.** \`--bind\`, \`--data-dir\`, \`--jobs\` (replaces all sources), \`--profile\` and \`--log\` override the file and
  the variables.
- **Paths.** A relative path in the file starts at the file's folder. In a variable or an option, it starts at the
  current folder. \`~/\` is the home of the user that runs flwd. \`~name/\` is refused.
- **Units.** A duration is \`250ms\`, \`30s\`, \`1h30m\` or \`7d\`. \`never\`, where it is allowed, means no limit. A size is
  \`512\` (bytes), \`64KiB\`, \`10MB\` or \`1GiB\`.
- **Not yet.** flwd knows the keys marked *not yet*, but this version accepts only their defaults.
- **Other spellings.** flwd also reads a file that was written for another implementation of flwd. If a line cannot keep
  its meaning, flwd refuses it and says what to write instead ([guide](guides/other-spellings.md)).
  \`flwd config validate\` and \`flwd serve\` name the lines that flwd accepts but only partly follows.

## Who may write to the file

Anyone who can write to \`flwd.yaml\` decides what the server runs. If flwd has found the file by itself, without
\`--config\`:

- The file, and a link that leads to it, must belong to the current user or to root.
- Nobody else may have write permission. (A group whose id equals the owner's user id may have it.)

Otherwise flwd exits and says so. Fix it with \`chown\` or \`chmod go-w\`, or name the file with \`--config\`. flwd always
accepts a file that \`--config\` names, and warns if others can write to it.
`;

const sections: Readonly<Record<SectionName, Section>> = {
  instance: {
    about: 'The name of this instance, and the folder for its data.',
    notes: [
      'Only the user that runs flwd can read the data dir (mode 0700), and only one server at a time can use it.',
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
      'flwd refuses the keys marked *untrusted only* in a source that is trusted, because its jobs may use everything.',
      `In \`calls\` and \`triggers\`, \`own\` means only this source, and \`all\` means every source. A list of names means these
  sources and this source itself.`,
      'With `webhooks: true`, `secrets` must also list the keys that sign the deliveries.',
    ],
  },
  server: {
    about: 'The address of the server, how long it waits for clients, and TLS.',
    notes: [
      `An address beyond loopback, such as \`0.0.0.0:8080\`, requires a token, \`auth.jwt\` or \`auth.mode: none\`
  ([Security](security.md#beyond-loopback)).`,
      'Notifications link to `public_url`, and new webhooks show it as the beginning of their address.',
      `With \`trust_proxy: true\`, flwd believes these headers from every caller: use it only if nobody but the proxy can reach
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
      `\`trust_jobs\` has an effect only with \`mode: auto\` and a server that is not root. Set it only if /proc hides the
  processes of the server's user.`,
      '`jwks_file` is read again within a second after it has changed. `jwks_url` must be https, except on loopback.',
      `A JWT without the tenant claim belongs to \`instance.default_tenant\`. The tenant \`*\` requires the scope \`admin\`.`,
      'The scope claim is a list, or a text separated by spaces. flwd ignores scopes that it does not know.',
      '`algorithms` cannot contain algorithms with shared secrets, such as `HS256`.',
    ],
  },
  security: {
    about:
      'What jobs may do on this host, and how much of it they may use ([Security](security.md#what-a-job-can-reach)).',
    notes: [
      'Only a server that is root can run jobs as other users (`run_as`).',
      `A job can ask for less than \`resources\`, never for more: with \`permissions.resources\`, and for \`timeout\` with
  \`timeouts.run\`.`,
      `The \`rate_limit\` of the default profile counts the requests of a caller. That of any other profile counts the runs
  that a caller starts in this profile.`,
    ],
  },
  persistence: {
    about: 'Where flwd keeps its data, how much, and for how long ([Operation](operation.md#retention)).',
    notes: [
      'A run fails if one of its artifacts is larger than `artifacts.max_size`, or if it exceeds `artifacts.quota_hard`.',
      'flwd removes a run together with its steps, logs, artifacts and workspace.',
      'Events can be replayed for at most as long as `retention.logs` and `retention.runs` say.',
      'The counters of statistics (`retention.stats`) outlive the runs that they count.',
      `\`secret_key_file\` has one key \`fsk_…\` per line. The first encrypts, and all decrypt. flwd creates the file when it
  first starts. After a rotation, a line \`ffk_…\` holds the key that recognises requests with an \`Idempotency-Key\`.`,
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
      `With \`triggers_paused: true\`, no file, no check, no end of a run and no delivery starts a run.`,
      `If as many runs wait as \`queue.max_depth\` allows, flwd refuses further ones with 429 \`queue-full\`. Sub-runs do not
  count.`,
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
  - \`template\`: \`url\`, and if you like \`method\`, \`headers\` and \`body\``,
      `\`body\` is an expression over \`event\`, \`message\` and \`run\`. If it gives a text, flwd sends the text as it is. It
  sends anything else as JSON.`,
      'In `rules[].jobs`, `*` stands for any part of one segment of an id, and `**` stands for any number of segments.',
      'With `after: 3`, flwd reports nothing if a job fails twice and then succeeds.',
      `\`repeat\` ends when the job succeeds. Later reports of the same failure are the event \`still_failing\`. flwd reports a
  different failure of the job at once.`,
    ],
  },
  'aliases[]': { about: 'Second names for jobs, such as `nightly` for `backup/daily`.' },
  worker: { about: 'For servers on several machines.' },
  container: { about: 'For jobs that run in containers.' },
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
      `If there are more jobs than \`job_tools\`, only those with \`agents: {expose: true}\` become tools. If no job has this,
  the first jobs in the order of their ids become tools. Agents find the other jobs with \`jobs_search\`. Keep \`job_tools\`
  small: many clients read only one page of tools.`,
      'If a run takes longer than `wait`, the answer says that it is still running.',
      'With `untrusted: true`, the agent reads what the authors of untrusted jobs wrote.',
    ],
  },
  remotes: { about: 'Other instances, which `flwd --remote NAME` uses.' },
};
