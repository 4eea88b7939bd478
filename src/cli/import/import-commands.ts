// The commands for jobs of other schedulers; part of the table in commands.ts.

import { type Command, configFile, jobsDir, json, type Option, quiet } from '../command.ts';

const to: Option = {
  name: 'to',
  value: 'DIR',
  about: 'write the jobs below this folder; default: the first source that you can write to',
};
const importing: readonly Option[] = [to, json, quiet, configFile, jobsDir];

export const importCommands = [
  {
    name: 'import crontab',
    about: 'turn the lines of a crontab into jobs with held schedules; without FILE, of your crontab',
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
] as const satisfies readonly Command[];
