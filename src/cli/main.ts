// The entry point of the command line: runs the named command and turns whatever happens into an exit code.

import type { Options } from './command.ts';
import type { Call } from './command-line.ts';
import type { CommandName } from './commands.ts';
import type { ExitCode } from './exit-code.ts';

/** A command that returns nothing has done its work. */
type End = ExitCode | Promise<ExitCode> | Promise<void>;
type Verb = { run(options: Options, operands: readonly string[], call: Call): End };

/** The code of a command is loaded only when the command is called. */
const verbs: Readonly<Record<CommandName, () => Promise<Verb>>> = {
  run: () => import('./run/run.ts'),
  plan: () => import('./job/plan.ts'),
  jobs: () => import('./job/jobs.ts'),
  init: () => import('./init.ts'),
  test: () => import('./job/test.ts'),
  'jobs validate': () => import('./job/jobs-validate.ts'),
  'import crontab': () => import('./import/import-crontab.ts'),
  'import systemd-timers': () => import('./import/import-others.ts'),
  'import cronicle': () => import('./import/import-others.ts'),
  'import rundeck': () => import('./import/import-others.ts'),
  'import dagu': () => import('./import/import-others.ts'),
  takeover: () => import('./takeover/takeover.ts'),
  runs: () => import('./run/runs.ts'),
  compare: () => import('./run/compare.ts'),
  stats: () => import('./run/stats.ts'),
  logs: () => import('./run/logs.ts'),
  search: () => import('./run/search.ts'),
  failures: () => import('./run/failures.ts'),
  late: () => import('./run/late.ts'),
  cancel: () => import('./run/cancel.ts'),
  rerun: () => import('./run/rerun.ts'),
  approvals: async () => ({ run: (await import('./run/approvals.ts')).list }),
  approve: async () => ({ run: (await import('./run/approvals.ts')).decide }),
  deny: async () => ({ run: (await import('./run/approvals.ts')).decide }),
  artifacts: async () => ({ run: (await import('./run/artifacts.ts')).list }),
  'artifacts get': async () => ({ run: (await import('./run/artifacts.ts')).get }),
  events: () => import('./run/events.ts'),
  export: () => import('./run/export.ts'),
  schedules: async () => ({ run: (await import('./schedule/schedules.ts')).list }),
  'schedules add': () => import('./schedule/schedules-add.ts'),
  'schedules rm': async () => ({ run: (await import('./schedule/schedules.ts')).remove }),
  backfill: async () => ({ run: (await import('./schedule/backfills.ts')).start }),
  backfills: async () => ({ run: (await import('./schedule/backfills.ts')).list }),
  'backfills cancel': async () => ({ run: (await import('./schedule/backfills.ts')).cancel }),
  'schedules run': async () => ({ run: (await import('./schedule/schedules.ts')).start }),
  'schedules hold': async () => ({ run: (await import('./schedule/schedules.ts')).hold }),
  'schedules release': async () => ({ run: (await import('./schedule/schedules.ts')).release }),
  'schedules pause': async () => ({ run: (await import('./schedule/schedules.ts')).pauseOrResume }),
  'schedules resume': async () => ({ run: (await import('./schedule/schedules.ts')).pauseOrResume }),
  webhooks: async () => ({ run: (await import('./webhook/webhooks.ts')).list }),
  'webhooks add': () => import('./webhook/webhooks-add.ts'),
  'webhooks rm': async () => ({ run: (await import('./webhook/webhooks.ts')).remove }),
  'webhooks test': () => import('./webhook/webhooks-test.ts'),
  'webhooks deliveries': async () => ({ run: (await import('./webhook/webhooks.ts')).deliveries }),
  'webhooks replay': async () => ({ run: (await import('./webhook/webhooks.ts')).replay }),
  notify: async () => ({ run: (await import('./notify/notify.ts')).list }),
  'notify test': async () => ({ run: (await import('./notify/notify.ts')).test }),
  triggers: async () => ({ run: (await import('./trigger/triggers.ts')).list }),
  'triggers results': async () => ({ run: (await import('./trigger/triggers.ts')).results }),
  sources: async () => ({ run: (await import('./job/sources.ts')).list }),
  'sources list': async () => ({ run: (await import('./job/sources.ts')).list }),
  'sources get': async () => ({ run: (await import('./job/sources.ts')).get }),
  'sources reload': async () => ({ run: (await import('./job/sources.ts')).reload }),
  tui: () => import('./tui.ts'),
  mcp: async () => ({ run: (await import('./mcp/mcp.ts')).serve }),
  'mcp config': async () => ({ run: (await import('./mcp/mcp.ts')).config }),
  serve: () => import('./admin/serve.ts'),
  'config validate': async () => ({ run: (await import('./admin/config.ts')).validate }),
  'config show': async () => ({ run: (await import('./admin/config.ts')).show }),
  doctor: () => import('./admin/doctor.ts'),
  gc: () => import('./admin/gc.ts'),
  'secrets set': async () => ({ run: (await import('./admin/secrets.ts')).set }),
  'secrets list': async () => ({ run: (await import('./admin/secrets.ts')).list }),
  'secrets rm': async () => ({ run: (await import('./admin/secrets.ts')).remove }),
  'secrets rotate': async () => ({ run: (await import('./admin/secrets.ts')).rotate }),
  'kv get': async () => ({ run: (await import('./kv/kv.ts')).get }),
  'kv set': async () => ({ run: (await import('./kv/kv.ts')).set }),
  'kv delete': async () => ({ run: (await import('./kv/kv.ts')).remove }),
  'kv list': async () => ({ run: (await import('./kv/kv.ts')).list }),
  'tokens create': async () => ({ run: (await import('./admin/tokens.ts')).create }),
  'tokens list': async () => ({ run: (await import('./admin/tokens.ts')).list }),
  'tokens revoke': async () => ({ run: (await import('./admin/tokens.ts')).revoke }),
  audit: async () => ({ run: (await import('./admin/audit.ts')).list }),
  'audit verify': async () => ({ run: (await import('./admin/audit.ts')).verify }),
  backup: () => import('./admin/backup.ts'),
  restore: () => import('./admin/restore.ts'),
  completion: () => import('./completion.ts'),
  version: () => import('./version.ts'),
  help: () => import('./help.ts'),
};

