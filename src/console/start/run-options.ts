// What a run is started with besides its arguments: its priority, labels and profile.

import type { BodyOf } from '../../contract/operations.ts';

export type RunOptions = Pick<BodyOf<'createRun'>, 'priority' | 'labels' | 'security_profile'>;

export type OptionTexts = {
  readonly priority: string;
  /** Labels as `key=value`, separated by commas or line breaks. */
  readonly labels: string;
  /** Empty: the run gets the profile of the job. */
  readonly profile: string;
};

export const noOptions: OptionTexts = { priority: '', labels: '', profile: '' };

type ReadOptions = {
  readonly options: RunOptions;
  readonly errors: Readonly<Partial<Record<keyof OptionTexts, string>>>;
};

const profiles = ['secure', 'permissive', 'disabled'] as const;

export function readOptions({ priority, labels, profile }: OptionTexts): ReadOptions {
  const written = labels
    .split(/[,\n]/)
    .map((label) => label.trim())
    .filter(Boolean);
  const wrongLabel = written.find((label) => !/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}=/.test(label));
  const chosen = profiles.find((one) => one === profile);
  const level = Number(priority);
  const isLevel = /^[+-]?\d{1,3}$/.test(priority.trim()) && Math.abs(level) <= 100;
  return {
    options: {
      ...(priority.trim() !== '' && isLevel && { priority: level }),
      ...(written.length > 0 && wrongLabel === undefined && { labels: Object.fromEntries(written.map(toPair)) }),
      ...(chosen !== undefined && { security_profile: chosen }),
    },
    errors: {
      ...(priority.trim() !== '' && !isLevel && { priority: 'must be a whole number from -100 to 100' }),
      ...(wrongLabel !== undefined && { labels: `${wrongLabel} must be written as key=value` }),
    },
  };
}

function toPair(label: string): [key: string, value: string] {
  const at = label.indexOf('=');
  return [label.slice(0, at), label.slice(at + 1)];
}

/** The options in one line, for the closed section. */
export function optionsSentence({ priority, labels, profile }: OptionTexts): string {
  return [
    `priority ${priority.trim() || 0}`,
    profile === '' ? 'the profile of the job' : `profile ${profile}`,
    labels.trim() === '' ? 'no labels' : `labels ${labels.trim()}`,
  ].join(', ');
}
