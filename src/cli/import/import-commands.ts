// The commands for jobs of other schedulers; part of the table in commands.ts.

import { type Command, configFile, dataDir, jobsDir, json, type Option, quiet } from '../command.ts';

const to: Option = {
  name: 'to',
  value: 'DIR',
  about: 'write the jobs below this folder; default: the first source that you can write to',
};
const importing: readonly Option[] = [to, json, quiet, configFile, jobsDir];

export const importCommands = [
  {
    name: 'import crontab',
    about: 'turn the lines of a crontab into jobs with held schedules; without FILE, read your own crontab',
    options: [
      {
        name: 'system',
        about: 'the lines name a user, as in /etc/cron.d; without FILE, read /etc/crontab and /etc/cron.d',
      },
      ...importing,
    ],
    operands: '[FILE|-]',
    examples: ['flwd import crontab', 'flwd import crontab /etc/cron.d/certbot', 'flwd import crontab --to ~/ops/jobs'],
  },
  {
    name: 'import systemd-timers',
    about:
      'turn systemd timers and services into jobs; without DIR: your own timers or, as root, those in /etc/systemd/system',
    options: importing,
    operands: '[DIR]',
    examples: ['flwd import systemd-timers', 'flwd import systemd-timers ./units --to ~/ops/jobs'],
  },
  {
    name: 'import cronicle',
    about: 'turn the events of Cronicle into jobs; FILE is what control.sh export writes',
    options: importing,
    operands: 'FILE',
    examples: ['flwd import cronicle backup.txt'],
  },
  {
    name: 'import rundeck',
    about: 'turn Rundeck’s job definitions into jobs; FILE is YAML or JSON',
    options: importing,
    operands: 'FILE',
    examples: ['flwd import rundeck jobs.yaml'],
  },
  {
    name: 'import dagu',
    about: 'turn a folder of Dagu workflows into jobs',
    options: importing,
    operands: 'DIR',
    examples: ['flwd import dagu ~/.config/dagu/dags'],
  },
  {
    name: 'takeover',
    about: 'let flwd, not cron, run the lines that you imported from crontabs; shows their old and new times first',
    options: [
      { name: 'dry-run', about: 'only show the lines, and their next times under cron and under flwd' },
      { name: 'yes', about: 'do not ask' },
      { name: 'undo', about: 'hold the schedules, and give the lines back to cron' },
      json,
      quiet,
      configFile,
      dataDir,
      jobsDir,
    ],
    examples: ['flwd takeover --dry-run', 'flwd takeover --yes', 'flwd takeover --undo'],
  },
] as const satisfies readonly Command[];