/**
 * Commands that run without the table of commands. Loading the table takes longer than they do, and a person who
 * pressed Tab is waiting.
 */
const quick: Readonly<Record<string, () => Promise<{ run(words: readonly string[]): ExitCode | Promise<ExitCode> }>>> =
  {
    __complete: () => import('./completion/complete.ts'),
    '__complete-refresh': () => import('./completion/complete-refresh.ts'),
  };
const asksForVersion = ['version', ':version', '--version', '-V'];

export async function main(words: readonly string[]): Promise<ExitCode> {
  // A pipe closes when its reader ends, as in `flwd help | head -1`. A server keeps running when nobody reads its log
  // any more.
  process.stderr.on('error', () => {});
  let unwritten: NodeJS.ErrnoException | undefined;
  process.stdout.on('error', (error) => {
    unwritten ??= error;
  });
  process.on('uncaughtException', (error) => {
    report(error)
      .then(async (code) => (await import('../instance/end-process.ts')).endProcess(code))
      .catch(() => endPlainly(error));
  });
  try {
    const [first = '', ...others] = words;
    const direct = Object.hasOwn(quick, first) ? quick[first] : undefined;
    if (direct) return await (await direct()).run(others);
    if (others.length === 0 && asksForVersion.includes(first)) return (await import('./version.ts')).run();
    const { readCommandLine } = await import('./command-line.ts');
    const call = readCommandLine(words);
    const verb = await verbs[nameOf(call)]();
    if (call.options.has('jobs')) await (await import('./job/jobs-option.ts')).warnWhereServed(call);
    const exitCode = (await verb.run(call.options, call.operands, call)) ?? 0;
    // A failed write is reported a moment later.
    await new Promise(setImmediate);
    if (exitCode !== 0 || unwritten === undefined || unwritten.code === 'EPIPE') return exitCode;
    const { Refusal } = await import('./exit-code.ts');
    throw new Refusal(`cannot write all of the output to standard output (${unwritten.code})`);
  } catch (error) {
    return report(error);
  }
}

function nameOf({ command: { name } }: Call): CommandName {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the table of commands is where names come from
  return name as CommandName;
}

/** Without free file descriptors, the code that explains errors cannot be loaded either. */
function endPlainly(error: unknown): never {
  process.stderr.write(`flwd: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(70);
}

async function report(error: unknown): Promise<ExitCode> {
  const [{ explained }, { exitCodes, Refusal }] = await Promise.all([
    import('./explained.ts'),
    import('./exit-code.ts'),
  ]);
  const { forTerminal } = await import('./terminal/terminal-text.ts');
  // The text may come from another machine and contain names that others chose.
  const print = (text: string): void => {
    const lines = text.split('\n').map((line) => `${forTerminal(line, false)}\n`);
    process.stderr.write(lines.join(''));
  };
  const known = explained(error);
  if (known instanceof Refusal) {
    print(known.message);
    return known.exitCode;
  }
  const trace = known instanceof Error ? known.stack : String(known);
  print(`flwd: this is a bug in flwd; please report it together with the following\n${trace}`);
  return exitCodes.bug;
}
