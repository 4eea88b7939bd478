// Describes a job and its arguments: `flwd JOB --help`, `flwd jobs JOB`.

import { type ArgumentField, argumentFields, showValue } from '../../domain/argument-fields.ts';
import { flagOf, isNamedAsOption, negatedFlagOf } from '../../domain/argument-flags.ts';
import { verbs } from '../command-line.ts';
import { type Output, printable } from '../terminal/output.ts';
import { usageOfField } from './argument-words.ts';
import type { Job } from './known-jobs.ts';

/** `command` is the command that the user typed before the name of the job. */
export function jobHelp(job: Job, output: Output, command?: string): string {
  const fields = argumentFields(job.args);
  // If a command has the same name, the job can be called only with `run`.
  const words = [command ?? (verbs.includes(job.id) ? 'run' : ''), job.id, fields.length > 0 ? '[ARGUMENTS]' : ''];
  const lines = [
    `Usage: ${['flwd', ...words].filter(Boolean).join(' ')}`,
    '',
    ...(job.title === null ? [] : [output.paint('strong', printable(job.title))]),
    ...(job.description === null ? [] : job.description.trimEnd().split('\n').map(printable)),
    ...(job.title === null && job.description === null ? [] : ['']),
    ...argumentLines(fields, output),
    ...aboutLines(job),
  ];
  return `${lines.join('\n')}\n`;
}

function argumentLines(fields: readonly ArgumentField[], output: Output): string[] {
  if (fields.length === 0) return ['The job takes no arguments.', ''];
  const heads = fields.map(spelling);
  const column = Math.min(34, Math.max(...heads.map(({ length }) => length)) + 4);
  const rows = fields.flatMap((field, at) => {
    const head = `  ${heads[at]}`;
    const [first = '', ...more] = aboutField(field).map(printable);
    const lead = head.length + 2 <= column ? [head.padEnd(column) + first] : [head, ' '.repeat(column) + first];
    return [...lead, ...more.map((line) => ' '.repeat(column) + output.paint('faint', line))];
  });
  const hasSecret = fields.some(({ kind }) => kind === 'secret');
  const secretNote =
    '  A secret comes from a file (- reads standard input), from the environment, or from a stored secret.';
  const notes = hasSecret ? ['', secretNote, '  At a terminal, flwd asks for a required secret that is missing.'] : [];
  if (fields.some(isNamedAsOption))
    notes.push('', '  If flwd has an option of the same name, write --args.NAME, or --NAME after a lone --.');
  return ['Arguments:', ...rows, ...notes, ''];
}

function spelling(field: ArgumentField): string {
  if (field.kind === 'boolean') return `${flagOf(field)}, ${negatedFlagOf(field)}`;
  return `${usageOfField(field)}${field.kind === 'list' ? '…' : ''}`;
}

/** The description, then the rules for the value. */
function aboutField(field: ArgumentField): string[] {
  const { title, description, isRequired, defaultValue, examples, choices, constraints, kind, itemKind } = field;
  const words = [title, description].filter((text) => text !== null && text !== '').join(': ');
  const type = kind === 'list' ? `list of ${itemKind ?? 'json'}, one item per option` : kind;
  const notes = [
    isRequired ? 'required' : '',
    type,
    ...constraints,
    choices.length > 0 ? `one of ${choices.map(showValue).join(', ')}` : '',
    defaultValue === undefined ? '' : `default ${showValue(defaultValue)}`,
    examples.length > 0 ? `e.g. ${examples.map(showValue).join(', ')}` : '',
  ].filter(Boolean);
  const flag = flagOf(field);
  const others = kind === 'secret' ? [`or ${flag}.env NAME, or ${flag}.stored NAME`] : [];
  return [...words.split('\n').filter((line) => line !== ''), ...others, notes.join('; ')];
}

function aboutLines(job: Job): string[] {
  const { security_profile: profile, run_as: user, composition, steps, timeouts } = job;
  const names = steps.map(({ step_id: id }) => id).join(', ');
  return [
    `Job ${job.id} of ${job.source} (${job.path}), revision ${job.revision.slice(0, 12)}`,
    `  runs ${composition === 'steps' ? `the steps ${names}` : job.executor} in the profile ${profile}${user === null ? '' : ` as the user ${user}`}`,
    ...(timeouts.run === null ? [] : [`  for at most ${timeouts.run}`]),
    ...(job.aliases.length > 0 ? [`  also called ${job.aliases.join(', ')}`] : []),
    ...(job.tags.length > 0 ? [`  tagged ${job.tags.join(', ')}`] : []),
    ...(job.enabled ? [] : ['  disabled: it does not run']),
  ];
}
